"""`sordino monitor`, run as users run it: on a folder being filled, and on a real Kafka broker."""

import base64
import functools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sordino.monitor import settings, watching
from sordino.monitor.store import Store
from sordino.monitor.watching import Folder, Kafka, parse
from sordino.pipelines.broker import KafkaConfig, Topics
from sordino.pipelines.messages import Media, Recommendation, Segment
from tests import synth
from tests.kafka_broker import free_ports
from tests.pipelines.test_consume import committed, dead_letters, eventually, publish, recommendations
from tests.postgres_server import fresh_database
from tests.sample_home import Sources, part, sordino

WAIT_S = 120
SORDINO = Path(sys.executable).with_name("sordino")


# --- what was typed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "servers"),
    [
        ("kafka://localhost", ("localhost:9092",)),
        ("kafka://localhost:9093/", ("localhost:9093",)),
        ("kafka://a,b:1,c", ("a:9092", "b:1", "c:9092")),
        ("kafka://[::1]:9092,[::1]", ("[::1]:9092", "[::1]:9092")),
    ],
)
def test_brokers(source: str, servers: tuple[str, ...]) -> None:
    assert parse(source) == Kafka(servers)


def test_a_folder(tmp_path: Path) -> None:
    assert parse(str(tmp_path)) == Folder(tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        "kafka://", "kafka://,", "kafka://a:b", "kafka://a:99999", "kafka://a/topic", "kafka://user@a", "kafka://a b",
        "http://example.org/live.m3u8", "file:///srv", "/no/such/folder", "", "kafka:localhost",
    ],
)  # fmt: skip
def test_what_can_not_be_watched(source: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(source)


# --- the process -----------------------------------------------------------------------------------------------------


@dataclass
class Running:
    """A monitor at work: its answers as they come."""

    process: "subprocess.Popen[str]"
    log: Path
    answers: list[dict[str, Any]] = field(default_factory=list)
    _lines: "queue.Queue[str]" = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line)

    def until(self, count: int) -> list[dict[str, Any]]:
        """Wait until there are so many answers; return all."""
        until = time.monotonic() + WAIT_S
        while len(self.answers) < count:
            try:
                self.answers.append(json.loads(self._lines.get(timeout=0.2)))
            except queue.Empty:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < until, f"{self.answers}\n{self.log.read_text()}"
        return self.answers

    def stop(self) -> None:
        """Stop in order: that leaves with 0, and every line has been read."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(WAIT_S) == 0, self.log.read_text()
        time.sleep(0.2)
        while not self._lines.empty():
            self.answers.append(json.loads(self._lines.get()))
        assert "Traceback" not in self.log.read_text()


@contextmanager
def monitor(home: Path, *arguments: str | Path, program: str = "", **environment: str) -> Iterator[Running]:
    """Run `sordino monitor ... --json`, or a program that patches it first."""
    start: list[str | Path] = [sys.executable, "-c", program] if program else [SORDINO]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SORDINO_")}
    log = home.parent / f"monitor-{uuid.uuid4().hex[:6]}.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*start, "monitor", *arguments, "--home", home, "--json"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=Path(__file__).parents[2],
            env=clean | environment,
        )
    try:
        yield Running(process, log)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def drop(path: Path, source: Path) -> None:
    """Put a file into a folder as a careful writer does."""
    part = path.with_name(f".{path.name}")
    part.write_bytes(source.read_bytes())
    part.rename(path)


def kinds(answer: dict[str, Any]) -> list[str]:
    return [measure["kind"] for measure in answer["measures"]]


def erased(answers: list[dict[str, Any]]) -> list[tuple[float, float]]:
    measures = [measure for answer in answers for measure in answer["measures"] if measure["kind"] == "erase_music"]
    return sorted((span["start_s"], span["end_s"]) for measure in measures for span in measure["spans"])


def near(spans: list[tuple[float, float]], *truth: tuple[float, float]) -> bool:
    """Whether both ends of every span are right to within a second."""
    return len(spans) == len(truth) and all(
        abs(found - at) <= 1.0
        for span, true in zip(spans, truth, strict=True)
        for found, at in zip(span, true, strict=True)
    )


# --- a folder --------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_being_filled(home: Path, sources: Sources, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    drop(folder / "live_0.ts", sources.live(0))
    with monitor(home, folder, "--account", "shop-7") as running:
        running.until(1)
        synth.truncated_mp4(folder / ".bad.mp4").rename(folder / "bad.mp4")
        (folder / ".bad.mp4.whole.mp4").unlink()
        (folder / "notes.txt").write_text("no media")
        running.until(2)
        drop(folder / "live_1.ts", sources.live(1))
        drop(folder / "live_2.ts", sources.live(2))
        by_identity = {(answer["stream_id"], answer["sequence"]): answer for answer in running.until(4)}

        new = synth.wav(tmp_path / "new.wav", synth.music(20, 61))
        drop(folder / "before.wav", new)
        running.until(5)
        assert sordino("works", "add", new, "--home", home).status == 0  # another process than the monitor
        drop(folder / "after.wav", new)
        running.until(6)
        running.stop()
    assert set(by_identity) == {("live", 0), ("live", 1), ("live", 2), ("bad.mp4", 0)}
    assert kinds(by_identity["bad.mp4", 0]) == ["review"]
    spans = erased([by_identity["live", n] for n in range(3)])
    assert near(spans, (2, 10), (10, 20), (20, 28))
    before, after = running.answers[4:]
    assert (before["stream_id"], kinds(before), before["because"]) == ("before.wav", ["allow"], [])
    assert (after["stream_id"], kinds(after)) == (
        "after.wav",
        ["mute"],
    )  # nothing but the song: it is recognised in what is left
    assert len(running.answers) == 6

    with monitor(home, folder) as again:
        drop(folder / "live_3.ts", sources.live(0))
        (answer,) = again.until(1)
        again.stop()
    assert (answer["stream_id"], answer["sequence"], len(again.answers)) == ("live", 3, 1)
    assert erased([answer])[0][0] == pytest.approx(32, abs=1)  # its clock goes on where the stream was
    with Store.open(settings.load(home=home).store_url) as store:
        assert len(store.recommendations()) == 7


def test_what_was_said_of_a_folder_goes_for_its_segments(home: Path, sources: Sources, tmp_path: Path) -> None:
    (song,) = [
        work["work_id"] for work in sordino("works", "list", "--home", home, "--json").lines if work["title"] == "song"
    ]
    assert sordino("licences", "add", song, "--account", "shop-7", "--territory", "DE", "--home", home).status == 0
    folder = tmp_path / "spool"
    folder.mkdir()
    drop(folder / "ours.mp4", sources.clip)
    (folder / "theirs.json").write_text(json.dumps({"account": "shop-8"}))
    drop(folder / "theirs.mp4", sources.clip)
    with monitor(home, folder, "--account", "shop-7", "--territory", "DE") as running:
        found = {answer["stream_id"]: kinds(answer) for answer in running.until(2)}
        running.stop()
    assert found == {"ours.mp4": ["allow"], "theirs.mp4": ["erase_music"]}


# --- Kafka -----------------------------------------------------------------------------------------------------------


def config(address: str) -> KafkaConfig:
    name = uuid.uuid4().hex[:8]
    topics = Topics(f"segments-{name}", f"recommendations-{name}", f"deadletters-{name}")
    return KafkaConfig((address,), group=f"group-{name}", topics=topics, session_s=3.0)


def patched(kafka: KafkaConfig, fault: str = "") -> str:
    """Return a program that is `sordino` with the test's own topics, and with a fault."""
    return f"""
import functools, os, signal
from sordino.monitor import cli, watching
from sordino.pipelines import broker, consume

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

topics = broker.Topics({kafka.topics.segments!r}, {kafka.topics.recommendations!r}, {kafka.topics.deadletters!r})
watching.KafkaConfig = functools.partial(broker.KafkaConfig, topics=topics, session_s=3.0)
{fault}
cli.main()
"""


