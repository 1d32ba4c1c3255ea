"""What moves tells the time between a reference's frames: speeds and times are finer than its half seconds."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sordino.fingerprints import index_video, video
from sordino.fingerprints.align_video import VideoAlignment, find
from sordino.fingerprints.chain_video import Line
from sordino.fingerprints.index_video import VideoIndex
from sordino.fingerprints.model import VideoQuery
from sordino.fingerprints.propose_video import Look, looks
from sordino.fingerprints.retime_video import retimed
from tests import synth

Pictures = NDArray[np.uint8]
Floats = NDArray[np.float64]
HEIGHT, WIDTH = 180, 320
FILM_S = 40.0
CLIP_S = 8.0
WITHIN_S = 0.06  # of seven such films none is more than 0.04 s off; without what moves they are up to 0.2 s
WITHIN_SPEED = 0.01  # of seven none is more than 0.8 % off; without, 1.04 is told as 1
AS_IT_IS = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


class Floating:
    """A picture in which patches float about, each on its own way and never evenly; `at` any time, not of frames."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([31, seed])
        self._ground = cloudy(HEIGHT, WIDTH, rng)
        self._patches = [cloudy(int(height), int(width), rng) for height, width in rng.integers(40, 70, (6, 2))]
        self._middles = rng.uniform([40, 30], [WIDTH - 40, HEIGHT - 30], (6, 2))
        self._reach = rng.uniform(20, 60, (6, 2))
        self._hurry = rng.uniform(0.3, 0.8, (6, 2))
        self._since = rng.uniform(0, 2 * np.pi, (2, 6, 2))

    def at(self, time_s: float) -> Pictures:
        ways = 0.7 * np.sin(self._hurry * time_s + self._since[0])
        ways += 0.3 * np.sin(2.3 * self._hurry * time_s + self._since[1])
        picture: Pictures = self._ground.copy()
        for patch, middle in zip(self._patches, self._middles + self._reach * ways, strict=True):
            x, y = middle - np.array(patch.shape[::-1]) / 2
            shift = np.array([[1, 0, x], [0, 1, y]])  # not in whole pixels
            cv2.warpAffine(patch, shift, (WIDTH, HEIGHT), dst=picture, borderMode=cv2.BORDER_TRANSPARENT)
        return picture

    def shown(self, times_s: Iterable[float]) -> list[Pictures]:
        return [self.at(float(time_s)) for time_s in times_s]


