"""Pure: the matches of a stream's segments, in whatever order they come, merged into episodes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sordino.fingerprints.model import Match, Region, Span, Track
from sordino.pipelines.messages import Segment

MAX_GAP_S = 5.0  # query seconds without a match that an episode may bridge: a loud word, a cut to another camera
MAX_JUMP_S = 1.0  # reference seconds by which two alignments may differ and still be one; spans are right to within 1 s
MAX_DRIFT = 0.02  # and so much more for every second to the nearest place where the alignment is known


@dataclass(frozen=True, slots=True)
class Episode:
    """
    Consecutive matches of one reference on one stream, merged; `query` is in the stream's time.

    `speed` and `pitch_semitones` are those of the strongest match, `region` encloses the regions of all (None: the
    whole picture), `last_sequence` is the newest segment that added to it.
    """

    stream_id: str
    reference_id: str
    track: Track
    query: Span
    reference: Span
    speed: float
    pitch_semitones: float
    mirrored: bool
    region: Region | None
    score: float
    log10_false_positive: float
    last_sequence: int

    def reference_at(self, query_s: float) -> float:
        """Return the reference time that plays at a stream time; beyond the ends, at the episode's speed."""
        if query_s <= self.query.start_s or self.query.duration_s == 0:
            return self.reference.start_s + (query_s - self.query.start_s) * self.speed
        if query_s >= self.query.end_s:
            return self.reference.end_s + (query_s - self.query.end_s) * self.speed
        share = (query_s - self.query.start_s) / self.query.duration_s
        return self.reference.start_s + share * self.reference.duration_s


def extend(episodes: Iterable[Episode], segment: Segment, matches: Sequence[Match]) -> list[Episode]:
    """
    Return the stream's episodes with a segment's matches added; `matches` count from the segment's start.

    A match joins every episode that it continues, so segments may come twice and in any order: the result is the same
    as long as alignments of one playing differ by clearly less than `MAX_JUMP_S` and those of two by clearly more.
    Where the reference starts again or jumps, another episode begins. Sorted by stream time.
    """
    merged = list(episodes)
    for match in matches:
        new = _episode(segment, match)
        joined = [old for old in merged if continues(old, new)]
        merged = [old for old in merged if old not in joined]
        for old in joined:
            new = _joined(old, new)
        merged.append(new)
    return sorted(merged, key=lambda e: (e.query, e.reference_id, e.track, e.reference))


def continues(one: Episode, other: Episode) -> bool:
    """Tell whether two episodes are one playing of one reference: near in time, and on one alignment."""
    if (one.stream_id, one.reference_id, one.track, one.mirrored) != (
        other.stream_id,
        other.reference_id,
        other.track,
        other.mirrored,
    ):
        return False
    first_s = max(one.query.start_s, other.query.start_s)  # of what both have; where they don't meet, the gap's end
    last_s = min(one.query.end_s, other.query.end_s)
    if first_s - last_s > MAX_GAP_S:
        return False
    middle_s = (first_s + last_s) / 2
    allowed_s = MAX_JUMP_S + MAX_DRIFT * max(_distance_s(one.query, middle_s), _distance_s(other.query, middle_s))
    return abs(one.reference_at(middle_s) - other.reference_at(middle_s)) <= allowed_s


def _distance_s(span: Span, at_s: float) -> float:
    return min(abs(at_s - span.start_s), abs(at_s - span.end_s))


def _episode(segment: Segment, match: Match) -> Episode:
    return Episode(
        stream_id=segment.stream_id,
        reference_id=match.reference_id,
        track=match.track,
        query=match.query.shifted(segment.start_s),
        reference=match.reference,
        speed=match.speed,
        pitch_semitones=match.pitch_semitones,
        mirrored=match.mirrored,
        region=None if match.region is None else _rounded(match.region),
        score=match.score,
        log10_false_positive=match.log10_false_positive,
        last_sequence=segment.sequence,
    )


def _joined(one: Episode, other: Episode) -> Episode:
    """Merge two episodes; which comes first makes no difference to the result."""
    first = min(one, other, key=lambda e: (e.query.start_s, e.reference.start_s))
    last = max(one, other, key=lambda e: (e.query.end_s, e.reference.end_s))
    strongest = min(one, other, key=_strength)
    # The strongest match's false-positive probability is kept. Multiplying them would take the segments for
    # independent, which a long tonal passage that resembles the reference is not: the product isn't calibrated.
    return replace(
        strongest,
        query=Span(first.query.start_s, last.query.end_s),
        reference=Span(first.reference.start_s, max(first.reference.start_s, last.reference.end_s)),
        region=_enclosing(one.region, other.region),
        score=max(one.score, other.score),
        last_sequence=max(one.last_sequence, other.last_sequence),
    )


def _strength(episode: Episode) -> tuple[float, ...]:
    """Order by evidence; the rest only breaks ties, so that order of arrival never does."""
    return (episode.log10_false_positive, -episode.score, episode.speed, episode.pitch_semitones)


def _enclosing(one: Region | None, other: Region | None) -> Region | None:
    if one is None or other is None:
        return None
    left, top = min(one.x, other.x), min(one.y, other.y)
    right, bottom = max(one.x + one.w, other.x + other.w), max(one.y + one.h, other.y + other.h)
    return _rounded(Region(left, top, right - left, bottom - top))


def _rounded(region: Region) -> Region:
    """Round to a millionth, so that sums of fractions don't depend on the order in which they were made."""
    return Region(round(region.x, 6), round(region.y, 6), round(region.w, 6), round(region.h, 6))