def segment(stream_id: str, sequence: int, media: Media, **fields: Any) -> Segment:
    return Segment(
        stream_id=stream_id, sequence=sequence, start_s=10.0 * sequence, duration_s=10.0, media=media, **fields
    )


def live(sources: Sources, sequence: int) -> Segment:
    return segment("live", sequence, Media(uri=sources.live(sequence).as_uri()))


def environment(kafka: KafkaConfig, sources: Sources) -> dict[str, str]:
    return {"SORDINO_KAFKA_GROUP": kafka.group, "SORDINO_MEDIA_PREFIXES": sources.folder.as_uri() + "/"}


def test_kafka_end_to_end(kafka_broker: str, home: Path, sources: Sources, tmp_path: Path) -> None:
    kafka = config(kafka_broker)
    elsewhere = synth.wav(tmp_path / "elsewhere.wav", part(sources.song, 0, 5))
    bad = sources.file("bad.mp4", synth.truncated_mp4)
    inline = sources.file("quiet.mp3", lambda path: synth.clip(path, synth.speech_like(5, 3), None))
    good = json.loads(live(sources, 0).model_dump_json(exclude_defaults=True))
    nameless = {name: value for name, value in good.items() if name != "stream_id"}
    publish(
        kafka,
        live(sources, 0),
        b"{not json",
        segment("inline", 0, Media(inline=base64.b64encode(inline.read_bytes()).decode())),
        json.dumps(good | {"colour": "red"}).encode(),
        json.dumps(nameless).encode(),
        json.dumps(good | {"duration_s": -1.0}).encode(),
        segment("outside", 0, Media(uri=elsewhere.as_uri())),
        segment("outside", 1, Media(uri=f"{sources.folder.as_uri()}/../{elsewhere.name}")),
        segment("outside", 2, Media(uri="http://127.0.0.1:9/x.ts")),
        segment("missing", 0, Media(uri=f"{sources.folder.as_uri()}/none.ts")),
        segment("bad", 0, Media(uri=bad.as_uri())),
        live(sources, 0),  # delivered twice
        live(sources, 2),  # and out of order
        live(sources, 1),
    )
    with monitor(home, f"kafka://{kafka_broker}", program=patched(kafka), **environment(kafka, sources)) as running:
        eventually(lambda: committed(kafka) == 14)
        running.stop()
    answers = recommendations(kafka, 10)
    by_identity = {(answer.stream_id, answer.sequence): answer for answer in answers}
    assert set(by_identity) == {
        ("live", 0), ("live", 1), ("live", 2), ("inline", 0), ("outside", 0), ("outside", 1), ("outside", 2),
        ("missing", 0), ("bad", 0),
    }  # fmt: skip
    first, second = (answer for answer in answers if (answer.stream_id, answer.sequence) == ("live", 0))
    assert first == second
    spans = sorted(
        (span.start_s, span.end_s) for n in range(3) for m in by_identity["live", n].measures for span in m.spans
    )
    assert near(spans, (2, 10), (10, 20), (20, 28))
    assert [m.kind for m in by_identity["inline", 0].measures] == ["allow"]
    for identity in (("outside", 0), ("outside", 1), ("outside", 2), ("missing", 0), ("bad", 0)):
        assert [m.kind for m in by_identity[identity].measures] == ["review"], identity
    letters = dead_letters(kafka, 9)
    assert sorted(letter.code for letter in letters) == sorted([
        "not_json", "unknown_field", "missing_field", "invalid_field", "uri_not_allowed", "uri_not_allowed",
        "uri_not_allowed", "media_not_found", "damaged",
    ])  # fmt: skip
    (damaged,) = [letter for letter in letters if letter.code == "damaged"]
    assert "bad.mp4" in damaged.message
    told = [Recommendation.model_validate(line) for line in running.answers]
    assert sorted(told, key=str) == sorted(answers, key=str)  # each partition has an order, all of them have none
    with Store.open(settings.load(home=home).store_url) as store:
        assert len(store.recommendations()) == 9


