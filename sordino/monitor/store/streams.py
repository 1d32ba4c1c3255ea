"""Segments and what was answered to them: rows to values and back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.dialects import postgresql, sqlite

from sordino.fingerprints.model import Region, Span
from sordino.monitor.store import tables
from sordino.monitor.store.database import insert_all
from sordino.monitor.store.errors import StoreError
from sordino.monitor.timeline import Episode
from sordino.pipelines.messages import Match, PictureRegion, Recommendation, Segment, TimeSpan

_streams, _segments, _matches = tables.streams, tables.segments, tables.matches
_episodes, _recommendations = tables.episodes, tables.recommendations

_COMMON = ("reference_id", "track", "speed", "pitch_semitones", "mirrored", "score", "log10_false_positive")


@dataclass(frozen=True, slots=True)
class Stream:
    """How far a stream has come: `revision` counts its answers, `end_s` is the latest end of its segments."""

    stream_id: str
    revision: int = 0
    end_s: float = 0.0
    ended: bool = False


def stream(connection: sa.Connection, stream_id: str, *, lock: bool = False) -> Stream:
    """Return the stream's state, and hold back its other writers till the transaction ends where `lock`."""
    if lock:
        new = postgresql.insert(_streams) if connection.dialect.name == "postgresql" else sqlite.insert(_streams)
        beginning = new.values(stream_id=stream_id, revision=0, end_s=0.0, ended=False)
        connection.execute(beginning.on_conflict_do_nothing())
    query = _streams.select().where(_streams.c.stream_id == stream_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    return Stream(**row) if row else Stream(stream_id)


def save(
    connection: sa.Connection,
    segment: Segment,
    matches: Iterable[Match],
    episodes: Iterable[Episode],
    recommendation: Recommendation,
    error: str | None,
    revision: int | None,
) -> Recommendation:
    """Write a segment's answer unless there is one; return the one that stands."""
    before = stream(connection, segment.stream_id, lock=True)
    answered = answer(connection, segment.stream_id, segment.sequence)
    if answered is not None:
        return answered
    if revision not in (None, before.revision):
        raise StoreError("stale", f"stream {segment.stream_id} was written to by another worker")
    this = {"stream_id": segment.stream_id, "sequence": segment.sequence}
    connection.execute(_segments.insert(), this | _segment_row(segment, error))
    insert_all(connection, _matches, [this | _match_row(n, match) for n, match in enumerate(matches)])
    connection.execute(_episodes.delete().where(_episodes.c.stream_id == segment.stream_id))
    insert_all(connection, _episodes, [_episode_row(n, episode) for n, episode in enumerate(episodes)])
    now = before.revision + 1
    connection.execute(_recommendations.insert(), this | _recommendation_row(recommendation, now))
    connection.execute(
        _streams.update()
        .where(_streams.c.stream_id == segment.stream_id)
        .values(
            revision=now,
            end_s=max(before.end_s, segment.start_s + segment.duration_s),
            ended=before.ended or segment.ended,
        )
    )
    return recommendation


def answer(connection: sa.Connection, stream_id: str, sequence: int) -> Recommendation | None:
    """Return what was answered to a segment."""
    this = (_recommendations.c.stream_id == stream_id) & (_recommendations.c.sequence == sequence)
    found = _read_recommendations(connection, _recommendations.select().where(this))
    return found[0] if found else None


def error_of(connection: sa.Connection, stream_id: str, sequence: int) -> str | None:
    """Return why a segment's media could not be read, if it could not."""
    this = (_segments.c.stream_id == stream_id) & (_segments.c.sequence == sequence)
    error: str | None = connection.execute(sa.select(_segments.c.error).where(this)).scalar()
    return error


def latest(connection: sa.Connection, stream_id: str) -> Recommendation | None:
    """Return the stream's last answer: the last given, which is not always that to the last sequence."""
    query = _recommendations.select().where(_recommendations.c.stream_id == stream_id)
    found = _read_recommendations(connection, query.order_by(_recommendations.c.revision.desc()).limit(1))
    return found[0] if found else None


def newest(connection: sa.Connection, stream_id: str | None, limit: int) -> list[Recommendation]:
    """Return at most `limit` recommendations, the newest first."""
    query = _recommendations.select().order_by(_recommendations.c.saved.desc(), _recommendations.c.revision.desc())
    if stream_id is not None:
        query = query.where(_recommendations.c.stream_id == stream_id)
    return _read_recommendations(connection, query.limit(limit))


def segment_end_s(connection: sa.Connection, stream_id: str, sequence: int) -> float | None:
    """Return the stream time at which a segment ended."""
    query = sa.select(_segments.c.start_s + _segments.c.duration_s)
    return connection.scalar(query.where(_segments.c.stream_id == stream_id, _segments.c.sequence == sequence))


def matches(connection: sa.Connection, stream_id: str, sequence: int) -> list[Match]:
    """Return what was found in a segment."""
    this = (_matches.c.stream_id == stream_id) & (_matches.c.sequence == sequence)
    rows = connection.execute(_matches.select().where(this).order_by(_matches.c.position)).mappings()
    return [_match(row) for row in rows]


def episodes(connection: sa.Connection, stream_id: str) -> list[Episode]:
    """Return the stream's episodes, as they were saved last."""
    query = _episodes.select().where(_episodes.c.stream_id == stream_id).order_by(_episodes.c.position)
    return [_episode(row) for row in connection.execute(query).mappings()]


def _read_recommendations(connection: sa.Connection, query: sa.Select[Any]) -> list[Recommendation]:
    return [_recommendation(row) for row in connection.execute(query).mappings()]


def _recommendation(row: sa.RowMapping) -> Recommendation:
    try:
        return Recommendation.model_validate(row["message"])
    except (
        ValidationError
    ) as error:  # in a rolling upgrade, a newer worker's answer: half of it would be another answer
        what = f"the answer to segment {row['sequence']} of stream {row['stream_id']}"
        raise StoreError("other_version", f"{what} was written by another version of this program") from error


def _segment_row(segment: Segment, error: str | None) -> dict[str, Any]:
    return {
        "start_s": segment.start_s,
        "duration_s": segment.duration_s,
        "account": segment.account,
        "error": error,
        "message": segment.model_dump(mode="json", exclude={"media": {"inline"}}),
    }


def _recommendation_row(recommendation: Recommendation, revision: int) -> dict[str, Any]:
    return {
        "recommendation_id": recommendation.recommendation_id,
        "revision": revision,
        "saved": datetime.now(UTC),
        "automatic": recommendation.automatic,
        "deadline": recommendation.deadline,
        "policy_version": recommendation.policy_version,
        "message": recommendation.model_dump(mode="json"),
    }


def _alignment_row(found: Match | Episode) -> dict[str, Any]:
    region = found.region
    return {name: getattr(found, name) for name in _COMMON} | {
        "query_start_s": found.query.start_s,
        "query_end_s": found.query.end_s,
        "reference_start_s": found.reference.start_s,
        "reference_end_s": found.reference.end_s,
        "region": region and {"x": region.x, "y": region.y, "w": region.w, "h": region.h},
    }


def _match_row(position: int, match: Match) -> dict[str, Any]:
    return {"position": position, "work_id": match.work_id, "title": match.title, **_alignment_row(match)}


def _episode_row(position: int, episode: Episode) -> dict[str, Any]:
    this = {"stream_id": episode.stream_id, "position": position, "last_sequence": episode.last_sequence}
    return this | _alignment_row(episode)


def _match(row: sa.RowMapping) -> Match:
    return Match(
        **{name: row[name] for name in (*_COMMON, "work_id", "title")},
        query=TimeSpan(start_s=row["query_start_s"], end_s=row["query_end_s"]),
        reference=TimeSpan(start_s=row["reference_start_s"], end_s=row["reference_end_s"]),
        region=row["region"] and PictureRegion(**row["region"]),
    )


def _episode(row: sa.RowMapping) -> Episode:
    return Episode(
        **{name: row[name] for name in (*_COMMON, "stream_id", "last_sequence")},
        query=Span(row["query_start_s"], row["query_end_s"]),
        reference=Span(row["reference_start_s"], row["reference_end_s"]),
        region=row["region"] and Region(**row["region"]),
    )
