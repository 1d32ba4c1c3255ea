"""The worker on a real broker: nothing lost, nothing answered differently twice."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from sordino.pipelines import consume
from sordino.pipelines.broker import KafkaConfig, KafkaRefusedError, Topics, ensure_topics
from sordino.pipelines.consume import Answer, Worker
from sordino.pipelines.failures import Busy, Poison
from sordino.pipelines.messages import DeadLetter, Recommendation, Segment
from sordino.pipelines.wire import MAX_MESSAGE_BYTES, encode_segment
from tests.kafka_broker import Broker, free_ports
from tests.pipelines.wire_samples import recommendation, segment

WAIT_S = 60


def config(address: str, **fields: Any) -> KafkaConfig:
    name = uuid.uuid4().hex[:8]  # own topics: the broker is shared by the tests
    topics = Topics(f"segments-{name}", f"recommendations-{name}", f"deadletters-{name}")
    return KafkaConfig((address,), group=f"group-{name}", topics=topics, session_s=6.0, **fields)


@dataclass
class Stored:
    """A handler as the product's: answers a segment once, then returns what it stored."""

    answers: dict[tuple[str, int], Answer] = field(default_factory=dict)
    calls: list[tuple[str, int]] = field(default_factory=list)
    before: Callable[[Segment], None] = lambda segment: None

    def __call__(self, segment: Segment) -> Answer:
        identity = (segment.stream_id, segment.sequence)
        self.calls.append(identity)
        self.before(segment)
        fresh = recommendation(*identity, recommendation_id=uuid.uuid4().hex)
        return self.answers.setdefault(identity, Answer(fresh))


@contextmanager
def running(settings: KafkaConfig, handle: consume.Handle) -> Iterator[Worker]:
    worker = Worker(settings, handle)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(WAIT_S)
    assert not thread.is_alive()


def publish(settings: KafkaConfig, *messages: Segment | bytes, key: bytes | None = b"live-1") -> None:
    ensure_topics(settings)
    producer = KafkaProducer(bootstrap_servers=list(settings.servers), max_request_size=8 << 20)
    for message in messages:
        if isinstance(message, Segment):
            event = encode_segment(message)
            sent = producer.send(settings.topics.segments, event.value, key=event.key, headers=event.headers)
        else:
            sent = producer.send(settings.topics.segments, message, key=key)
        sent.get(WAIT_S)
    producer.close()


def received(settings: KafkaConfig, topic: str, count: int) -> list[Any]:
    """The first records of a topic, once there are `count`."""
    consumer = KafkaConsumer(topic, bootstrap_servers=list(settings.servers), auto_offset_reset="earliest")
    records: list[Any] = []
    until = time.monotonic() + WAIT_S
    try:
        while len(records) < count and time.monotonic() < until:
            records += [record for batch in consumer.poll(500).values() for record in batch]
    finally:
        consumer.close()
    assert len(records) == count
    return records


def recommendations(settings: KafkaConfig, count: int) -> list[Recommendation]:
    return [
        Recommendation.model_validate_json(r.value) for r in received(settings, settings.topics.recommendations, count)
    ]


def dead_letters(settings: KafkaConfig, count: int) -> list[DeadLetter]:
    return [DeadLetter.model_validate_json(r.value) for r in received(settings, settings.topics.deadletters, count)]


def committed(settings: KafkaConfig) -> int:
    """How many segments of the topic the group has done with."""
    consumer = KafkaConsumer(bootstrap_servers=list(settings.servers), group_id=settings.group)
    try:
        partitions = [TopicPartition(settings.topics.segments, n) for n in range(settings.partitions)]
        return sum(consumer.committed(partition) or 0 for partition in partitions)
    finally:
        consumer.close()


def eventually(what: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)


def test_segments_are_answered_under_their_stream_and_committed(kafka_broker: str) -> None:
    settings = config(kafka_broker)
    publish(settings, segment("a", 0), segment("b", 0), segment("a", 1))
    with running(settings, Stored()):
        records = received(settings, settings.topics.recommendations, 3)
        eventually(lambda: committed(settings) == 3)
    found = {(r.key.decode(), json.loads(r.value)["sequence"]): dict(r.headers) for r in records}
    assert set(found) == {("a", 0), ("a", 1), ("b", 0)}
    attributes = found["a", 1]
    assert attributes["ce_specversion"] == b"1.0"
    assert attributes["ce_type"] == b"sordino.recommendation.v1"
    assert attributes["content-type"] == b"application/json"
    assert {"ce_id", "ce_source", "ce_time"} <= set(attributes)
    assert [r.offset for r in records if r.key == b"a"] == sorted(r.offset for r in records if r.key == b"a")