def test_kafka_with_the_topics_of_the_contract(kafka_broker: str, home: Path, sources: Sources) -> None:
    kafka = KafkaConfig((kafka_broker,), group=f"group-{uuid.uuid4().hex[:8]}")
    stream_id = f"clip-{uuid.uuid4().hex[:8]}"
    publish(kafka, segment(stream_id, 0, Media(uri=sources.clip.as_uri())))

    def answered(running: Running) -> bool:
        return any(answer["stream_id"] == stream_id for answer in running.until(len(running.answers) + 1))

    with monitor(home, f"kafka://{kafka_broker}", **environment(kafka, sources)) as running:
        eventually(lambda: answered(running))
        running.stop()
    (answer,) = [answer for answer in running.answers if answer["stream_id"] == stream_id]
    assert near(erased([answer]), (8, 22))


FAULTS = {
    "stored, not published": "broker.Publisher.send = die",
    "published, not committed": "consume.Worker._commit = die",
}


@pytest.mark.parametrize(
    ("fault", "database"), [("stored, not published", "sqlite"), ("published, not committed", "postgresql")]
)
def test_kill_9_between_analysis_and_commit(
    kafka_broker: str, home: Path, sources: Sources, request: pytest.FixtureRequest, fault: str, database: str
) -> None:
    if database == "sqlite":
        killed_and_restarted(kafka_broker, home, sources, fault, settings.load(home=home).store_url)
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        added = [sources.folder / name for name in ("song.wav", "film.mp4")]
        new = home.with_name("postgres home")
        assert sordino("works", "add", *added, "--home", new, SORDINO_DATABASE_URL=url).status == 0
        killed_and_restarted(kafka_broker, new, sources, fault, url)


