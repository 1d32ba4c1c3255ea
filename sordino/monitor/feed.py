"""Pure: where in the time of a live feed a segment stands, and in which reference of the work."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sordino.monitor.works import Reference

LIVE_REFERENCE_S = 600.0  # a reference grows so long: what a save costs grows with it
REPEATED_S = 12  # of a reference, by the next one: more than the 10 s that are looked for at once
EARLY_S = 0.5  # so much before the end of a segment its successor's clock may begin: sound and pictures overlap
MISSING_S = 60.0  # so much after it: segments that never came


class BeforeTheFeed(ValueError):  # noqa: N818 - what is said of a segment
    """A segment would begin before the first one that was taken."""


@dataclass(frozen=True, slots=True)
class FeedSegment:
    """
    A segment that was taken from a feed; seconds count in the time of the feed.

    One that could not be decoded has its `error` (`code: message`) and no media, and keeps its place in time.
    """

    stream_id: str
    sequence: int
    path: str
    size: int  # bytes of the file, and ...
    changed_ns: int  # ... when it changed last, as it was taken
    at_s: float  # where it begins
    length_s: float
    clock_s: float | None = None  # what its own timestamps begin with
    reference_id: str | None = None  # of the reference that it was laid into
    sha256: str | None = None  # of its bytes: its name in the home folder's media store
    error: str | None = None

    @property
    def end_s(self) -> float:
        """Where the next one begins, if nothing else is known."""
        return self.at_s + self.length_s


@dataclass(frozen=True, slots=True)
class Feed:
    """A work that is registered while it runs: the folder that is followed, and what was taken from it."""

    work_id: str
    folder: str
    segments: Mapping[int, FeedSegment]  # by sequence

    @property
    def end_s(self) -> float:
        """Where the feed has come to."""
        return max((segment.end_s for segment in self.segments.values()), default=0.0)

    def before(self, sequence: int) -> list[FeedSegment]:
        """Return what was taken and comes before this one in the feed, the nearest first."""
        return [self.segments[k] for k in sorted(self.segments, reverse=True) if k < sequence]

    def with_segment(self, segment: FeedSegment) -> "Feed":
        """Return the feed with one more, or with another in its place."""
        return replace(self, segments={**self.segments, segment.sequence: segment})


def at_s(feed: Feed, sequence: int, declared_s: float | None, clock_s: float | None) -> float:
    """
    Return where in the feed a segment begins.

    As is declared; else by its own clock, where that goes on from the segments before, as in MPEG-TS: encoders pad what
    a segment holds, so lengths add up to more than the time that passed. Else where it was, if it was taken before,
    and otherwise at the end.
    """
    if declared_s is not None:
        return declared_s
    by_clock_s = None if clock_s is None else _by_clock_s(feed.before(sequence), clock_s)
    if by_clock_s is not None:
        return by_clock_s
    return feed.segments[sequence].at_s if sequence in feed.segments else feed.end_s


def _by_clock_s(before: Sequence[FeedSegment], clock_s: float) -> float | None:
    """Return the place that the clock tells, or None where it did not go on from the nearest segment that has one."""
    anchor = next((segment for segment in before if segment.clock_s is not None), None)
    if anchor is None or anchor.clock_s is None:
        return None
    place_s = anchor.at_s + clock_s - anchor.clock_s
    earliest_s = anchor.at_s + max(anchor.length_s - EARLY_S, anchor.length_s / 2)
    latest_s = max(segment.end_s for segment in before) + MISSING_S
    return place_s if earliest_s <= place_s <= latest_s else None


def reference_for(work_id: str, references: Sequence[Reference], folder: str, place_s: float) -> Reference:
    """
    Return the reference that what begins at `place_s` of the feed belongs to: one of those, or the next one.

    The next one begins where the last has grown long, and repeats its end. Its name follows from the work and its
    number, so that what a killed process left of it is written over. Raises BeforeTheFeed.
    """
    covering = [r for r in references if (r.begins_s or 0.0) <= place_s]
    if references and not covering:
        raise BeforeTheFeed(f"would begin at {place_s:g} s, before the feed does")
    begins_s = place_s
    if covering:
        last = covering[-1]
        into_s = place_s - (last.begins_s or 0.0)
        if last is not references[-1] or into_s < LIVE_REFERENCE_S:
            return last
        begins_s = (last.begins_s or 0.0) + int(into_s) - REPEATED_S
    name = hashlib.sha256(f"{work_id} {len(references)}".encode()).hexdigest()[:16]
    return Reference(f"R{name}", work_id, folder, None, 0.0, 0.0, begins_s=begins_s)
