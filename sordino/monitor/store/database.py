"""Opening the database: SQLite or PostgreSQL by its URL, brought up to this program's tables."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from sordino.monitor.store.errors import StoreError, watch

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x50_52_44_4E  # PostgreSQL advisory lock: any number that nobody else uses
_WAIT_S = 30  # for another's lock, before `database_busy`
_CONNECT_S = 10
_alembic_is_global = threading.Lock()  # of threads that migrate different databases, one at a time


def connect(url: str) -> sa.Engine:
    """
    Return an engine for `sqlite:///PATH`, whose folder is made, or `postgresql://...`; it connects when it is used.

    StoreError `invalid_value` for any other URL.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreError(
            "invalid_value", "the database URL is none; expected sqlite:///PATH or postgresql://..."
        ) from error
    backend = parsed.drivername.partition("+")[0]
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        engine = _sqlite(parsed)
    elif backend in ("postgresql", "postgres"):
        engine = _postgres(parsed.set(drivername="postgresql+psycopg"))
    else:
        shown = parsed.render_as_string(hide_password=True)
        raise StoreError("invalid_value", f"database {shown}: expected sqlite:///PATH or postgresql://...")
    watch(engine)
    return engine


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection in a transaction that only reads."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection in a transaction that may write: all of it is done, or nothing."""
    with engine.connect() as connection:
        connection = connection.execution_options(sordino_writes=True)
        with connection.begin():
            yield connection


def insert_all(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; none is fine."""
    if rows:
        connection.execute(table.insert(), rows)


def migrate(engine: sa.Engine) -> None:
    """
    Bring the tables up to this program's; of several processes that try at once, one does it and the others wait.

    StoreError `database_newer` where a newer program has been there already.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with reading(engine) as connection:
        if _is_current(connection, config):
            return
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        if not _is_current(connection, config):
            config.attributes["connection"] = connection
            with _alembic_is_global:
                command.upgrade(config, "head")


def _is_current(connection: sa.Connection, config: Config) -> bool:
    scripts = ScriptDirectory.from_config(config)
    heads = set(MigrationContext.configure(connection).get_current_heads())
    unknown = heads - {script.revision for script in scripts.walk_revisions()}
    if unknown:
        shown = connection.engine.url.render_as_string(hide_password=True)
        raise StoreError(
            "database_newer", f"database {shown} is newer than this program ({', '.join(unknown)}): upgrade it"
        )
    return heads == set(scripts.get_heads())


def _sqlite(url: sa.URL) -> sa.Engine:
    _make_folder(url)
    waits = {} if "timeout" in url.query else {"timeout": _WAIT_S}
    engine = sa.create_engine(url, connect_args=waits)

    # The driver would begin transactions only before the first write: too late for a consistent read, and a read that
    # turns into a write can't wait for another's lock. So it is told to begin none, and we do, saying which kind.
    @sa.event.listens_for(engine, "connect")
    def _prepare(driver: Any, _record: Any) -> None:
        driver.isolation_level = None
        _write_ahead(driver)
        driver.execute("PRAGMA synchronous=FULL")
        driver.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("sordino_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _write_ahead(driver: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; here alone SQLite does not wait for others, who may be creating the database."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            driver.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _make_folder(url: sa.URL) -> None:
    path = url.database or ""
    if path.startswith("file:"):  # SQLite's own URI, which says itself what may be made
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError("database_unreachable", f"database {path}: {error.strerror}: {error.filename}") from error


def _postgres(url: sa.URL) -> sa.Engine:
    waits = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_S}
    engine = sa.create_engine(url, connect_args=waits, pool_pre_ping=True)

    @sa.event.listens_for(engine, "connect")
    def _prepare(driver: Any, _record: Any) -> None:
        driver.execute(f"SET TIME ZONE 'UTC'; SET lock_timeout = '{_WAIT_S}s'")
        driver.commit()

    return engine
