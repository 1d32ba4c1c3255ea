"""A work in one segment of a stream makes the next segment's weak evidence of it enough."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sordino.fingerprints import align_video
from sordino.fingerprints.align_video import CONTINUED, MAX_LOG10_FALSE_POSITIVE
from sordino.monitor import settings
from sordino.monitor.home import Home, opened
from sordino.monitor.process import TRACKED_S, process
from sordino.monitor.timeline import Episode
from sordino.pipelines.analyse import analyse
from sordino.pipelines.messages import Media, Segment
from tests import synth
from tests.sample_home import Sources

SECONDS = 6.0
X, Y, WIDTH, HEIGHT = 200, 100, 120, 68  # of the inset, in a picture of 640 x 360
WEAK_S = 1.5  # so long the film goes on in the second segment


@pytest.fixture
def monitor(home: Path) -> Iterator[Home]:
    with opened(settings.load(home=home)) as opened_home:
        yield opened_home


def with_inset(seed: int, film: NDArray[np.uint8], noise: float) -> NDArray[np.uint8]:
    """Show some of a film, from the beginning on, noisily in a small part of other pictures."""
    rng = np.random.default_rng(3)
    shown = synth.pictures(SECONDS, seed, width=640, height=360)
    for canvas, picture in zip(shown, film, strict=False):
        small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        noisy = small + rng.normal(0, noise, small.shape)
        canvas[Y : Y + HEIGHT, X : X + WIDTH] = np.clip(noisy, 0, 255).astype(np.uint8)
    return shown


def encoded(path: Path, frames: NDArray[np.uint8]) -> Path:
    # Keyframes are too far apart to tell that there is nothing, so all pictures are looked at, expected or not.
    return synth.clip(path, None, frames, "-g", "60", "-sc_threshold", "0")


def episodes(monitor: Home, stream_id: str, segments: list[tuple[int, Path]]) -> list[Episode]:
    """Return what is known of a stream after these of its segments, each with its number."""
    for number, path in segments:
        media = Media(uri="file:///srv/a.mp4")
        given = Segment(stream_id=stream_id, sequence=number, start_s=SECONDS * number, media=media, duration_s=SECONDS)
        assert process(given, contextlib.nullcontext(path), monitor).poison is None
    return [episode for episode in monitor.store.episodes(stream_id) if episode.track == "video"]


@pytest.fixture
def clear(sources: Sources, tmp_path: Path) -> Path:
    """The film from its 20 to 26 s, in an inset."""
    return encoded(tmp_path / "clear.mp4", with_inset(90, sources.film[200:260], 0))


@pytest.fixture
def early(sources: Sources, tmp_path: Path) -> Path:
    """The film from its 2 to 8 s, in an inset."""
    return encoded(tmp_path / "early.mp4", with_inset(90, sources.film[20:80], 0))


@pytest.fixture
def weak(monitor: Home, sources: Sources, tmp_path: Path) -> Path:
    """It goes on from its 26 s, so noisily that alone it is not told, but would be if it were a bit surer."""
    going_on = sources.film[260 : 260 + round(WEAK_S * synth.FPS)]
    for noise in range(4, 40, 4):
        path = encoded(tmp_path / f"{noise}.mp4", with_inset(91, going_on, noise))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(align_video, "MAX_LOG10_FALSE_POSITIVE", 0.0)
            found = [m.log10_false_positive for m in analyse(path, monitor.catalogue).matches]
        if MAX_LOG10_FALSE_POSITIVE < min(found, default=0.0) <= MAX_LOG10_FALSE_POSITIVE + 0.75 * CONTINUED:
            return path
    raise AssertionError("no quality of the copy is between told and lost")


def test_it_is_followed_into_the_next_segment(monitor: Home, clear: Path, weak: Path) -> None:
    (before,) = episodes(monitor, "live", [(0, clear)])
    assert before.query.end_s == pytest.approx(SECONDS, abs=0.6)
    (episode,) = episodes(monitor, "live", [(1, weak)])
    assert episode.query.start_s == pytest.approx(0, abs=0.5)
    assert episode.query.end_s == pytest.approx(SECONDS + WEAK_S, abs=0.6)
    assert episode.reference.end_s == pytest.approx(26 + WEAK_S, abs=1)


def test_in_another_stream_it_is_not(monitor: Home, clear: Path, weak: Path) -> None:
    assert len(episodes(monitor, "live", [(0, clear)])) == 1
    assert episodes(monitor, "other", [(1, weak)]) == []


@pytest.mark.parametrize("later", [1, 4], ids=["elsewhere in the film", "too long ago"])
def test_what_the_stream_had_elsewhere_or_long_ago_says_nothing(
    monitor: Home, early: Path, weak: Path, later: int
) -> None:
    # In segment 4 the film is where it would be, had it gone on from segment 0, which ended longer ago than is tracked.
    assert 2 + 4 * SECONDS == 26
    assert 3 * SECONDS > TRACKED_S
    (episode,) = episodes(monitor, "live", [(0, early), (later, weak)])
    assert episode.query.end_s <= SECONDS
    assert episode.reference.start_s == pytest.approx(2, abs=1)
