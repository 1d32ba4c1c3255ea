"""Live feeds and the segments taken from them: rows to values and back."""

from typing import Any

import sqlalchemy as sa

from sordino.monitor.feed import Feed, FeedSegment
from sordino.monitor.store import registry, tables
from sordino.monitor.store.errors import StoreError
from sordino.monitor.works import Reference, Work

_feeds, _segments, _references = tables.feeds, tables.feed_segments, tables.references


def begin(connection: sa.Connection, work: Work, folder: str) -> None:
    """Insert a work that will be registered from a folder's segments."""
    registry.add_work(connection, work)
    connection.execute(_feeds.insert(), {"work_id": work.work_id, "folder": folder})


def find(connection: sa.Connection, folder: str, holder: str, title: str) -> str | None:
    """Return the newest work that is not withdrawn, of this title and holder, followed in this folder."""
    works, owners = tables.works, tables.owners
    query = (
        sa.select(works.c.work_id)
        .join(_feeds, _feeds.c.work_id == works.c.work_id)
        .join(owners, owners.c.work_id == works.c.work_id)
        .where(_feeds.c.folder == folder, works.c.title == title, owners.c.holder == holder)
        .where(works.c.withdrawn.is_(None))
        .order_by(works.c.registered.desc(), works.c.work_id)
    )
    return connection.execute(query.limit(1)).scalar()


def read(connection: sa.Connection, work_id: str) -> Feed:
    """Return a feed and its segments; StoreError `not_found`."""
    folder = connection.execute(sa.select(_feeds.c.folder).where(_feeds.c.work_id == work_id)).scalar()
    if folder is None:
        raise StoreError("not_found", f"there is no live work {work_id}")
    rows = connection.execute(_segments.select().where(_segments.c.work_id == work_id)).mappings()
    return Feed(work_id, folder, {row["sequence"]: _segment(row) for row in rows})


def take(connection: sa.Connection, work_id: str, segment: FeedSegment, reference: Reference | None) -> None:
    """Note a segment, in place of the former of its number, and the reference as it is with it."""
    if registry.one_work(connection, work_id).withdrawn:
        raise StoreError("not_found", f"the work {work_id} is withdrawn")
    this = (_segments.c.work_id == work_id) & (_segments.c.sequence == segment.sequence)
    connection.execute(_segments.delete().where(this))
    values = {c.name: getattr(segment, c.name) for c in _segments.columns if c.name != "work_id"}
    connection.execute(_segments.insert(), {"work_id": work_id, **values})
    if reference is not None:
        registry.put_reference(connection, reference)


def _segment(row: sa.RowMapping) -> FeedSegment:
    values: dict[str, Any] = {name: value for name, value in row.items() if name != "work_id"}
    return FeedSegment(**values)