def cloudy(height: int, width: int, rng: np.random.Generator) -> Pictures:
    canvas = np.zeros((height, width))
    for pixels in (4, 9, 20, 40):
        grid = rng.standard_normal((max(2, height // pixels), max(2, width // pixels)))
        canvas += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * pixels**0.35
    return np.asarray(255 * (canvas - canvas.min()) / np.ptp(canvas), np.uint8)


def indexed(frames: list[Pictures]) -> VideoIndex:
    """Two frames a second."""
    return index_video.build([video.reference_print(np.arange(len(frames)) / 2, frames, len(frames) / 2)])


FILMS = [Floating(seed) for seed in range(3)]
REFERENCES = [indexed(film.shown(np.arange(0, FILM_S, 0.5))) for film in FILMS]


def copy(film: Floating, start_s: float, speed: float, times_s: Floats) -> VideoQuery:
    return video.query_print(times_s, film.shown(start_s + speed * times_s), CLIP_S)


FOUR_A_SECOND = np.arange(0, CLIP_S, 0.25)
EACH = np.arange(len(FOUR_A_SECOND))


def assert_times(found: VideoAlignment, start_s: float, speed: float, within_s: float = WITHIN_S) -> None:
    for mine_s, theirs_s in zip(
        (found.query.start_s, found.query.end_s), (found.reference.start_s, found.reference.end_s), strict=True
    ):
        assert theirs_s == pytest.approx(start_s + speed * mine_s, abs=within_s)


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.04, 1.25, 1.5])
@pytest.mark.parametrize("number", [0, 2])
def test_speed_and_times_are_those_that_were_planted(number: int, speed: float) -> None:
    start_s = 10.13 + 0.11 * number
    (found,) = find(copy(FILMS[number], start_s, speed, FOUR_A_SECOND), [REFERENCES[number]])
    assert found.speed == pytest.approx(speed, rel=WITHIN_SPEED)
    assert_times(found, start_s, speed)
    assert found.query.duration_s >= CLIP_S - 0.5


@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize("between_s", [0.125, 0.25, 0.375])
def test_a_copy_whose_frames_all_lie_between_the_references_is_told_when(between_s: float, number: int) -> None:
    times_s = np.arange(0, CLIP_S, 0.5)  # as far apart as the reference's: each is as far from the nearest one
    (found,) = find(copy(FILMS[number], 12 + between_s, 1.0, times_s), [REFERENCES[number]])
    assert found.speed == 1.0
    assert_times(found, 12 + between_s, 1.0, within_s=0.1)  # without what moves, 0.13 s and half way 0.24 s


def test_a_mirrored_inset_is_timed_as_well() -> None:
    background = synth.pictures(CLIP_S, 61, fps=4, width=640, height=360)
    for picture, inset in zip(background, FILMS[1].shown(9.3 + 1.04 * FOUR_A_SECOND), strict=True):
        picture[120:300, 40:360] = inset[:, ::-1]
    query = video.query_print(FOUR_A_SECOND, list(background), CLIP_S)
    (found,) = find(query, [REFERENCES[1]])
    assert found.mirrored
    assert found.speed == pytest.approx(1.04, rel=WITHIN_SPEED)
    assert_times(found, 9.3, 1.04)


@cache
def planted(number: int, speed: float) -> Look:
    return looks(copy(FILMS[number], 11.3, speed, FOUR_A_SECOND))[0]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    number=st.sampled_from(range(len(FILMS))),
    speed=st.sampled_from([0.8, 1.04, 1.25]),
    off_s=st.floats(-0.4, 0.4),
    faster=st.floats(0.95, 1.05),
)
def test_a_line_that_is_a_bit_off_becomes_the_right_one(number: int, speed: float, off_s: float, faster: float) -> None:
    half_s = CLIP_S / 2
    about = Line(11.3 + speed * half_s * (1 - faster) + off_s, speed * faster)  # off by `off_s` in the middle
    exact = retimed(planted(number, speed), REFERENCES[number], 0, about, EACH, AS_IT_IS)
    assert exact.speed == pytest.approx(speed, rel=WITHIN_SPEED)
    assert exact.at(half_s) == pytest.approx(11.3 + speed * half_s, abs=WITHIN_S)


@pytest.mark.parametrize("about", [Line(12.0, 1.0), Line(11.7, 1.04), Line(12.4, 0.9)], ids=str)
@pytest.mark.parametrize("number", range(len(FILMS)))
def test_where_nothing_moves_the_line_stays_as_it_was(number: int, about: Line) -> None:
    def lit(n: int) -> list[Pictures]:
        """Only the light changes, so that each frame is described and none stands."""
        light = 0.7 + 0.3 * (np.arange(n) * 5 % 11) / 11
        return [(FILMS[number].at(5.0) * part).astype(np.uint8) for part in light]

    reference, query = indexed(lit(80)), video.query_print(FOUR_A_SECOND, lit(len(EACH)), CLIP_S)
    assert len(query.landmarks.times_s) == len(EACH)
    assert len(reference.times_s) == 80
    assert retimed(looks(query)[0], reference, 0, about, EACH, AS_IT_IS) == about


def test_what_moves_in_the_copy_alone_tells_no_time() -> None:
    about = Line(11.5, 1.0)
    look = planted(0, 1.0)
    for strange in (REFERENCES[1], indexed([FILMS[0].at(11.3)] * 60)):
        assert retimed(look, strange, 0, about, EACH, AS_IT_IS) == about


def test_few_frames_tell_no_speed() -> None:
    about = Line(11.5, 1.0)
    look = planted(0, 1.0)
    nothing = replace(look, query=video.query_print(np.empty(0), [], 0.0))
    for of, frames in ((look, [4]), (look, []), (nothing, [])):
        assert retimed(of, REFERENCES[0], 0, about, np.array(frames, np.int64), AS_IT_IS) == about
