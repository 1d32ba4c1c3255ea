"""What the picture benchmark counts as found, as exact and as wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import unrelated, video_peers, video_table
from benchmarks.pictures import WHOLE
from benchmarks.video_judge import Judge, Outcome, Truth, overlap
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import Match, Region, Span

HALF = Region(0.25, 0.25, 0.5, 0.5)
TRUTH = Truth("film", Span(2.0, 6.0), Span(30.0, 35.0), 1.25, True, HALF, WHOLE)
RIGHT = Match("film", "video", TRUTH.query, TRUTH.reference, 1.25, 0.0, True, HALF, 40.0, -8.0)
JUDGE = Judge({"trailer": "film"})


def judged(*matches: Match, truth: Truth = TRUTH) -> Outcome:
    return JUDGE.outcome("row", 0, truth, {"share": 0.5}, matches, 3.0, dict.fromkeys(video_peers.NAMES, True))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param({}, True, id="as planted"),
        pytest.param({"reference_id": "other"}, False, id="another work"),
        pytest.param({"reference_id": "trailer"}, False, id="the same work's other reference"),
        pytest.param({"mirrored": False}, False, id="the wrong way round"),
        pytest.param({"query": Span(3.9, 9.0)}, True, id="more than half of it"),
        pytest.param({"query": Span(4.1, 9.0)}, False, id="less than half of it"),
        pytest.param({"track": "audio"}, False, id="the sound"),
    ],
)
def test_found(change: dict[str, object], found: bool) -> None:
    assert judged(replace(RIGHT, **change)).found == found  # type: ignore[arg-type]


def test_nothing_is_exact_where_nothing_was_found() -> None:
    outcome = judged()
    assert (outcome.found, outcome.ends, outcome.reference_ends, outcome.speed, outcome.iou) == (False,) * 4 + (0.0,)


def test_exactness_is_that_of_the_surest_match_that_is_right() -> None:
    exact = judged(replace(RIGHT, query=Span(2.0, 5.0), speed=1.27, log10_false_positive=-9.0), RIGHT)
    assert (exact.ends, exact.reference_ends, exact.speed, exact.iou, exact.uncut_iou) == (True, True, True, 1.0, 0.25)
    bad = judged(
        replace(
            RIGHT, query=Span(2.0, 7.1), reference=Span(28.9, 35.0), speed=1.28, region=WHOLE, log10_false_positive=-9
        ),
        RIGHT,
    )
    assert (bad.ends, bad.reference_ends, bad.speed, bad.iou, bad.uncut_iou) == (False, False, False, 0.25, 1.0)
    assert judged(replace(RIGHT, region=None)).iou == 0


def test_matches_of_other_works_are_wrong_and_those_of_the_same_shots_are_not() -> None:
    other = replace(RIGHT, reference_id="other", log10_false_positive=-5.0)
    trailer = replace(RIGHT, reference_id="trailer")
    sound = replace(other, track="audio")
    assert judged(RIGHT, other, trailer, sound).wrong == (("other", -5.0),)
    assert judged(trailer, truth=replace(TRUTH, video="trailer")).found


def test_in_a_negative_only_its_own_video_may_be_found() -> None:
    def segment(video: str) -> unrelated.Segment:
        found = [RIGHT, replace(RIGHT, reference_id="trailer"), replace(RIGHT, reference_id="other")]
        return unrelated.Segment(
            "kind", "name", video, "film", lambda c: found, lambda s: np.zeros((2, 2, 3), np.uint8)
        )

    catalogue = Catalogue.__new__(Catalogue)
    told = [m.match.reference_id for m in unrelated.mistakes([segment("film")], catalogue, JUDGE)]
    assert told == ["other"]
    nobody = list(unrelated.mistakes([segment(unrelated.NOBODY)], catalogue, JUDGE))
    assert [m.same_footage for m in nobody] == [True, False, False]
    assert "taken for film at 30.0 s, mirrored" in str(nobody[0])


@pytest.mark.parametrize(
    ("one", "other", "iou"),
    [
        (WHOLE, WHOLE, 1.0),
        (WHOLE, HALF, 0.25),
        (Region(0, 0, 0.5, 1), Region(0.25, 0, 0.5, 1), 1 / 3),
        (Region(0, 0, 0.2, 0.2), Region(0.5, 0.5, 0.2, 0.2), 0.0),
        (Region(0, 0, 0, 0), Region(0, 0, 0, 0), 0.0),
    ],
)
def test_intersection_over_union(one: Region, other: Region, iou: float) -> None:
    assert overlap(one, other) == pytest.approx(iou)
    assert overlap(other, one) == pytest.approx(iou)


def test_a_line_shows_misses_and_is_bold_below_its_target() -> None:
    outcomes = [judged(RIGHT), judged(replace(RIGHT, region=WHOLE)), judged(), judged(replace(RIGHT, reference_id="x"))]
    cells = video_table.line("row", outcomes, 0.85).strip("| ").split(" | ")
    told = dict(zip(video_table.COLUMNS, cells, strict=True))
    assert (told["n"], told["found"], told["query ends"], told["wrong"]) == ("4", "**0.500**", "1.000", "1")
    assert (told["region IoU"], told["IoU >= 0.8"], told["uncut"], told["MPEG-7"]) == (
        "0.625",
        "0.500",
        "0.500",
        "1.000",
    )
    assert video_table.total(outcomes)[-1].startswith("All changes: 2 of 4")
    assert len(list(video_table.missed(outcomes))) == 3


def test_an_outcome_is_a_line_of_json() -> None:
    told = json.loads(judged(RIGHT).as_json())
    assert (told["found"], told["iou"], told["truth"]["region"]["w"]) == (True, 1.0, 0.5)


def test_rows_are_chosen_by_pieces_of_their_names() -> None:
    assert [row.name for row in video_table.chosen("mirror, crop 65 %")] == ["crop 65 % off-centre", "mirror"]
    assert len(video_table.chosen("")) == 20
