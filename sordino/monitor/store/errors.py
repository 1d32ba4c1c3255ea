"""What can go wrong with the database, told in one line and sorted by what the caller can do about it."""

import sqlite3

import psycopg
import sqlalchemy as sa

# Codes whose cause passes without a change to the program or to what it was given: pause, then try again.
_TRANSIENT = frozenset({"database_busy", "database_unreachable", "database_full", "stale"})

_SQLITE_CODES = {
    sqlite3.SQLITE_BUSY: "database_busy",
    sqlite3.SQLITE_LOCKED: "database_busy",
    sqlite3.SQLITE_FULL: "database_full",
    sqlite3.SQLITE_CANTOPEN: "database_unreachable",
    sqlite3.SQLITE_READONLY: "database_read_only",
    sqlite3.SQLITE_CORRUPT: "database_corrupt",
    sqlite3.SQLITE_NOTADB: "database_corrupt",
    sqlite3.SQLITE_TOOBIG: "invalid_value",
    sqlite3.SQLITE_CONSTRAINT: "conflict",
}

# SQLSTATE or its class (two characters): https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES_CODES = {
    "08": "database_unreachable",  # connection exception
    "57P": "database_unreachable",  # shut down, starting up, database dropped
    "53100": "database_full",
    "53": "database_busy",  # too many connections, out of memory
    "55P03": "database_busy",  # lock_timeout
    "57014": "database_busy",  # statement_timeout
    "40": "database_busy",  # serialisation failure, deadlock
    "25006": "database_read_only",
    "XX001": "database_corrupt",
    "XX002": "database_corrupt",
    "22": "invalid_value",
    "23": "conflict",
}


class StoreError(Exception):
    """
    The database did not do what was asked, and nothing of it was done.

    `code`: `not_found`, `conflict` (it is there already), `stale` (somebody else wrote to the stream meanwhile: read it
    again), `invalid_value` (no database can hold it), `other_version` (an answer that this program can't read),
    `database_newer`, `database_busy`, `database_unreachable`, `database_full`, `database_read_only`,
    `database_corrupt`, `database_error`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed later, so that it is worth a pause and another try."""
        return self.code in _TRANSIENT


def translate(error: BaseException, database: str) -> StoreError | None:
    """Return what a driver's error means, or None where it says nothing about the database and is a bug of ours."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, sqlite3.Error):
        code = _sqlite_code(error)
    elif isinstance(error, psycopg.Error):
        code = _postgres_code(error)
    elif isinstance(error, OverflowError | UnicodeEncodeError):  # raised while a value is handed to the driver
        code = "invalid_value"
    else:
        return None
    return StoreError(code, f"database {database}: {_first_line(error)}")


def watch(engine: sa.Engine) -> None:
    """Make every database error of `engine` a StoreError."""
    database = engine.url.render_as_string(hide_password=True)

    @sa.event.listens_for(engine, "handle_error")
    def _handle(context: sa.ExceptionContext) -> None:
        error = translate(context.original_exception, database)
        if error is not None:
            raise error from context.original_exception


def _sqlite_code(error: sqlite3.Error) -> str:
    if isinstance(error, sqlite3.DataError | sqlite3.InterfaceError):
        return "invalid_value"
    extended: int = getattr(error, "sqlite_errorcode", 0)  # absent where Python's own layer raised it
    return _SQLITE_CODES.get(extended & 0xFF, "database_error")


def _postgres_code(error: psycopg.Error) -> str:
    state = error.sqlstate
    if state is None:  # libpq's own: could not connect, or the connection was lost; or a value psycopg refuses
        if isinstance(error, psycopg.DataError):
            return "invalid_value"
        return "database_unreachable" if isinstance(error, psycopg.OperationalError) else "database_error"
    return next((_POSTGRES_CODES[state[:n]] for n in (5, 3, 2) if state[:n] in _POSTGRES_CODES), "database_error")


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
