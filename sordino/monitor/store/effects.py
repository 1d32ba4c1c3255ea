"""What an answer changes besides its stream: the live ladder, what may still be done today, cases."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sordino.monitor.brakes import Usage
from sordino.monitor.cases import Case, Subject
from sordino.monitor.ladder import Ladder
from sordino.monitor.store import cases, tables
from sordino.monitor.store.errors import StoreError

_ladders, _spent = tables.ladders, tables.spent


@dataclass(frozen=True, slots=True)
class Effects:
    """
    What is stored in the transaction of an answer that was given at `now`.

    `spends` are the subjects that an automatic measure is counted for, each with its quota for the day.
    """

    now: datetime
    ladder: Ladder | None = None
    spends: Mapping[Subject, int] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()


def apply(connection: sa.Connection, stream_id: str, effects: Effects) -> None:
    """Store the effects; StoreError `stale` where another worker has used a quota up since it was looked at."""
    if effects.ladder is not None:
        values = {c.name: getattr(effects.ladder, c.name) for c in _ladders.columns if c.name != "stream_id"}
        new = _insert(connection, _ladders).values(stream_id=stream_id, **values)
        connection.execute(new.on_conflict_do_update(index_elements=["stream_id"], set_=values))
    for subject, quota in sorted(effects.spends.items()):  # in one order, so that two workers never wait for each other
        _spend(connection, _day(effects.now), subject, quota)
    for case in effects.cases:
        cases.open_(connection, case)


def _spend(connection: sa.Connection, day: date, subject: Subject, quota: int) -> None:
    new = _insert(connection, _spent).values(day=day, kind=subject.kind, name=subject.name, count=1)
    more = new.on_conflict_do_update(
        index_elements=["day", "kind", "name"], set_={"count": _spent.c.count + 1}, where=_spent.c.count < quota
    )
    if connection.execute(more.returning(_spent.c.count)).first() is None:
        raise StoreError("stale", f"the automatic measures a day for {subject.kind} {subject.name} were just used up")


def ladder(connection: sa.Connection, stream_id: str) -> Ladder:
    """Return where a stream stands; one that is not known stands at the bottom."""
    row = connection.execute(_ladders.select().where(_ladders.c.stream_id == stream_id)).mappings().first()
    return Ladder(**{name: value for name, value in row.items() if name != "stream_id"}) if row else Ladder()


def usage(connection: sa.Connection, now: datetime, subjects: Collection[Subject]) -> Usage:
    """Return what was done for these subjects on this UTC day, and which of them are in quarantine."""
    if not subjects:
        return Usage()
    wanted = sa.tuple_(_spent.c.kind, _spent.c.name).in_([(s.kind, s.name) for s in subjects])
    rows = connection.execute(_spent.select().where(_spent.c.day == _day(now), wanted)).mappings()
    counts = {Subject(row["kind"], row["name"]): row["count"] for row in rows}
    references = [subject.name for subject in subjects if subject.kind == "reference"]
    return Usage(counts, cases.quarantined(connection, references))


def release(connection: sa.Connection, reference_id: str, now: datetime) -> Case:
    """Close a reference's quarantine and let its quota of the day begin anew; StoreError `not_found`."""
    subject = Subject("reference", reference_id)
    case = cases.close(connection, "quarantine", subject, now)
    this = (_spent.c.day == _day(now)) & (_spent.c.kind == subject.kind) & (_spent.c.name == subject.name)
    connection.execute(_spent.delete().where(this))
    return case


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    """Return an insertion that can say what to do about a row that is there; both databases say it alike."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
