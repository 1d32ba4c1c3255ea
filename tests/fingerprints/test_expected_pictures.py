"""Evidence over segments: a copy too weak to be told alone is told where the stream's last segment had the work."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sordino.fingerprints import align_video, index_video, video
from sordino.fingerprints.align_video import CONTINUED, LEAST_LOG10, MAX_LOG10_FALSE_POSITIVE, find
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.chain_video import Line
from sordino.fingerprints.model import Match, Region, Span, VideoQuery
from sordino.fingerprints.search_video import Expected
from tests import synth

Pictures = NDArray[np.uint8]
HEIGHT, WIDTH = 360, 640
INSET = (200, 100, 120, 68)  # x, y, width and height, in pixels
REGION = Region(INSET[0] / WIDTH, INSET[1] / HEIGHT, INSET[2] / WIDTH, INSET[3] / HEIGHT)
AT_S = 20.0  # of the film, where the copies begin


def film(seed: int) -> Pictures:
    """Shoot a minute at 10 frames a second, slowly."""
    return synth.pictures(20, seed, fps=3 * synth.FPS)


FILMS = [film(0), film(1)]
PRINTS = [video.reference_print(np.arange(120) / 2, frames[::5], 60.0) for frames in FILMS]
REFERENCES = [index_video.build(PRINTS)]
BEFORE = Expected(0, 0, False, Line(AT_S, 1.0), REGION)


def inset(seconds: float, noise: float) -> VideoQuery:
    """Show that of the first film in a small part of another picture, noisily; two frames a second."""
    rng = np.random.default_rng(3)
    times_s = np.arange(0, seconds, 0.5)
    shown = synth.pictures(seconds, 80, fps=2, width=WIDTH, height=HEIGHT)
    x, y, width, height = INSET
    for canvas, picture in zip(shown, FILMS[0][np.rint(10 * (AT_S + times_s)).astype(int)], strict=True):
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        noisy = small + rng.normal(0, noise, small.shape)
        canvas[y : y + height, x : x + width] = np.clip(noisy, 0, 255).astype(np.uint8)
    return video.query_print(times_s, list(shown), seconds)


def alone(query: VideoQuery) -> float:
    """Return the chance of the strongest finding, told or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(align_video, "MAX_LOG10_FALSE_POSITIVE", 0.0)
        return min((found.log10_false_positive for found in find(query, REFERENCES)), default=0.0)


@pytest.fixture(scope="module")
def weak() -> VideoQuery:
    """A copy that is not told, but would be if it were one to two decades less likely by chance."""
    for noise in range(0, 60, 4):
        query = inset(1.5, noise)
        if MAX_LOG10_FALSE_POSITIVE < alone(query) <= MAX_LOG10_FALSE_POSITIVE + 0.75 * CONTINUED:
            return query
    raise AssertionError("no quality of the copy is between told and lost")


def test_alone_it_is_not_told(weak: VideoQuery) -> None:
    assert find(weak, REFERENCES) == []


def test_where_the_last_segment_had_it_it_is_told(weak: VideoQuery) -> None:
    (found,) = find(weak, REFERENCES, [BEFORE])
    assert (found.ordinal, found.mirrored) == (0, False)
    assert found.reference.start_s - found.query.start_s == pytest.approx(AT_S, abs=1)
    assert found.query.duration_s >= 1
    assert found.log10_false_positive == pytest.approx(alone(weak) - CONTINUED, abs=0.7)


@pytest.mark.parametrize("off_s", [-0.5, 0.5])
def test_it_may_go_on_half_a_second_off(weak: VideoQuery, off_s: float) -> None:
    assert len(find(weak, REFERENCES, [replace(BEFORE, line=Line(AT_S + off_s, 1.0))])) == 1


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(BEFORE, line=Line(AT_S + 4, 1.0)),
        replace(BEFORE, line=Line(AT_S - 4, 1.0)),
        replace(BEFORE, line=Line(AT_S + 25, 1.0)),
        replace(BEFORE, mirrored=True),
        replace(BEFORE, ordinal=1),
    ],
    ids=["4 s later", "4 s earlier", "25 s later", "mirrored", "another reference"],
)
def test_where_the_last_segment_had_something_else_it_is_not(weak: VideoQuery, elsewhere: Expected) -> None:
    assert find(weak, REFERENCES, [elsewhere]) == []
    assert find(weak, REFERENCES, [elsewhere, BEFORE]) != []