def test_poison_goes_to_the_dead_letters_and_the_next_is_answered(kafka_broker: str) -> None:
    settings = config(kafka_broker)
    good = encode_segment(segment("live-1", 1)).value
    bad = {
        "not_json": b"{",
        "not_utf8": b"\xff\xfe",
        "not_an_object": b"[]",
        "empty_message": b"",
        "unknown_field": good.replace(b"duration_s", b"durations"),
        "invalid_field": good.replace(b"10.0", b"-1", 1),
        "message_too_large": b" " * (MAX_MESSAGE_BYTES + 1),
    }
    publish(settings, *bad.values(), segment("live-1", 2))
    with running(settings, Stored()):
        letters = dead_letters(settings, len(bad))
        assert [r.sequence for r in recommendations(settings, 1)] == [2]
    assert [letter.code for letter in letters] == list(bad)
    assert [letter.offset for letter in letters] == list(range(len(bad)))
    assert {letter.topic for letter in letters} == {settings.topics.segments}
    originals = [base64.b64decode(letter.original) for letter in letters]
    assert originals == [value[:MAX_MESSAGE_BYTES] for value in bad.values()]
    assert letters[-1].original_size == MAX_MESSAGE_BYTES + 1
    assert {r.key for r in received(settings, settings.topics.deadletters, len(bad))} == {b"live-1"}


def test_a_dead_letter_too_large_for_its_topic_keeps_the_reason(kafka_broker: str) -> None:
    settings = config(kafka_broker)
    small = KafkaConfig(settings.servers, topics=Topics("unused", "unused", settings.topics.deadletters))
    admin = KafkaAdminClient(bootstrap_servers=list(small.servers))
    admin.create_topics([NewTopic(small.topics.deadletters, 1, 1, topic_configs={"max.message.bytes": "2000"})])
    admin.close()
    publish(settings, b"x" * 100_000, segment("live-1", 1))
    with running(settings, Stored()):
        (letter,) = dead_letters(settings, 1)
        recommendations(settings, 1)
    assert (letter.code, letter.original, letter.original_size) == ("not_json", "", 100_000)


def test_poison_found_by_the_handler(kafka_broker: str) -> None:
    settings = config(kafka_broker)

    def handle(segment: Segment) -> Answer:
        if segment.sequence == 0:
            raise Poison("uri_not_allowed", "no such\nprefix " + "x" * 1000)
        review = recommendation("live-1", segment.sequence)
        return Answer(review, poison=("undecodable", "moov atom not found"))

    publish(settings, segment("live-1", 0), segment("live-1", 1))
    with running(settings, handle):
        letters = dead_letters(settings, 2)
        assert [r.sequence for r in recommendations(settings, 1)] == [1]
    assert [letter.code for letter in letters] == ["uri_not_allowed", "undecodable"]
    assert len(letters[0].message) == 500
    assert "\n" not in letters[0].message


def test_a_segment_twice_and_out_of_order(kafka_broker: str) -> None:
    settings = config(kafka_broker)
    publish(settings, *(segment("live-1", n) for n in (2, 0, 2, 1)))
    with running(settings, Stored()):
        answers = recommendations(settings, 4)
    assert [a.sequence for a in answers] == [2, 0, 2, 1]
    assert answers[0] == answers[2]


def test_busy_is_tried_again_and_others_go_on(kafka_broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consume, "BACKOFF_S", (0.05, 0.2))
    settings = config(kafka_broker)
    away = {"slow": 6}

    def database(segment: Segment) -> None:
        if away.get(segment.stream_id, 0):
            away[segment.stream_id] -= 1
            raise Busy("database_away", "connection refused")

    handle = Stored(before=database)
    publish(settings, segment("slow", 0), segment("slow", 1), *(segment(f"s{n}", 0) for n in range(8)))
    with running(settings, handle):
        answers = recommendations(settings, 10)
    assert [a.sequence for a in answers if a.stream_id == "slow"] == [0, 1]
    assert handle.calls.count(("slow", 0)) == 7
    assert all(handle.calls.count((f"s{n}", 0)) == 1 for n in range(8))


