"""Pure: how much of a work a stream has used so far, on which tracks, and how much of both that is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sordino.fingerprints.model import Span, Track, union
from sordino.monitor.timeline import Episode
from sordino.monitor.weighing import meet, minus, total_s
from sordino.monitor.works import Excluded, Work

_TRACKS: tuple[Track, ...] = ("audio", "video")
WHOLLY = 0.95  # of a track: so much of one work is nothing but that work; ends and loud words aren't matched


@dataclass(frozen=True, slots=True)
class Use:
    """
    A work's use in a stream: `matched_s` by track, and shares of the stream's length and of the work's, if known.

    `combined`: is there anything else beside the work, on the same track or the other.
    """

    matched_s: Mapping[Track, float]
    together_s: float  # in which either is matched
    of_copy: float
    of_reference: float | None
    combined: bool


def counted(episode: Episode, work: Work | None) -> tuple[Span, ...]:
    """Return an episode's stretches of the stream, less those where an excluded stretch of its reference plays."""
    return minus([episode.query], [_in_query(one, episode) for one in _excluded(episode, work)])


def left_out(episode: Episode, work: Work | None) -> list[Excluded]:
    """Return the excluded stretches of the reference that an episode has."""
    return [one for one in _excluded(episode, work) if _in_query(one, episode).duration_s > 0]


def measured(episodes: Iterable[Episode], work: Work, stream_s: float, tracks: Iterable[Track]) -> Use:
    """Measure a work's use over all of its episodes in a stream, which has lasted for `stream_s` so far."""
    mine = sorted(episodes, key=lambda e: (e.query, e.reference_id, e.track, e.reference))
    spans = {track: union(s for e in mine if e.track == track for s in counted(e, work)) for track in _TRACKS}
    together_s = total_s(union(span for each in spans.values() for span in each))
    whole = [e.track for e in mine if e.region is None and total_s(spans[e.track]) >= WHOLLY * stream_s]
    return Use(
        matched_s={track: total_s(each) for track, each in spans.items()},
        together_s=together_s,
        of_copy=min(together_s / stream_s, 1.0) if stream_s else 1.0,
        of_reference=_share(mine, work),
        combined=not set(tracks) <= set(whole),
    )


def _excluded(episode: Episode, work: Work | None) -> Sequence[Excluded]:
    references = work.references if work else ()
    return [one for r in references if r.reference_id == episode.reference_id for one in r.excluded]


def _in_query(excluded: Excluded, episode: Episode) -> Span:
    """Return the stretch of the stream in which an excluded one of the reference plays; empty where it doesn't."""
    reference, query = episode.reference, episode.query
    start_s, end_s = (min(max(at, reference.start_s), reference.end_s) for at in (excluded.start_s, excluded.end_s))
    if reference.duration_s == 0:
        return Span(query.start_s, query.start_s)
    rate = query.duration_s / reference.duration_s
    first_s, last_s = (query.start_s + (at - reference.start_s) * rate for at in (start_s, end_s))
    return Span(first_s, max(first_s, last_s))


def _share(episodes: Sequence[Episode], work: Work) -> float | None:
    """
    Return how much of the work is used, of its sound or its pictures, whichever is more.

    A work may have several references: renderings, each of which is all of it, or the parts of a live feed, which are
    together as much of it as there is yet.
    """
    shares = []
    for track in _TRACKS:
        lengths = {r.reference_id: r.audio_s if track == "audio" else r.video_s for r in work.references}
        used = {name: _used_s(episodes, name, track, length_s) for name, length_s in lengths.items() if length_s}
        parts = [r.reference_id for r in work.references if r.begins_s is not None and r.reference_id in used]
        shares += [used[name] / lengths[name] for name in used if name not in parts]
        if parts:
            shares.append(sum(used[name] for name in parts) / sum(lengths[name] for name in parts))
    return max(shares, default=None)


def _used_s(episodes: Iterable[Episode], reference_id: str, track: Track, length_s: float) -> float:
    mine = [e.reference for e in episodes if (e.reference_id, e.track) == (reference_id, track)]
    return total_s(meet(mine, [Span(0.0, length_s)]))
