"""Prints that can't be prints are refused at the door, by name; those that pass are harmless."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sordino.fingerprints import checks
from sordino.fingerprints.catalogue import Catalogue, CatalogueError
from sordino.fingerprints.model import AudioPrint, AudioQuery, VideoPrint, VideoQuery
from sordino.fingerprints.params import AudioParams, VideoParams

PARAMS = AudioParams(max_pair_bands=2)
BANDS = PARAMS.n_bands
INT32 = np.iinfo(np.int32)
GOOD = AudioPrint(PARAMS, 4.0, np.array([0, 5, 5, 200], np.int32), np.array([0, 3, 9, BANDS - 1], np.int16))
QUERY = AudioQuery(GOOD, np.zeros((201, BANDS), np.float32))
SEEN = VideoPrint(
    VideoParams(),
    2.0,
    0.5,
    np.array([0.0, 0.5, 0.5]),
    np.array([0.0, 0.5, 1.5]),
    np.array([0, 1, 1, 3]),
    np.full((3, 3), 0.25, np.float32),
    np.ones(3, np.uint64),
)
UNSURE = np.zeros((3, 4), np.uint8)


def frames(*values: int) -> dict[str, Any]:
    return {"frames": np.array(values, np.int32)}


def bands(*values: int) -> dict[str, Any]:
    return {"bands": np.array(values, np.int16)}


DURATIONS = [{"duration_s": seconds} for seconds in (np.nan, np.inf, -np.inf, -1.0, 1e300, checks.MAX_S * 1.01)]
BAD_SOUND = [
    *DURATIONS,
    frames(-1, 0, 5, 5),
    frames(0, 5, 4, 200),
    frames(0, 5, 5, 201),
    frames(0, 5, 5, INT32.max),
    frames(INT32.min, 0, 0, INT32.max),
    frames(0, 5, 5),
    bands(-1, 0, 0, 0),
    bands(0, 0, 0, BANDS),
    bands(0, 0, 0, 32767),
    bands(0, 0, 0),
    {"frames": GOOD.frames.astype(np.int64)},
    {"frames": GOOD.frames.astype(np.float32)},
    {"frames": GOOD.frames[:, None]},
    {"bands": GOOD.bands.astype(np.int32)},
    {"bands": np.repeat(GOOD.bands[:, None], 2, axis=1)},
    {"frames": np.zeros(1000, np.int32), "bands": np.zeros(1000, np.int16)},
]
BAD_PICTURES = [
    *DURATIONS,
    {"times_s": np.array([0.0, np.nan, 1.0])},
    {"times_s": np.array([0.0, 1.0, np.inf])},
    {"times_s": np.array([0.0, 1.0, 0.5])},
    {"times_s": np.array([-0.1, 1.0, 1.5])},
    {"times_s": np.array([0.0, 1.0, 1e300])},
    {"times_s": np.array([0.0, 1.0])},
    {"times_s": np.array([0, 1, 2])},
    {"until_s": np.array([0.0, 0.5])},
    {"until_s": np.array([0.0, 0.6, 1.5])},
    {"until_s": np.array([0.0, 0.5, 11.0])},
    {"until_s": np.array([0.0, 0.5, np.nan])},
    {"starts": np.array([0, 1, 3])},
    {"starts": np.array([0, 1, 1, 4])},
    {"starts": np.array([1, 1, 1, 3])},
    {"starts": np.array([0, 2, 1, 3])},
    {"starts": np.array([0, -5, 1, 3])},
    {"starts": np.array([0, 1, 1, 3], np.int32)},
    {"words": np.ones(2, np.uint64)},
    {"words": np.ones(3, np.int64)},
    {"places": np.full((3, 2), 0.5, np.float32)},
    {"places": np.full((3, 3), 0.5)},
    {"places": np.full((3, 3), np.nan, np.float32)},
    {"places": np.full((3, 3), -0.1, np.float32)},
    {"places": np.full((3, 3), 1.1, np.float32)},
    {"places": np.zeros((3, 3), np.float32)},
    {"height": 0.0},
    {"height": np.nan},
    {"height": 1e9},
    {
        "starts": np.array([0, 0, 0, 2201]),
        "places": np.full((2201, 3), 0.5, np.float32),
        "words": np.ones(2201, np.uint64),
    },
]
BAD_UNSURE = [np.zeros((2, 4), np.uint8), np.zeros((3, 3), np.uint8), np.full((3, 4), 63, np.uint8), np.zeros((3, 4))]
BAD_CONTRAST = [
    np.full((201, BANDS), np.nan, np.float32),
    np.full((201, BANDS), -np.inf, np.float32),
    np.full((201, BANDS), 1e30, np.float32),
    np.zeros((200, BANDS), np.float32),
    np.zeros((0, BANDS), np.float32),
    np.zeros((201, BANDS - 1), np.float32),
    np.zeros((201, BANDS), np.float64),
    np.zeros(201, np.float32),
]


@pytest.fixture
def opened(tmp_path: Path) -> Catalogue:
    return Catalogue.open(tmp_path / "catalogue", PARAMS)


def test_good_prints_are_taken(opened: Catalogue) -> None:
    opened.add("both", GOOD, SEEN)
    opened.add("neither", None, None)
    opened.save()
    assert opened.reference_ids == {"both", "neither"}
    assert opened.find(QUERY, VideoQuery(SEEN, UNSURE)) == []


def assert_refused(error: CatalogueError, name: str) -> None:
    assert error.code == "bad_print"
    assert str(error).startswith(f"{name}: ")
    assert "\n" not in str(error)


@pytest.mark.parametrize("change", BAD_SOUND, ids=str)
def test_bad_sound_is_refused(opened: Catalogue, change: dict[str, Any]) -> None:
    bad = replace(GOOD, **change)
    with pytest.raises(CatalogueError) as refused:
        opened.add("a song", bad, SEEN)
    assert_refused(refused.value, "a song")
    with pytest.raises(CatalogueError) as refused:
        opened.find(replace(QUERY, landmarks=bad), None)
    assert_refused(refused.value, "query")
    opened.add("a song", GOOD, None)  # nothing of the bad one was kept


@pytest.mark.parametrize("change", BAD_PICTURES, ids=str)
def test_bad_pictures_are_refused(opened: Catalogue, change: dict[str, Any]) -> None:
    bad = replace(SEEN, **change)
    with pytest.raises(CatalogueError) as refused:
        opened.add("a film", None, bad)
    assert_refused(refused.value, "a film")
    with pytest.raises(CatalogueError) as refused:
        opened.find(None, VideoQuery(bad, UNSURE))
    assert_refused(refused.value, "query")


@pytest.mark.parametrize("unsure", BAD_UNSURE, ids=lambda u: f"{u.dtype} {u.shape}")
def test_bad_unsure_bits_are_refused(opened: Catalogue, unsure: Any) -> None:
    with pytest.raises(CatalogueError) as refused:
        opened.find(None, VideoQuery(SEEN, unsure))
    assert_refused(refused.value, "query")


@pytest.mark.parametrize("contrast", BAD_CONTRAST, ids=lambda c: f"{c.dtype} {c.shape} {c.flat[:1]}")
def test_a_bad_contrast_map_is_refused(opened: Catalogue, contrast: Any) -> None:
    with pytest.raises(CatalogueError) as refused:
        opened.find(AudioQuery(GOOD, contrast), None)
    assert_refused(refused.value, "query")


@given(
    seed=st.integers(0, 1000),
    seconds=st.sampled_from([0.0, 0.01, 1.0, 3.0, 8.0, checks.MAX_S]),
    count=st.integers(0, 80),  # more are too many for one second
    contrast=st.sampled_from([0.0, 1.0, 200.0]),
)
@settings(deadline=None, max_examples=15, derandomize=True)
def test_what_passes_is_harmless(
    tmp_path_factory: pytest.TempPathFactory, seed: int, seconds: float, count: int, contrast: float
) -> None:
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(0, int(seconds * PARAMS.frames_per_s) + 1, count)).astype(np.int32)
    hostile = AudioPrint(PARAMS, seconds, at, rng.choice([0, 1, BANDS - 1], count).astype(np.int16))
    opened = Catalogue.open(tmp_path_factory.mktemp("hostile") / "catalogue", PARAMS)
    opened.add("good", GOOD, SEEN)
    opened.add("hostile", hostile, None)
    opened.save()
    assert opened.reference_ids == {"good", "hostile"}
    short = replace(hostile, frames=at[at < 400], bands=hostile.bands[at < 400])
    noise = np.asarray(contrast * rng.standard_normal((400, BANDS)), np.float32)
    for match in opened.find(AudioQuery(short, noise), None):
        assert 0 <= match.reference.start_s <= match.reference.end_s <= seconds
