"""Where in a feed a segment stands, and in which reference: pure."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.monitor import feed as feeds
from sordino.monitor.feed import BeforeTheFeed, Feed, FeedSegment, at_s, reference_for
from sordino.monitor.works import Reference


def segment(sequence: int, at: float, length_s: float = 10.0, clock_s: float | None = None) -> FeedSegment:
    return FeedSegment("live", sequence, f"live_{sequence}.ts", 1000, 1, at, length_s, clock_s)


def of(*segments: FeedSegment) -> Feed:
    return Feed("W", "/feed", {one.sequence: one for one in segments})


TS = of(segment(0, 0.0, 10.04, 1.4), segment(1, 10.0, 10.05, 11.4))
FILES = of(segment(0, 0.0, 10.04, 0.0), segment(1, 10.04, 10.05, 0.0))
HOLE = of(*TS.segments.values(), replace(segment(2, 20.05), error="damaged: x"))
DECLARED = of(segment(7, 3600.0, 10.0, 1.4))


@pytest.mark.parametrize(
    ("feed", "sequence", "declared_s", "clock_s", "expected_s"),
    [
        pytest.param(of(), 0, None, 1.4, 0.0, id="the first one is the beginning, whatever its clock"),
        pytest.param(of(), 5, 77.0, 1.4, 77.0, id="unless it says where it begins"),
        pytest.param(TS, 2, None, 21.4, 20.0, id="a clock that goes on tells the place"),
        pytest.param(TS, 2, 20.5, 21.4, 20.5, id="what is declared goes before the clock"),
        pytest.param(TS, 3, None, 31.4, 30.0, id="over one that never came, too"),
        pytest.param(TS, 2, None, 1.4, 20.05, id="a clock that began anew tells nothing"),
        pytest.param(TS, 2, None, 95_000.0, 20.05, id="nor one that jumped"),
        pytest.param(FILES, 2, None, 0.0, 20.09, id="nor one that begins at 0 in every file"),
        pytest.param(TS, 2, None, None, 20.05, id="without a clock it is the end"),
        pytest.param(HOLE, 3, None, 31.4, 30.0, id="one that could not be decoded keeps its place by the clock"),
        pytest.param(HOLE, 3, None, 0.0, 30.05, id="and without by the length that it would have had"),
        pytest.param(HOLE, 2, None, 21.4, 20.0, id="if it can be decoded after all, it goes there"),
        pytest.param(HOLE, 2, None, 0.0, 20.05, id="also without a clock"),
        pytest.param(of(segment(0, 0, 10, 1.4), segment(2, 20, 10, 21.4)), 1, None, 11.4, 10.0, id="one that is late"),
        pytest.param(of(segment(0, 0, 10, 0.0), segment(2, 10, 10, 0.0)), 1, None, 0.0, 20.0, id="late, no clock"),
        pytest.param(DECLARED, 8, None, 11.4, 3610.0, id="a feed need not begin at 0"),
    ],
)
def test_where_a_segment_begins(
    feed: Feed, sequence: int, declared_s: float | None, clock_s: float | None, expected_s: float
) -> None:
    assert at_s(feed, sequence, declared_s, clock_s) == pytest.approx(expected_s)


@given(st.lists(st.floats(1, 20), min_size=1, max_size=30), st.floats(0, 1e5))
def test_clocks_do_not_drift_however_much_encoders_pad(lengths_s: list[float], began_s: float) -> None:
    feed, clock_s = of(), began_s
    for sequence, length_s in enumerate(lengths_s):
        place_s = at_s(feed, sequence, None, clock_s)
        assert place_s == pytest.approx(clock_s - began_s, abs=1e-6)
        feed = feed.with_segment(segment(sequence, place_s, length_s + 0.06, clock_s))
        clock_s += length_s


def test_a_reference_ends_when_it_is_long_and_the_next_repeats_its_end() -> None:
    references: list[Reference] = []
    for k in range(200):
        reference = reference_for("W", references, "/feed", 10.006 * k)
        if reference not in references:
            references.append(reference)
    assert len({r.reference_id for r in references}) == 4
    for one, other in pairwise(references):
        step_s = (other.begins_s or 0.0) - (one.begins_s or 0.0)
        assert step_s == int(step_s)  # whole seconds: its landmarks lie as they did
        assert feeds.LIVE_REFERENCE_S - 12 <= step_s < feeds.LIVE_REFERENCE_S - 12 + 11
    for r in references:
        assert (r.work_id, r.path, r.sha256) == ("W", "/feed", None)
    assert reference_for("W", references, "/feed", 5.0) == references[0]  # a late one goes where its time is
    assert reference_for("W", references, "/feed", 1180.0) == references[2]


def test_names_of_references_follow_from_the_work_so_that_a_kill_leaves_none_over() -> None:
    first = reference_for("W", [], "/feed", 0.0)
    assert reference_for("W", [], "/elsewhere", 3.0).reference_id == first.reference_id
    assert reference_for("V", [], "/feed", 0.0).reference_id != first.reference_id
    assert reference_for("W", [first], "/feed", feeds.LIVE_REFERENCE_S + 1).reference_id != first.reference_id


def test_nothing_begins_before_the_feed() -> None:
    first = reference_for("W", [], "/feed", 100.0)
    with pytest.raises(BeforeTheFeed, match="99 s"):
        reference_for("W", [first], "/feed", 99.0)
