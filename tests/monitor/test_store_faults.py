"""Kills, races, full disks, lost servers, other versions: nothing half done, nothing lost, one clear line."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Timer

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from sordino.monitor.brakes import Usage
from sordino.monitor.ladder import Ladder
from sordino.monitor.store import Store, StoreError, tables
from sordino.monitor.store.database import connect, migrate, writing
from sordino.monitor.works import Licence, Ownership, Reference
from sordino.pipelines.messages import Recommendation
from tests.monitor import store_samples as samples
from tests.postgres_server import fresh_database

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened


def child(program: str, *args: str) -> subprocess.Popen[str]:
    """Start a Python program that may use `Store` and `samples`."""
    text = "import sys\nfrom sordino.monitor.store import Store\nfrom tests.monitor import store_samples as samples\n"
    command = [sys.executable, "-c", text + textwrap.dedent(program), *args]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


# Migrations


def test_the_tables_are_as_the_migrations_leave_them(store: Store) -> None:
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []
        assert set(sa.inspect(connection).get_table_names()) == {*tables.metadata.tables, "alembic_version"}


def test_a_database_of_the_first_version_keeps_its_works(database_url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "sordino/monitor/store/migrations"))
    engine = connect(database_url)
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        works = "INSERT INTO works (work_id, title, kind, registered) VALUES ('w', 'T', 'film', '2026-03-29 12:00:00')"
        connection.execute(sa.text(works.replace(":", "\\:")))
        connection.execute(sa.text("INSERT INTO owners VALUES ('w', 0, 'Blue Label', 1.0, '[]')"))
        connection.execute(sa.text("INSERT INTO \"references\" VALUES ('r', 'w', 0, '/a.mp4', 'sha', 1.5, 2.5, NULL)"))
    engine.dispose()
    with Store.open(database_url) as store:
        assert store.work("w").references == (Reference("r", "w", "/a.mp4", "sha", 1.5, 2.5),)
        assert store.reference_by_sha256("sha", "Blue Label") is not None
        foreign_keys = sa.inspect(store._engine).get_foreign_keys("references")
        assert [key["name"] for key in foreign_keys] == ["fk_references_work_id"]


def test_a_database_of_the_second_version_keeps_its_licences(database_url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "sordino/monitor/store/migrations"))
    engine = connect(database_url)
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        works = "INSERT INTO works (work_id, title, kind, registered) VALUES ('w', 'T', 'film', '2026-03-29 12:00:00')"
        connection.execute(sa.text(works.replace(":", "\\:")))
        connection.execute(sa.text("INSERT INTO owners VALUES ('w', 0, 'Blue Label', 1.0, '[]')"))
        licence = "VALUES ('l', 'w', 'Shop', '[\"shop-1\"]', '[]', NULL, NULL, TRUE, NULL)"
        connection.execute(sa.text(f"INSERT INTO licences {licence}"))
    engine.dispose()
    with Store.open(database_url) as store:
        assert store.work("w").owners == (Ownership("Blue Label"),)
        assert not store.work("w").public_domain
        assert store.licences() == [Licence("l", "w", "Shop", ("shop-1",))]
        store.add_licence(Licence("all", None, "Shop", holder="Blue Label"))
        assert [licence.licence_id for licence in store.licences("w")] == ["all", "l"]
        foreign_keys = sa.inspect(store._engine).get_foreign_keys("licences")
        assert [key["name"] for key in foreign_keys] == ["fk_licences_work_id"]


def test_opening_again_keeps_what_is_there(database_url: str) -> None:
    for _ in range(2):
        with Store.open(database_url) as store:
            if not list(store.works()):
                store.add_work(samples.work())
    with Store.open(database_url) as store:
        assert list(store.works()) == [samples.work()]


def test_a_newer_database_is_refused_and_left_alone(database_url: str) -> None:
    with Store.open(database_url) as store:
        store.add_work(samples.work())
        with store._engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer than this program") as caught:
        Store.open(database_url)
    assert caught.value.code == "database_newer"
    assert not caught.value.transient
    engine = connect(database_url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM works")) == 1
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "9999"
    engine.dispose()


def test_an_answer_with_more_in_it_than_this_program_knows_is_refused_not_cut(store: Store) -> None:
    store.save(samples.segment(), [], [], samples.recommendation())
    newer = {**samples.recommendation().model_dump(mode="json"), "of_tomorrow": 1}
    with store._engine.begin() as connection:
        connection.execute(tables.recommendations.update().values(message=newer))
    with pytest.raises(StoreError, match="segment 0 of stream stream") as caught:
        store.save(samples.segment(), [], [], samples.recommendation())
    assert caught.value.code == "other_version"
    assert not caught.value.transient


def test_a_migration_that_fails_leaves_nothing(database_url: str) -> None:
    engine = connect(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE segments (mine INTEGER)"))  # somebody else's table of that name
    with pytest.raises(StoreError, match="segments"):
        migrate(engine)
    assert sa.inspect(engine).get_table_names() == ["segments"]
    engine.dispose()


def test_processes_that_open_a_new_database_at_once_all_succeed(database_url: str) -> None:
    program = """
        print("ready", flush=True)
        sys.stdin.readline()
        with Store.open(sys.argv[1]) as store:
            store.add_work(samples.work(sys.argv[2]))
    """
    children = [child(program, database_url, str(number)) for number in range(4)]
    for process in children:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in children:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in children:
        process.communicate()
    assert [process.returncode for process in children] == [0] * 4
    with Store.open(database_url) as store:
        assert {work.work_id for work in store.works()} == {f"work-{number}" for number in range(4)}


def test_a_new_sqlite_database_that_another_is_writing_to_is_waited_for(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "sordino.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = Timer(0.3, other.rollback)
    release.start()
    with Store.open(f"sqlite:///{tmp_path}/sordino.db") as store:
        assert list(store.works()) == []
    release.join()
    other.close()


# Kills

_KILLED_AT = """
    import os, signal
    import sqlalchemy as sa

    store = Store.open(sys.argv[1])
    statements = 0

    @sa.event.listens_for(store._engine, "after_cursor_execute")
    def count(connection, cursor, statement, *rest):
        global statements
        if statement == "BEGIN IMMEDIATE":
            return
        statements += 1
        if statements == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

    found = [samples.match(1)], [samples.episode(1)]
    store.save(samples.segment(1), *found, samples.recommendation(1), changes=samples.effects(1))
    print(statements)
