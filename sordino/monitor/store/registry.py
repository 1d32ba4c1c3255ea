"""Works, their owners and references, and licences: rows to values and back."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from sordino.monitor.store import tables
from sordino.monitor.store.database import insert_all
from sordino.monitor.store.errors import StoreError
from sordino.monitor.works import Excluded, Facts, Licence, Ownership, Reference, Work

PAGE = 500  # works read at a time

_WORK_COLUMNS = ("work_id", "title", "kind", "isrc", "iswc", "eidr", "policy", "public_domain")

_works, _owners, _references, _licences = tables.works, tables.owners, tables.references, tables.licences
_groups = tables.account_groups


def add_work(connection: sa.Connection, work: Work) -> None:
    """Insert a work with its owners and references."""
    if any(reference.work_id != work.work_id for reference in work.references):
        raise StoreError("invalid_value", f"work {work.work_id}: a reference of it names another work")
    row = {name: getattr(work, name) for name in _WORK_COLUMNS}
    now = datetime.now(UTC)
    withdrawn = now if work.withdrawn else None
    try:
        connection.execute(_works.insert(), {**row, "registered": work.registered or now, "withdrawn": withdrawn})
        insert_all(connection, _owners, [_owner_row(work, n, owner) for n, owner in enumerate(work.owners)])
        insert_all(connection, _references, [_reference_row(n, r) for n, r in enumerate(work.references)])
    except StoreError as error:
        if error.code != "conflict":
            raise
        message = f"work {work.work_id} or one of its references is already registered"
        raise StoreError("conflict", message) from error


def read_works(connection: sa.Connection, query: sa.Select[Any]) -> list[Work]:
    """Return the works that `query` (of the works table) selects, in its order."""
    rows = connection.execute(query).mappings().all()
    ids = [row["work_id"] for row in rows]
    owners = _grouped(connection, _owners, ids)
    references = _grouped(connection, _references, ids)
    return [_work(row, owners.get(row["work_id"], []), references.get(row["work_id"], [])) for row in rows]


def page_of_works(connection: sa.Connection, holder: str | None, after: Work | None) -> list[Work]:
    """Return the next works that are not withdrawn, in order of registration."""
    query = _works.select().where(_works.c.withdrawn.is_(None)).order_by(_works.c.registered, _works.c.work_id)
    if holder is not None:
        query = query.where(_works.c.work_id.in_(sa.select(_owners.c.work_id).where(_owners.c.holder == holder)))
    if after is not None:
        place = sa.tuple_(_works.c.registered, _works.c.work_id)
        last = sa.tuple_(sa.literal(after.registered, tables.Utc()), sa.literal(after.work_id, tables.Words()))
        query = query.where(place > last)
    return read_works(connection, query.limit(PAGE))


def one_work(connection: sa.Connection, work_id: str) -> Work:
    """Return a work, withdrawn or not; StoreError `not_found`."""
    found = read_works(connection, _works.select().where(_works.c.work_id == work_id))
    if not found:
        raise StoreError("not_found", f"there is no work {work_id}")
    return found[0]


def withdraw_work(connection: sa.Connection, work_id: str) -> None:
    """Mark a work withdrawn; StoreError `not_found`."""
    one_work(connection, work_id)
    this = (_works.c.work_id == work_id) & _works.c.withdrawn.is_(None)
    connection.execute(_works.update().where(this).values(withdrawn=datetime.now(UTC)))


def reference_by_sha256(connection: sa.Connection, sha256: str, holder: str) -> Reference | None:
    """Return the oldest reference of these bytes among the holder's works that are not withdrawn."""
    query = (
        _references.select()
        .join(_works, _works.c.work_id == _references.c.work_id)
        .join(_owners, _owners.c.work_id == _works.c.work_id)
        .where(_references.c.sha256 == sha256, _owners.c.holder == holder, _works.c.withdrawn.is_(None))
        .order_by(_works.c.registered, _references.c.reference_id)
    )
    row = connection.execute(query.limit(1)).mappings().first()
    return _reference(row) if row else None