def test_patience_ends_in_a_dead_letter(kafka_broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consume, "BACKOFF_S", (0.05, 0.2))
    settings = config(kafka_broker)

    def storage(segment: Segment) -> None:
        if segment.sequence == 0:
            raise Busy("storage_away", "503", patience_s=0.5)

    publish(settings, segment("live-1", 0), segment("live-1", 1))
    with running(settings, Stored(before=storage)):
        assert [letter.code for letter in dead_letters(settings, 1)] == ["storage_away"]
        assert [r.sequence for r in recommendations(settings, 1)] == [1]


def test_a_bug_stops_the_worker_uncommitted(kafka_broker: str) -> None:
    settings = config(kafka_broker)

    def bug(segment: Segment) -> None:
        if segment.sequence == 1:
            raise ZeroDivisionError("a bug")

    publish(settings, segment("live-1", 0), segment("live-1", 1), segment("live-1", 2))
    with pytest.raises(ZeroDivisionError):
        Worker(settings, Stored(before=bug)).run()
    assert committed(settings) == 1
    with running(settings, Stored()):  # mended
        assert [r.sequence for r in recommendations(settings, 3)] == [0, 1, 2]


def test_stop_finishes_the_segment_at_hand(kafka_broker: str) -> None:
    settings = config(kafka_broker)
    publish(settings, segment("live-1", 0), segment("live-1", 1))
    worker = Worker(settings, Stored(before=lambda segment: worker.stop()))
    worker.run()
    assert committed(settings) == 1
    assert [r.sequence for r in recommendations(settings, 1)] == [0]


def test_two_workers_share_the_partitions_and_lose_nothing(kafka_broker: str) -> None:
    settings = config(kafka_broker)
    first, second = Stored(), Stored()
    names = [f"stream-{n}" for n in range(30)]
    with running(settings, first):
        publish(settings, *(segment(name, 0) for name in names))
        with running(settings, second):
            until = time.monotonic() + WAIT_S
            while not second.calls and time.monotonic() < until:
                publish(settings, *(segment(name, 1) for name in names[:5]))
        publish(settings, *(segment(name, 2) for name in names))
        answered = {(name, n) for name in names for n in (0, 2)}
        eventually(lambda: answered <= set(first.answers) | set(second.answers))
    assert first.calls
    assert second.calls


@pytest.mark.parametrize("kill", [False, True], ids=["in order", "kill -9"])
def test_the_broker_away_for_30_s(own_broker: Broker, kill: bool) -> None:
    settings = config(own_broker.address)
    at_work, go_on = threading.Event(), threading.Event()

    def slow(segment: Segment) -> None:
        if segment.sequence == 2:
            at_work.set()
            go_on.wait(WAIT_S)

    publish(settings, *(segment("live-1", n) for n in range(5)))
    with running(settings, Stored(before=slow)) as worker:
        assert at_work.wait(WAIT_S)
        own_broker.kill() if kill else own_broker.stop()
        go_on.set()  # its answer finds no broker
        time.sleep(30)
        own_broker.start()
        publish(settings, segment("live-1", 5))
        eventually(lambda: committed(settings) == 6)
        assert not worker._stop.is_set()
    consumer = KafkaConsumer(bootstrap_servers=[own_broker.address])
    partitions = [TopicPartition(settings.topics.recommendations, n) for n in range(settings.partitions)]
    count = sum(consumer.end_offsets(partitions).values())
    consumer.close()
    answers = recommendations(settings, count)
    assert {a.sequence for a in answers} == set(range(6))
    assert len({a.recommendation_id for a in answers}) == 6  # what came twice is the same


def test_a_long_analysis_keeps_the_partition(kafka_broker: str) -> None:
    settings = config(kafka_broker)

    def slow(segment: Segment) -> None:
        time.sleep(settings.session_s + 3)

    first, second = Stored(before=slow), Stored(before=slow)
    publish(settings, segment("live-1", 0))
    with running(settings, first), running(settings, second):
        eventually(lambda: committed(settings) == 1)
    assert len(first.calls + second.calls) == 1