"""
STATEMENTS_OF_A_SAVE = 13


def test_a_save_is_as_many_statements_as_are_killed_below(store: Store, database_url: str) -> None:
    output, _ = child(_KILLED_AT, database_url, "0").communicate()
    assert output == f"{STATEMENTS_OF_A_SAVE}\n"


@pytest.mark.parametrize("killed_at", range(1, STATEMENTS_OF_A_SAVE + 1))
def test_a_save_that_is_killed_leaves_nothing_and_can_be_done_again(
    store: Store, database_url: str, killed_at: int
) -> None:
    store.save(samples.segment(0), [samples.match(0)], [samples.episode(0)], samples.recommendation(0))
    killed = child(_KILLED_AT, database_url, str(killed_at))
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert store.recommendations() == [samples.recommendation(0)]
    assert store.matches("stream", 1) == []
    assert store.episodes("stream") == [samples.episode(0)]
    assert store.stream("stream").revision == 1
    assert store.ladder("stream") == Ladder()
    assert store.usage(samples.NOON, [samples.REFERENCE, samples.HOLDER]) == Usage()
    assert store.cases() == []
    found = [samples.match(1)], [samples.episode(1)]
    store.save(samples.segment(1), *found, samples.recommendation(1), changes=samples.effects(1))
    assert store.segment_answer("stream", 1) == samples.recommendation(1)
    assert store.episodes("stream") == [samples.episode(1)]
    assert store.ladder("stream") == samples.effects(1).ladder


def test_what_was_saved_outlives_a_kill(database_url: str) -> None:
    program = """
        import itertools
        store = Store.open(sys.argv[1])
        for n in itertools.count():
            store.save(samples.segment(n), [samples.match(n)], [samples.episode(n)], samples.recommendation(n))
            print(n, flush=True)
    """
    process = child(program, database_url)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(50)]
    process.kill()
    told += [int(line) for line in process.stdout.read().split()]
    process.wait()
    with Store.open(database_url) as store:
        kept = sorted(answer.sequence for answer in store.recommendations(limit=10_000))
        assert kept[: len(told)] == told
        assert len(kept) <= len(told) + 1  # saved, and killed before it could tell
        assert store.episodes("stream") == [samples.episode(kept[-1])]
        assert all(store.matches("stream", sequence) == [samples.match(sequence)] for sequence in kept)


# Races


def test_threads_that_answer_one_segment_at_once_get_one_answer(store: Store) -> None:
    at_once = Barrier(8)

    def save(number: int) -> list[Recommendation]:
        at_once.wait()
        mine = [samples.recommendation(sequence, name=str(number)) for sequence in range(10)]
        return [store.save(samples.segment(n), [samples.match(n)], [samples.episode(n)], mine[n]) for n in range(10)]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(save, range(8)))
    assert answers == [answers[0]] * 8
    assert sorted(store.recommendations(), key=lambda r: r.sequence) == answers[0]
    assert store.stream("stream").revision == 10


def test_processes_that_answer_one_segment_at_once_get_one_answer(store: Store, database_url: str) -> None:
    program = """
        store = Store.open(sys.argv[1])
        print("ready", flush=True)
        sys.stdin.readline()
        for n in range(20):
            mine = samples.recommendation(n, name=sys.argv[2])
            print(store.save(samples.segment(n), [samples.match(n)], [samples.episode(n)], mine).recommendation_id)
    """
    children = [child(program, database_url, str(number)) for number in range(2)]
    assert [process.stdout and process.stdout.readline() for process in children] == ["ready\n"] * 2
    for process in children:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    one, other = (process.communicate()[0].split() for process in children)
    assert len(one) == 20
    assert one == other == [answer.recommendation_id for answer in reversed(store.recommendations())]


def test_processes_that_spend_at_once_never_exceed_a_quota(store: Store, database_url: str) -> None:
    program = """
        from sordino.monitor.store import StoreError
        store = Store.open(sys.argv[1])
        print("ready", flush=True)
        sys.stdin.readline()
        for n in range(10):
            mine = {"stream_id": sys.argv[2]}
            try:
                store.save(samples.segment(n, **mine), [], [], samples.recommendation(n, **mine),
                           changes=samples.effects(n, quota=15))
            except StoreError as error:
                print(error.code)
            else:
                print("spent")
    """
    children = [child(program, database_url, f"stream-{number}") for number in range(3)]
    assert [process.stdout and process.stdout.readline() for process in children] == ["ready\n"] * 3
    for process in children:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [line for process in children for line in process.communicate()[0].split()]
    assert sorted(told) == ["spent"] * 15 + ["stale"] * 15
    assert store.usage(samples.NOON, [samples.REFERENCE]).counts == {samples.REFERENCE: 15}
    assert store.cases() == [samples.case()]


# Faults


def test_a_full_disk_is_transient_and_nothing_is_half_done(store: Store, database_url: str) -> None:
    _fill(store)

    def save(n: int) -> Recommendation:
        return store.save(samples.segment(n), [samples.match(n)] * 20, [], samples.recommendation(n))

    with pytest.raises(StoreError) as caught:
        list(map(save, range(500)))
    assert caught.value.code == "database_full"
    assert caught.value.transient
    done = len(store.recommendations(limit=1000))
    assert store.stream("stream").revision == done
    store.close()
    with Store.open(database_url) as later:
        _make_room(later)
        later.save(samples.segment(done), [samples.match(done)], [], samples.recommendation(done))
        assert later.stream("stream").revision == done + 1


def _fill(store: Store) -> None:
    """Make the database believe that the disk is nearly (SQLite) or quite (PostgreSQL) full."""
    if store._engine.dialect.name == "sqlite":

        @sa.event.listens_for(store._engine, "begin")
        def _small(connection: sa.Connection) -> None:
            connection.exec_driver_sql("PRAGMA max_page_count = 100")

        return
    with store._engine.begin() as connection:
        body = "BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'No space left on device'; END"
        connection.exec_driver_sql(f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS '{_quoted(body)}'")
        trigger = "CREATE TRIGGER full_disk BEFORE INSERT ON matches FOR EACH ROW EXECUTE FUNCTION full_disk()"
        connection.exec_driver_sql(trigger)


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _make_room(store: Store) -> None:
    if store._engine.dialect.name == "postgresql":
        with store._engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER full_disk ON matches")


def test_a_read_only_database_says_so(database_url: str) -> None:
    Store.open(database_url).close()
    url = sa.make_url(database_url)
    if url.drivername == "sqlite":
        read_only = f"sqlite:///file:{url.database}?mode=ro&uri=true"
    else:
        read_only = database_url + "&options=-c%20default_transaction_read_only%3Don"
    with Store.open(read_only) as store:
        assert list(store.works()) == []
        with pytest.raises(StoreError) as caught:
            store.add_work(samples.work())
    assert caught.value.code == "database_read_only"
    assert not caught.value.transient


def test_a_database_locked_by_another_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "sordino.db"
    with Store.open(f"sqlite:///{path}?timeout=0.05") as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked") as caught:
            store.add_work(samples.work())
        assert caught.value.code == "database_busy"
        assert caught.value.transient
        assert list(store.works()) == []  # who only reads need not wait
        other.close()
        store.add_work(samples.work())


@pytest.mark.parametrize(
    ("url", "code", "transient"),
    [
        pytest.param("postgresql://u:secret@127.0.0.1:1/db", "database_unreachable", True, id="nobody listens"),
        pytest.param("postgresql://u:secret@/db?host=/nowhere", "database_unreachable", True, id="no such socket"),
        pytest.param("sqlite:////dev/null/sordino.db", "database_unreachable", True, id="no folder can be there"),
        pytest.param("sqlite:///{tmp_path}", "database_unreachable", True, id="a folder"),
        pytest.param("sqlite:///{tmp_path}/text", "database_corrupt", False, id="no database"),
        pytest.param("mysql://u:secret@h/db", "invalid_value", False, id="another kind of database"),
        pytest.param("sqlite://", "invalid_value", False, id="a database that is lost at the end"),
        pytest.param("my database", "invalid_value", False, id="no URL"),
    ],
)
def test_a_database_that_cannot_be_opened(tmp_path: Path, url: str, code: str, transient: bool) -> None:
    (tmp_path / "text").write_text("this is no database\n" * 100)
    with pytest.raises(StoreError) as caught:
        Store.open(url.format(tmp_path=tmp_path))
    assert caught.value.code == code
    assert caught.value.transient == transient
    assert len(str(caught.value).splitlines()) == 1
    assert "secret" not in str(caught.value)


def test_a_lost_connection_is_transient_and_the_next_call_connects_again(postgres_url: str) -> None:
    with fresh_database(postgres_url) as url, Store.open(url) as store:

        @sa.event.listens_for(store._engine, "after_cursor_execute")
        def _cut(connection: sa.Connection, cursor: object, statement: str, *rest: object) -> None:
            if statement.startswith("INSERT INTO segments"):
                sa.event.remove(store._engine, "after_cursor_execute", _cut)
                with psycopg.connect(url, autocommit=True) as other:
                    mine = connection.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
                    other.execute("SELECT pg_terminate_backend(%s)", (mine,))

        answer = (samples.segment(), [samples.match()], [samples.episode()], samples.recommendation())
        with pytest.raises(StoreError) as caught:
            store.save(*answer)
        assert caught.value.code == "database_unreachable"
        assert caught.value.transient
        assert store.segment_answer("stream", 0) is None
        assert store.save(*answer) == samples.recommendation()


def test_sqlite_is_opened_so_that_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/new/folder/sordino.db") as store, store._engine.connect() as connection:
        pragmas = {name: connection.scalar(sa.text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous")}
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}  # 2: FULL
        assert connection.scalar(sa.text("PRAGMA foreign_keys")) == 1
        assert int(connection.scalar(sa.text("PRAGMA busy_timeout")) or 0) >= 10_000
    assert os.listdir(tmp_path / "new" / "folder") == ["sordino.db"]  # the log is folded in when the last one closes
