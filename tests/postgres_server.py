"""
A real PostgreSQL server for the tests: its own, in a folder of its own, gone when they end.

`SORDINO_TEST_POSTGRES=postgresql://...` names a running one instead (a role that may create databases);
`SORDINO_TEST_POSTGRES=none` goes without. Where there is neither a server nor the programs to start one, tests fail.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

HOW = (
    "no PostgreSQL server for the tests: install it (Debian: apt-get install postgresql), or name a running one in "
    "SORDINO_TEST_POSTGRES=postgresql://..., or go without by SORDINO_TEST_POSTGRES=none"
)
START_S = 60.0
_FAST_AND_FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server's maintenance database; `fresh_database` makes one for a test."""
    named = os.environ.get("SORDINO_TEST_POSTGRES", "")
    if named == "none":
        pytest.skip("SORDINO_TEST_POSTGRES=none")
    if named:
        yield named
        return
    programs = _programs()
    if programs is None:
        pytest.fail(HOW, pytrace=False)
    with _server(programs) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database: the test runs on SQLite, then on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/sordino.db"
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield url


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """Make an empty database on the server, give its URL, and drop it in the end."""
    name = f"sordino_test_{secrets.token_hex(6)}"
    url = sa.make_url(server_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _programs() -> Path | None:
    """Return the folder of the newest `postgres` and `initdb`."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda path: float(path.parent.name), reverse=True
    )
    found = shutil.which("initdb")
    candidates = [*versions, *([Path(found).resolve().parent] if found else [])]
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


@contextmanager
def _server(programs: Path) -> Iterator[str]:
    """Run a server that listens on a socket in its own folder and nowhere else."""
    folder = Path(tempfile.mkdtemp(prefix="sordino-pg-", dir="/tmp"))  # a socket's path has to be short
    identity = _unprivileged()
    if identity:
        shutil.chown(folder, identity["user"], identity["group"])
    try:
        _initialise(programs / "initdb", folder / "db", identity)
        options = [word for option in _FAST_AND_FORGETFUL for word in ("-c", option)]
        command = [str(programs / "postgres"), "-D", str(folder / "db"), "-k", str(folder), "-h", "", *options]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, **identity, cwd=folder, stdout=log, stderr=log)
        try:
            url = f"postgresql://sordino@/postgres?host={folder}"
            _wait(url, server, folder / "log")
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown: it does not wait for clients
            server.wait(timeout=START_S)
    finally:
        shutil.rmtree(folder)


def _unprivileged() -> dict[str, Any]:
    """Return whom to run as, as arguments of Popen: somebody else where we are root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    users = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = users.get("postgres", users["nobody"])
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _initialise(initdb: Path, folder: Path, identity: dict[str, Any]) -> None:
    command = [str(initdb), "--auth=trust", "--username=sordino", "--no-sync", "--encoding=UTF8", str(folder)]
    done = subprocess.run(command, **identity, cwd="/", capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"initdb: {done.stderr.strip()[-500:]}; {HOW}", pytrace=False)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start: {log.read_text(errors='replace')[-500:]}; {HOW}", pytrace=False)
            time.sleep(0.05)
        else:
            return
