"""Cases: rows to values and back."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sordino.monitor.cases import Case, CaseKind, Subject
from sordino.monitor.store import tables
from sordino.monitor.store.errors import StoreError

_cases = tables.cases


def open_(connection: sa.Connection, case: Case) -> None:
    """Insert a case, unless one of its kind is open about its subject."""
    values = {
        "case_id": case.case_id,
        "kind": case.kind,
        "subject_kind": case.subject.kind,
        "subject": case.subject.name,
        "work_id": case.work_id,
        "why": case.why,
        "opened": case.opened,
        "closed": case.closed,
    }
    new = postgresql.insert(_cases) if connection.dialect.name == "postgresql" else sqlite.insert(_cases)
    connection.execute(new.values(values).on_conflict_do_nothing())


def listed(connection: sa.Connection, kind: CaseKind | None) -> list[Case]:
    """Return the open cases (of a kind), the oldest first."""
    query = _cases.select().where(_cases.c.closed.is_(None)).order_by(_cases.c.opened, _cases.c.case_id)
    if kind is not None:
        query = query.where(_cases.c.kind == kind)
    return [_case(row) for row in connection.execute(query).mappings()]


def close(connection: sa.Connection, kind: CaseKind, subject: Subject, now: datetime) -> Case:
    """Close the open case of this kind about a subject and return it; StoreError `not_found`."""
    this = (_cases.c.kind == kind) & (_cases.c.subject_kind == subject.kind) & (_cases.c.subject == subject.name)
    closing = _cases.update().where(this, _cases.c.closed.is_(None)).values(closed=now).returning(*_cases.columns)
    row = connection.execute(closing).mappings().first()
    if row is None:
        raise StoreError("not_found", f"there is no open {kind} of {subject.kind} {subject.name}")
    return _case(row)


def quarantined(connection: sa.Connection, reference_ids: Collection[str]) -> frozenset[str]:
    """Return which of these references are in quarantine."""
    this = (_cases.c.kind == "quarantine") & _cases.c.closed.is_(None) & _cases.c.subject.in_(sorted(reference_ids))
    return frozenset(connection.execute(sa.select(_cases.c.subject).where(this)).scalars())


def _case(row: sa.RowMapping) -> Case:
    values = {name: row[name] for name in ("case_id", "kind", "why", "opened", "work_id", "closed")}
    return Case(subject=Subject(row["subject_kind"], row["subject"]), **values)