def put_reference(connection: sa.Connection, reference: Reference) -> None:
    """Update how long a reference of a work is, or insert it as the work's last."""
    this = _references.c.reference_id == reference.reference_id
    lengths = {"audio_s": reference.audio_s, "video_s": reference.video_s}
    if not connection.execute(_references.update().where(this).values(lengths)).rowcount:
        mine = sa.select(sa.func.count()).where(_references.c.work_id == reference.work_id)
        position = connection.execute(mine).scalar_one()
        connection.execute(_references.insert(), _reference_row(position, reference))


def keeps(connection: sa.Connection, sha256: str) -> bool:
    """Tell whether any reference or segment of a feed, of withdrawn works too, has these bytes as its media."""
    tables_ = (_references, tables.feed_segments)
    return any(connection.execute(sa.select(sa.exists().where(t.c.sha256 == sha256))).scalar() for t in tables_)


def add_licence(connection: sa.Connection, licence: Licence) -> None:
    """Insert a licence; StoreError `not_found` where its work is not there or withdrawn, `conflict`."""
    if licence.work_id is not None and one_work(connection, licence.work_id).withdrawn:
        raise StoreError("not_found", f"the work {licence.work_id} is withdrawn")
    row = {column.name: getattr(licence, column.name) for column in _licences.columns if column.name != "removed"}
    try:
        connection.execute(_licences.insert(), row)
    except StoreError as error:
        if error.code != "conflict":
            raise
        raise StoreError("conflict", f"licence {licence.licence_id} is already there") from error


def read_licences(connection: sa.Connection, work_ids: Iterable[str] | None) -> list[Licence]:
    """Return the licences that are not removed: those that bear on these works, or all but withdrawn works'."""
    joined = _licences.outerjoin(_works, _works.c.work_id == _licences.c.work_id)
    query = sa.select(_licences).select_from(joined)
    query = query.where(_licences.c.removed.is_(None), _works.c.withdrawn.is_(None))
    if work_ids is not None:
        ids = sorted(set(work_ids))
        holders = sa.select(_owners.c.holder).where(_owners.c.work_id.in_(ids))
        query = query.where(_licences.c.work_id.in_(ids) | _licences.c.holder.in_(holders))
    rows = connection.execute(
        query.order_by(sa.func.coalesce(_licences.c.work_id, ""), _licences.c.licence_id)
    ).mappings()
    return [_licence(row) for row in rows]


def remove_licence(connection: sa.Connection, licence_id: str) -> None:
    """Mark a licence removed; StoreError `not_found`."""
    this = (_licences.c.licence_id == licence_id) & _licences.c.removed.is_(None)
    done = connection.execute(_licences.update().where(this).values(removed=datetime.now(UTC)))
    if not done.rowcount:
        raise StoreError("not_found", f"there is no licence {licence_id}")


def add_to_group(connection: sa.Connection, name: str, accounts: Iterable[str]) -> None:
    """Add accounts to a group, which is made where it is not there; one that is in it stays."""
    new = set(accounts) - set(group(connection, name))
    insert_all(connection, _groups, [{"name": name, "account": account} for account in sorted(new)])


def take_from_group(connection: sa.Connection, name: str, accounts: Iterable[str]) -> None:
    """Take accounts out of a group; StoreError `not_found` for one that is not in it."""
    missing = sorted(set(accounts) - set(group(connection, name)))
    if missing:
        raise StoreError("not_found", f"the group {name} has no account {', '.join(missing)}")
    connection.execute(_groups.delete().where(_groups.c.name == name, _groups.c.account.in_(sorted(set(accounts)))))


def group(connection: sa.Connection, name: str) -> list[str]:
    """Return the accounts of a group, sorted; a group that nobody made has none."""
    query = sa.select(_groups.c.account).where(_groups.c.name == name)
    return sorted(connection.execute(query).scalars())