def test_a_worker_taken_for_dead_comes_back(kafka_broker: str) -> None:
    settings = config(kafka_broker, max_poll_s=2.0)
    handle = Stored()
    handle.before = lambda segment: time.sleep(5 if len(handle.calls) == 1 else 0)
    publish(settings, segment("live-1", 0), segment("live-1", 1))
    with running(settings, handle):
        eventually(lambda: committed(settings) == 2)
    assert handle.calls[0] == ("live-1", 0)
    assert set(handle.calls) == {("live-1", 0), ("live-1", 1)}


SASL = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_plain_username": "worker"}


def test_security_settings_reach_every_client(own_broker: Broker) -> None:
    settings = config(own_broker.sasl_address, security=SASL | {"sasl_plain_password": "secret"})
    publish(KafkaConfig((own_broker.address,), topics=settings.topics), segment("live-1", 0))
    with running(settings, Stored()):
        recommendations(KafkaConfig((own_broker.address,), topics=settings.topics), 1)


@pytest.mark.parametrize(
    ("security", "named"),
    [(SASL | {"sasl_plain_password": "wrong"}, "refuses the security settings"), ({"nonsense": 1}, "nonsense")],
    ids=["wrong password", "no such setting"],
)
def test_wrong_security_settings_are_said_in_one_line(own_broker: Broker, security: dict[str, Any], named: str) -> None:
    with pytest.raises((KafkaRefusedError, Busy), match=named):
        Worker(config(own_broker.sasl_address, security=security, connect_s=5.0), Stored())


def test_no_broker_is_said_in_one_line() -> None:
    (port,) = free_ports(1)
    with pytest.raises(Busy, match=rf"no Kafka broker answers at 127\.0\.0\.1:{port}"):
        Worker(KafkaConfig((f"127.0.0.1:{port}",), connect_s=1.0), Stored())


SCRIPT = """
import json, os, signal, sys, uuid
from pathlib import Path
from sordino.pipelines.broker import KafkaConfig, Topics
from sordino.pipelines.consume import Answer, Worker, stopping_on_signals
from sordino.pipelines.messages import Recommendation
from tests.pipelines.wire_samples import recommendation

address, group, topics, folder, fault = sys.argv[1:]

def handle(segment):
    stored = Path(folder) / f"{segment.stream_id}-{segment.sequence}.json"
    if not stored.exists():
        answer = recommendation(segment.stream_id, segment.sequence, recommendation_id=uuid.uuid4().hex)
        stored.write_text(answer.model_dump_json())
        if fault == "after storing" and segment.sequence == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    return Answer(Recommendation.model_validate_json(stored.read_text()))

worker = Worker(KafkaConfig((address,), group=group, topics=Topics(*topics.split(",")), session_s=2.0), handle)
if fault == "before commit":
    worker._commit = lambda place, record: os.kill(os.getpid(), signal.SIGKILL)
with stopping_on_signals(worker.stop):
    print("ready", flush=True)
    worker.run()
"""


def worker_process(settings: KafkaConfig, folder: Path, fault: str) -> "subprocess.Popen[str]":
    topics = ",".join((settings.topics.segments, settings.topics.recommendations, settings.topics.deadletters))
    command = [sys.executable, "-c", SCRIPT, settings.servers[0], settings.group, topics, str(folder), fault]
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("fault", "published"), [("after storing", 1), ("before commit", 1)], ids=lambda value: str(value)
)
def test_kill_9_before_the_commit(kafka_broker: str, tmp_path: Path, fault: str, published: int) -> None:
    settings = config(kafka_broker)
    publish(settings, *(segment("live-1", n) for n in range(3)))
    killed = worker_process(settings, tmp_path, fault)
    assert killed.wait(WAIT_S) == -signal.SIGKILL
    before = recommendations(settings, published)
    again = worker_process(settings, tmp_path, "none")
    eventually(lambda: committed(settings) == 3)
    again.send_signal(signal.SIGTERM)
    assert again.wait(WAIT_S) == 0
    twice = 1 if fault == "before commit" else 0
    answers = recommendations(settings, 3 + twice)
    assert answers[: len(before)] == before
    assert [a.sequence for a in answers[twice:]] == [0, 1, 2]
    assert len({a.model_dump_json() for a in answers}) == 3