def killed_and_restarted(address: str, home: Path, sources: Sources, fault: str, url: str) -> None:
    kafka = config(address)
    known = environment(kafka, sources) | {"SORDINO_DATABASE_URL": url}
    publish(kafka, *(live(sources, number) for number in range(3)))
    with monitor(home, f"kafka://{address}", program=patched(kafka, FAULTS[fault]), **known) as killed:
        assert killed.process.wait(WAIT_S) == -signal.SIGKILL, killed.log.read_text()
    with Store.open(url) as store:
        (stored,) = store.recommendations()  # it had got so far
    assert committed(kafka) == 0
    published = 1 if fault == "published, not committed" else 0
    assert recommendations(kafka, published) == [stored] * published
    with monitor(home, f"kafka://{address}", program=patched(kafka), **known) as restarted:
        eventually(lambda: committed(kafka) == 3)
        restarted.stop()
    answers = recommendations(kafka, 3 + published)
    assert [answer.sequence for answer in answers] == [0] * published + [0, 1, 2]
    assert [answer for answer in answers if answer.sequence == 0] == [stored] * (published + 1)
    with Store.open(url) as store:
        in_store = {answer.sequence: answer for answer in store.recommendations()}
        assert len(store.recommendations()) == 3
        (episode,) = store.episodes("live")
    assert all(in_store[answer.sequence] == answer for answer in answers)
    assert near([(episode.query.start_s, episode.query.end_s)], (2, 28))


def test_the_live_ladder_through_kill_9(kafka_broker: str, home: Path, sources: Sources, tmp_path: Path) -> None:
    policy = tmp_path / "mine.toml"
    policy.write_text('name = "mine"\nversion = 1\n[live]\ngrace_s = 0\nmute_after_s = 9\nslate_after_s = 20\n')
    kafka, url = config(kafka_broker), settings.load(home=home).store_url
    known = environment(kafka, sources) | {"SORDINO_POLICY": str(policy)}
    publish(kafka, *(live(sources, number).model_copy(update={"live": True}) for number in range(3)))
    source = f"kafka://{kafka_broker}"
    with monitor(home, source, program=patched(kafka, FAULTS["stored, not published"]), **known) as killed:
        assert killed.process.wait(WAIT_S) == -signal.SIGKILL, killed.log.read_text()
    with Store.open(url) as store:
        assert (store.ladder("live").rung, store.ladder("live").sequence) == ("warn_live", 0)
    with monitor(home, source, program=patched(kafka), **known) as restarted:
        eventually(lambda: committed(kafka) == 3)
        restarted.stop()
    asked = [[measure.kind for measure in answer.measures] for answer in recommendations(kafka, 3)]
    assert asked == [["warn_live", "erase_music"], ["mute_live", "erase_music"], ["mute_live", "erase_music"]]
    with Store.open(url) as store:
        stands = store.ladder("live")
    assert (stands.rung, stands.sequence, stands.at_s) == ("mute_live", 2, 30.0)
    assert stands.music_s == pytest.approx(8, abs=1)


REFUSED = '{"security_protocol": "PLAINTEXT", "nonsense": 1}'


@pytest.mark.parametrize(
    ("known", "culprit"),
    [
        ({"SORDINO_KAFKA_SECURITY": REFUSED}, "nonsense"),
        ({"SORDINO_MEDIA_PREFIXES": "nosuchscheme://x/"}, "SORDINO_MEDIA_PREFIXES"),
        ({"SORDINO_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "127.0.0.1"),
    ],
    ids=["security", "prefix", "database"],
)
def test_settings_that_can_not_work_are_said_in_one_line(
    tmp_path: Path, known: dict[str, str], culprit: str, kafka_broker: str
) -> None:
    ran = sordino("monitor", f"kafka://{kafka_broker}", "--json", "--home", tmp_path, **known)
    assert (ran.status, ran.stdout) == (4, "")
    assert culprit in ran.stderr.splitlines()[-1]
    assert ran.stderr.splitlines()[-1].startswith("sordino: ")


def test_no_broker_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "KafkaConfig", functools.partial(KafkaConfig, connect_s=1.0))
    (port,) = free_ports(1)
    ran = sordino("monitor", f"kafka://127.0.0.1:{port}", "--json", "--home", tmp_path)
    assert (ran.status, ran.stdout) == (4, "")
    assert f"no Kafka broker answers at 127.0.0.1:{port}" in ran.stderr.splitlines()[-1]


def test_one_source_that_fails_ends_the_others(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    ran = sordino(
        "monitor", tmp_path / "spool", "kafka://127.0.0.1:1", "--home", tmp_path / "h", SORDINO_MEDIA_PREFIXES="no://x/"
    )
    assert ran.status == 4
    assert "SORDINO_MEDIA_PREFIXES" in ran.stderr