def add_owner(connection: sa.Connection, work_id: str, owner: Ownership) -> Work:
    """Insert an owner as the work's last and return the work; StoreError `not_found`, for a withdrawn one too."""
    work = one_work(connection, work_id)
    if work.withdrawn:
        raise StoreError("not_found", f"the work {work_id} is withdrawn")
    insert_all(connection, _owners, [_owner_row(work, len(work.owners), owner)])
    return one_work(connection, work_id)


def exclude(connection: sa.Connection, reference_id: str, excluded: Excluded) -> Reference:
    """
    Add a stretch to those of a reference that nobody's claim rests on; the same again changes nothing.

    StoreError `not_found`, and `invalid_value` for a stretch that begins after the reference's end.
    """
    this = _references.c.reference_id == reference_id
    row = connection.execute(_references.select().where(this).with_for_update()).mappings().first()
    if row is None:
        raise StoreError("not_found", f"there is no reference {reference_id}")
    reference = _reference(row)
    if excluded.start_s >= max(reference.audio_s, reference.video_s):
        lasts = f"{max(reference.audio_s, reference.video_s):.1f} s"
        raise StoreError(
            "invalid_value", f"the reference {reference_id} lasts {lasts}: nothing begins at {excluded.start_s} s"
        )
    together = replace(reference, excluded=tuple(dict.fromkeys((*reference.excluded, excluded))))
    values = _reference_row(row["position"], together)["excluded"]
    connection.execute(_references.update().where(this).values(excluded=values))
    return together


def facts_for(connection: sa.Connection, reference_ids: Iterable[str], account: str | None) -> Facts:
    """Return the works of these references, withdrawn ones left out, their licences, and the account's groups."""
    wanted = set(reference_ids)
    of_wanted = sa.select(_references.c.work_id).where(_references.c.reference_id.in_(sorted(wanted)))
    query = _works.select().where(_works.c.withdrawn.is_(None), _works.c.work_id.in_(of_wanted))
    works = read_works(connection, query)
    by_reference = {r.reference_id: work for work in works for r in work.references if r.reference_id in wanted}
    groups = sa.select(_groups.c.name).where(_groups.c.account == account)
    return Facts(
        by_reference,
        tuple(read_licences(connection, [work.work_id for work in works])),
        frozenset(connection.execute(groups).scalars()) if account is not None else frozenset(),
    )


def _grouped(connection: sa.Connection, table: sa.Table, work_ids: Sequence[str]) -> dict[str, list[sa.RowMapping]]:
    groups: dict[str, list[sa.RowMapping]] = {}
    query = table.select().where(table.c.work_id.in_(work_ids)).order_by(table.c.position)
    for row in connection.execute(query).mappings():
        groups.setdefault(row["work_id"], []).append(row)
    return groups


def _owner_row(work: Work, position: int, owner: Ownership) -> dict[str, Any]:
    return {
        "work_id": work.work_id,
        "position": position,
        "holder": owner.holder,
        "share": owner.share,
        "territories": list(owner.territories),
        "policy": owner.policy,
    }


def _reference_row(position: int, reference: Reference) -> dict[str, Any]:
    values = {c.name: getattr(reference, c.name) for c in _references.columns if c.name != "position"}
    return values | {"position": position, "excluded": [asdict(one) for one in reference.excluded]}


def _work(row: sa.RowMapping, owners: Iterable[sa.RowMapping], references: Iterable[sa.RowMapping]) -> Work:
    return Work(
        **{
            **row,
            "owners": tuple(Ownership(o["holder"], o["share"], tuple(o["territories"]), o["policy"]) for o in owners),
            "references": tuple(_reference(reference) for reference in references),
            "withdrawn": row["withdrawn"] is not None,
        }
    )


def _reference(row: sa.RowMapping) -> Reference:
    values = {name: value for name, value in row.items() if name != "position"}
    return Reference(**values | {"excluded": tuple(Excluded(**one) for one in row["excluded"])})


def _licence(row: sa.RowMapping) -> Licence:
    values = {name: value for name, value in row.items() if name != "removed"}
    return Licence(**values | {name: tuple(row[name]) for name in ("accounts", "territories", "account_groups")})
