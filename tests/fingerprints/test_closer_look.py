"""Hot references are looked for more closely: very small insets of large pictures; others cost what they did."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sordino.fingerprints import video
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import VideoPrint, VideoQuery
from sordino.fingerprints.params import VideoParams
from sordino.fingerprints.video import Describer, coarser
from sordino.pipelines.analyse import GLIMPSED
from tests import synth

Pictures = NDArray[np.uint8]
HEIGHT, WIDTH = 720, 1280
AT_S = 8.0  # of the film, where the insets begin
SECONDS = 6.0
PARAMS = VideoParams()


@cache
def film() -> Pictures:
    """Shoot 20 s at 10 frames a second."""
    return synth.pictures(20 / 3, 3, fps=3 * synth.FPS, width=640, height=360)


@cache
def registered() -> VideoPrint:
    return video.reference_print(np.arange(40) / 2, film()[::5], 20.0)


def with_inset(share: float) -> Pictures:
    """Show the film in so much of the width of a large picture, two frames a second."""
    frames = synth.pictures(SECONDS, 61, fps=2, width=WIDTH, height=HEIGHT)
    width, height = round(share * WIDTH), round(share * HEIGHT)
    for k, frame in enumerate(frames):
        small = cv2.resize(film()[round(10 * AT_S) + 5 * k], (width, height), interpolation=cv2.INTER_AREA)
        frame[200 : 200 + height, 700 : 700 + width] = small
    return frames


def busy(width: int, height: int, n: int = 3) -> list[Pictures]:
    """Return pictures with more corners than are ever taken."""
    rng = np.random.default_rng(width)
    cells = [rng.integers(0, 255, (height // 9, width // 9)).astype(np.uint8) for _ in range(n)]
    return [np.asarray(cv2.resize(c, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8) for c in cells]


def described(frames: Iterable[Pictures], *, hot: bool) -> VideoQuery:
    describer = Describer(finer=True, hot=hot)
    for k, frame in enumerate(frames):
        describer.add(k / 2, frame)
    return describer.query(SECONDS)


def opened(folder: Path, *, hot: bool) -> Catalogue:
    catalogue = Catalogue.open(folder)
    catalogue.add("film", None, registered(), hot=hot)
    catalogue.save()
    return catalogue


def most_in_a_frame(query: VideoQuery) -> int:
    return int(np.diff(query.landmarks.starts).max())


@pytest.mark.parametrize("share", [0.1, 0.11])
def test_a_very_small_inset_is_found_where_the_reference_is_hot(tmp_path: Path, share: float) -> None:
    frames = with_inset(share)
    ordinary, close = described(frames, hot=False), described(frames, hot=True)
    hot, cold = opened(tmp_path / "hot", hot=True), opened(tmp_path / "cold", hot=False)
    assert cold.find(None, ordinary) == []
    assert cold.find(None, close) == []  # what is not hot is not looked for more closely
    assert hot.find(None, ordinary) == []  # and a hot reference needs the closer look, not only to be one
    (found,) = hot.find(None, close)
    assert found.log10_false_positive < -6
    assert found.reference.start_s - found.query.start_s == pytest.approx(AT_S, abs=0.5)
    assert found.query.duration_s >= 0.9 * SECONDS
    assert found.region is not None
    corner = (found.region.x, found.region.y, found.region.w, found.region.h)
    assert corner == pytest.approx((700 / WIDTH, 200 / HEIGHT, share, share), abs=0.02)


def test_a_glimpse_is_as_close_a_look(tmp_path: Path) -> None:
    close = described(with_inset(0.1), hot=True)
    hot, cold = opened(tmp_path / "hot", hot=True), opened(tmp_path / "cold", hot=False)
    assert hot.glimpse(close) >= GLIMPSED
    assert cold.glimpse(close) < GLIMPSED


def test_the_inset_that_an_ordinary_look_finds_is_still_found_in_either(tmp_path: Path) -> None:
    frames = with_inset(0.25)
    for query in (described(frames, hot=False), described(frames, hot=True)):
        for hot in (True, False):
            (found,) = opened(tmp_path / f"{hot} {len(query.unsure)}", hot=hot).find(None, query)
            assert found.log10_false_positive < -6


def test_hot_and_other_references_are_looked_for_each_in_its_way(tmp_path: Path) -> None:
    catalogue = Catalogue.open(tmp_path / "catalogue")
    catalogue.add("other", None, registered())
    catalogue.add("hot", None, registered(), hot=True)
    catalogue.save()
    close = described(with_inset(0.1), hot=True)
    assert [m.reference_id for m in catalogue.find(None, close)] == ["hot"]
    catalogue.remove("other")
    catalogue.save()
    (alone,) = catalogue.find(None, close)
    assert alone.reference_id == "hot"


@pytest.mark.parametrize("hot", [False, True])
@pytest.mark.parametrize("shape", [(1280, 720), (1920, 1080), (960, 540), (720, 1280)], ids=str)
def test_coarser_leaves_what_is_large_enough_frame_by_frame(shape: tuple[int, int], hot: bool) -> None:
    query = described(busy(*shape), hot=hot)
    less = coarser(query, PARAMS.query_side)
    whole, left = query.landmarks, less.landmarks
    for k in range(len(whole.times_s)):
        rows = range(int(whole.starts[k]), int(whole.starts[k + 1]))
        longer = max(1.0, whole.height)  # sides are of the longer side, places in widths
        large = [row for row in rows if round(longer / float(whole.places[row, 2])) <= PARAMS.query_side]
        here = slice(int(left.starts[k]), int(left.starts[k + 1]))
        np.testing.assert_array_equal(left.words[here], whole.words[large])
        np.testing.assert_array_equal(left.places[here], whole.places[large])
        np.testing.assert_array_equal(less.unsure[here], query.unsure[large])
    assert (left.times_s is whole.times_s, left.duration_s, left.height) == (True, whole.duration_s, whole.height)
    assert int(left.starts[-1]) == len(left.words) == len(less.unsure)


@pytest.mark.parametrize("shape", [(1280, 720), (1920, 1080)], ids=str)
def test_coarser_leaves_about_as_much_as_an_ordinary_query_has(shape: tuple[int, int]) -> None:
    ordinary, close = described(busy(*shape), hot=False), described(busy(*shape), hot=True)
    assert PARAMS.query_landmarks < most_in_a_frame(close) <= PARAMS.hot_landmarks
    left = most_in_a_frame(coarser(close, PARAMS.query_side))
    assert 0.7 * most_in_a_frame(ordinary) <= left <= 1.1 * most_in_a_frame(ordinary)
    assert 1 / coarser(close, PARAMS.query_side).landmarks.places[:, 2].min() <= PARAMS.query_side + 1


@pytest.mark.parametrize("shape", [(1280, 720), (640, 360), (321, 180), (360, 640)], ids=str)
def test_of_an_ordinary_query_coarser_leaves_all(shape: tuple[int, int]) -> None:
    ordinary = described(busy(*shape), hot=False)
    less = coarser(ordinary, PARAMS.query_side)
    for mine, theirs in (
        (less.landmarks.words, ordinary.landmarks.words),
        (less.landmarks.places, ordinary.landmarks.places),
        (less.landmarks.starts, ordinary.landmarks.starts),
        (less.unsure, ordinary.unsure),
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_of_nothing_coarser_leaves_nothing() -> None:
    for frames in ([], [np.zeros((720, 1280), np.uint8)]):
        less = coarser(described(frames, hot=True), PARAMS.query_side)
        assert len(less.landmarks.words) == len(less.unsure) == int(less.landmarks.starts[-1]) == 0
        assert len(less.landmarks.starts) == len(frames) + 1
