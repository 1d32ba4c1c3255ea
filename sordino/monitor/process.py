"""The route of one segment: analyse, look up, recommend, store."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sordino.fingerprints.model import Match, Span
from sordino.monitor import timeline
from sordino.monitor.deciding import decide
from sordino.monitor.home import Home
from sordino.monitor.layers import Trial
from sordino.monitor.store.errors import StoreError
from sordino.monitor.timeline import Episode
from sordino.monitor.trying import trials
from sordino.pipelines.analyse import Report, analyse
from sordino.pipelines.consume import Answer, Reason
from sordino.pipelines.failures import Busy, Poison
from sordino.pipelines.media import MediaError
from sordino.pipelines.messages import Recommendation, Segment

TRACKED_S = 15.0  # a work that played so recently is expected to play on
STALE_RETRIES = 5
PADDING_S = 0.2  # a frame of AAC at 8 kHz is 0.13 s
NOTHING = Report((), 0.0, 0.0, ())


def process(segment: Segment, media: AbstractContextManager[Path], home: Home) -> Answer:
    """
    Answer a segment and store the answer; a segment that has one gets the same again.

    Media that can't be fetched for good or decoded is answered by a review, with the reason. Raises Busy where
    the store or the storage is away, so that the segment can wait.
    """
    try:
        answered = home.store.segment_answer(segment.stream_id, segment.sequence)
        if answered is not None:  # perhaps not published yet, and neither the dead letter that goes with it
            code, _, message = (home.store.segment_error(segment.stream_id, segment.sequence) or "").partition(": ")
            return Answer(answered, (code, message) if code else None)
        expected = _expected(home.store.episodes(segment.stream_id), segment)
        seen, reason = _analysed(segment, media, home, expected)
        return Answer(_decided(seen, reason, home), reason)
    except StoreError as error:
        if error.transient:
            raise Busy(error.code, str(error)) from error
        raise


@dataclass(frozen=True, slots=True)
class _Seen:
    """A segment, as long as its media is, with what was found in it and what could be taken out."""

    segment: Segment
    report: Report
    trials: tuple[Trial, ...] = ()


def _analysed(
    segment: Segment, media: AbstractContextManager[Path], home: Home, expected: Sequence[Match]
) -> tuple[_Seen, Reason | None]:
    if segment.media is None:  # the stream's end, and nothing else
        return _Seen(segment, NOTHING), None
    try:
        with media as path:
            seen = _measured(segment, analyse(path, home.catalogue, expected, home.segment_limits))
            episodes = _with(seen, home)
            return replace(seen, trials=trials(path, seen.segment, seen.report, episodes, home)), None
    except MediaError as error:
        return _Seen(segment, NOTHING), (error.code, str(error))
    except Poison as error:
        return _Seen(segment, NOTHING), (error.code, str(error))


def _measured(segment: Segment, report: Report) -> _Seen:
    report = _fitted(report, segment.duration_s)
    if abs(report.duration_s - segment.duration_s) > PADDING_S and report.duration_s:
        segment = segment.model_copy(update={"duration_s": report.duration_s})
    return _Seen(segment, report)


def _with(seen: _Seen, home: Home) -> list[Episode]:
    """Return the stream's episodes as they are now, with what was found in the segment."""
    return timeline.extend(home.store.episodes(seen.segment.stream_id), seen.segment, seen.report.matches)


def _decided(seen: _Seen, reason: Reason | None, home: Home) -> Recommendation:
    segment = seen.segment
    for _ in range(STALE_RETRIES):
        stream = home.store.stream(segment.stream_id)
        episodes = _with(seen, home)
        decision = decide(segment, seen.report, reason, episodes, home, datetime.now(UTC), seen.trials)
        answer, error = decision.answer, reason and ": ".join(reason)
        try:
            stands = home.store.save(
                segment, answer.because, episodes, answer, error, stream.revision, decision.effects
            )
        except StoreError as refused:
            if refused.code != "stale":
                raise
            continue
        if stands is answer:
            decision.count()
        return stands
    raise Busy("stale", f"stream {segment.stream_id} is being written to by others all the time")


def _fitted(report: Report, declared_s: float) -> Report:
    """
    Take a segment's length as declared where it is a codec's frame more or less: encoders pad, and cut, the sound.

    So consecutive segments of a stream neither overlap nor leave gaps. Other lengths are what the media says.
    """
    if abs(report.duration_s - declared_s) > PADDING_S:
        return report
    end_s = min(report.duration_s, declared_s) - 0.01
    matches = (_ending(m, declared_s) if m.query.end_s >= end_s else m for m in report.matches)
    return replace(
        report,
        matches=tuple(m for m in matches if m.query.duration_s > 0),
        audio_s=min(report.audio_s, declared_s),
        video_s=min(report.video_s, declared_s),
    )


def _ending(match: Match, end_s: float) -> Match:
    """Move a match's end, in the query and as much in the reference."""
    query = Span(match.query.start_s, max(match.query.start_s, end_s))
    reference_end_s = match.reference.end_s + (end_s - match.query.end_s) * match.speed
    return replace(
        match, query=query, reference=Span(match.reference.start_s, max(match.reference.start_s, reference_end_s))
    )


def _expected(episodes: Sequence[Episode], segment: Segment) -> list[Match]:
    """Return what was playing just before the segment, in the segment's own time."""
    recent = (e for e in episodes if 0 <= segment.start_s - e.query.end_s <= TRACKED_S)
    return [
        Match(
            e.reference_id,
            e.track,
            e.query.shifted(-segment.start_s),
            e.reference,
            e.speed,
            e.pitch_semitones,
            e.mirrored,
            e.region,
            e.score,
            e.log10_false_positive,
        )
        for e in recent
    ]