def test_the_same_reference_of_another_index_is_another(weak: VideoQuery) -> None:
    two = [index_video.build(PRINTS[:1]), index_video.build(PRINTS[1:])]
    assert find(weak, two, [replace(BEFORE, number=1)]) == []
    (found,) = find(weak, two, [BEFORE])
    assert (found.number, found.ordinal) == (0, 0)


def test_what_is_told_anyway_is_surer_by_what_is_known_and_by_no_more() -> None:
    query = inset(2.5, 24)
    (found,), (going_on,) = find(query, REFERENCES), find(query, REFERENCES, [BEFORE, BEFORE])
    assert LEAST_LOG10 + CONTINUED < found.log10_false_positive <= MAX_LOG10_FALSE_POSITIVE
    assert going_on.log10_false_positive == pytest.approx(found.log10_false_positive - CONTINUED, abs=0.7)
    assert going_on.score == pytest.approx(found.score, abs=2)  # what is seen is the same


@pytest.mark.parametrize("noise", [0, 12])
def test_no_copy_is_surer_than_what_was_counted_can_tell(noise: float) -> None:
    query = inset(10, noise)
    (found,), (going_on,) = find(query, REFERENCES), find(query, REFERENCES, [BEFORE])
    assert found.log10_false_positive <= LEAST_LOG10 + CONTINUED / 2
    assert going_on.log10_false_positive == LEAST_LOG10


def test_nothing_is_found_because_it_was_expected() -> None:
    strange = synth.pictures(10, 81, fps=2, width=WIDTH, height=HEIGHT)
    query = video.query_print(np.arange(20) / 2, list(strange), 10.0)
    expected = [replace(BEFORE, line=Line(at_s, 1.0), mirrored=m) for at_s in (0.0, 20.0, 45.0) for m in (False, True)]
    assert find(query, REFERENCES, expected) == []


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    opened = Catalogue.open(tmp_path / "catalogue")
    for name, print_ in zip(("film", "other"), PRINTS, strict=True):
        opened.add(name, None, print_)
    opened.save()
    return opened


LAST = Match("film", "video", Span(-10, 0), Span(AT_S - 10, AT_S), 1.0, 0.0, False, REGION, 60.0, -12.0)


def told(catalogue: Catalogue, query: VideoQuery, expected: Sequence[Match]) -> list[str]:
    return [match.reference_id for match in catalogue.find(None, query, expected)]


def test_a_catalogue_takes_the_last_segments_matches(catalogue: Catalogue, weak: VideoQuery) -> None:
    assert told(catalogue, weak, []) == []
    assert told(catalogue, weak, [LAST]) == ["film"]


def test_a_match_that_ended_some_seconds_before_goes_on_after_as_many(catalogue: Catalogue, weak: VideoQuery) -> None:
    ended = replace(LAST, query=Span(-10, -5), reference=Span(AT_S - 10, AT_S - 5))
    assert told(catalogue, weak, [ended]) == ["film"]
    faster = replace(LAST, query=Span(-10, -5), reference=Span(AT_S - 20, AT_S - 10), speed=2.0)
    assert told(catalogue, weak, [faster]) == ["film"]


@pytest.mark.parametrize(
    "other",
    [
        replace(LAST, reference=Span(AT_S - 16, AT_S - 6)),
        replace(LAST, query=Span(-16, -6)),
        replace(LAST, mirrored=True),
        replace(LAST, reference_id="other"),
        replace(LAST, reference_id="withdrawn"),
        replace(LAST, track="audio", region=None),
    ],
    ids=["earlier", "long ago", "mirrored", "another work", "a work that is gone", "its sound alone"],
)
def test_a_catalogue_is_no_surer_by_other_matches(catalogue: Catalogue, weak: VideoQuery, other: Match) -> None:
    assert told(catalogue, weak, [other]) == []


def test_of_a_replaced_reference_the_new_one_is_expected(catalogue: Catalogue, weak: VideoQuery) -> None:
    catalogue.remove("film")
    catalogue.add("film", None, PRINTS[0], hot=True)  # in another part now, and in the old one as removed
    catalogue.save()
    assert told(catalogue, weak, []) == []
    assert told(catalogue, weak, [LAST]) == ["film"]
