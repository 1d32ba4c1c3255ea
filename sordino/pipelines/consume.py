"""The read-process-write loop: poll, pause, dead-letter, publish, commit."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import CommitFailedError, KafkaError, MessageSizeTooLargeError, TopicAlreadyExistsError
from prometheus_client import Counter, Histogram

from sordino.pipelines.failures import Busy, Poison
from sordino.pipelines.messages import DEADLETTERS, RECOMMENDATIONS, SEGMENTS, Recommendation, Segment
from sordino.pipelines.wire import (
    MAX_MESSAGE_BYTES,
    Event,
    dead_letter,
    decode_segment,
    encode_dead_letter,
    encode_recommendation,
    one_line,
)

log = structlog.get_logger()

DELIVERY_S = 30.0  # how long one publication is tried before the segment goes back to wait
COMMIT_S = 10.0
POLL_S = 1.0
BACKOFF_S = (0.5, 30.0)  # first and longest pause of a partition

SEGMENTS_TOTAL = Counter("sordino_segments_total", "Segments by outcome", ["outcome"])
DEADLETTERS_TOTAL = Counter("sordino_deadletters_total", "Dead letters by error code", ["code"])
SEGMENT_SECONDS = Histogram(
    "sordino_segment_seconds",
    "Wall-clock seconds from reading a segment to its acknowledged answer",
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120),
)


Reason = tuple[str, str]  # error code, message


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a segment; `poison` asks for a dead letter as well, as where its media can't be decoded."""

    recommendation: Recommendation
    poison: Reason | None = None


Handle = Callable[[Segment], Answer]


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of the topics."""

    segments: str = SEGMENTS
    recommendations: str = RECOMMENDATIONS
    deadletters: str = DEADLETTERS


@dataclass(frozen=True, slots=True)
class KafkaConfig:
    """
    Where the brokers are and how to speak with them.

    `security` is passed to kafka-python as it is: `security_protocol`, `sasl_*`, `ssl_*`.
    """

    servers: tuple[str, ...]
    group: str = "sordino"
    security: Mapping[str, Any] = field(default_factory=dict)
    topics: Topics = Topics()
    partitions: int = 3  # of topics that are missing and created
    replication: int = -1  # -1: as the broker is set
    connect_s: float = 60.0
    max_poll_s: float = 600.0  # must be longer than the longest analysis of one segment
    session_s: float = 45.0

    def client(self) -> dict[str, Any]:
        """Return the settings that each kind of client needs."""
        return {
            "bootstrap_servers": list(self.servers),
            "bootstrap_timeout_ms": int(self.connect_s * 1000),
            "reconnect_backoff_max_ms": 2000,
            **self.security,
        }


@dataclass(slots=True)
class _Wait:
    """A record that could not be worked on yet; its partition is paused."""

    offset: int
    since: float
    attempts: int = 0
    retry_at: float = 0.0


class Worker:
    """
    A member of the consumer group: answers segments until it is stopped.

    A segment's offset is committed only when its answer is stored (`handle` does so before it returns) and
    acknowledged by the broker, so a segment may be handled twice but is never lost; `handle` must be idempotent.
    Busy pauses the segment's partition and tries again; Poison goes to the dead letters; any other exception leaves
    `run` with nothing committed.

    Raises Busy when no broker answers within `connect_s`.
    """

    def __init__(self, config: KafkaConfig, handle: Handle) -> None:
        self._config = config
        self._handle = handle
        self._stop = threading.Event()
        self._waiting: dict[TopicPartition, _Wait] = {}
        with _reaching(config):
            ensure_topics(config)
            self._consumer = _consumer(config)
            self._producer = _producer(config)

    def stop(self) -> None:
        """Ask `run` to finish the segment at hand, commit it and leave the group; from any thread or signal."""
        self._stop.set()

    def run(self) -> None:
        """Work until `stop`; leaves the group in any case."""
        self._consumer.subscribe([self._config.topics.segments])
        try:
            while not self._stop.is_set():
                self._resume_due()
                for record in self._poll():
                    self._work_on(record)
        finally:
            self._consumer.close(autocommit=False, timeout_ms=int(COMMIT_S * 1000))
            self._producer.close(timeout=COMMIT_S)

    def _poll(self) -> list[Any]:
        # One record at a time: what is not handled yet stays with the broker, for whoever owns the partition then.
        try:
            batches = self._consumer.poll(timeout_ms=int(POLL_S * 1000), max_records=1)
        except KafkaError as error:
            if not error.retriable:
                raise
            log.warning("broker away", error=str(error))
            self._stop.wait(POLL_S)
            return []
        return [record for records in batches.values() for record in records]

    def _work_on(self, record: Any) -> None:
        place = TopicPartition(record.topic, record.partition)
        started = time.monotonic()
        try:
            recommendation, reason = self._answer(place, record)
            self._publish(record, recommendation, reason)
        except Busy as busy:
            self._put_back(place, record, busy)
            return
        self._commit(place, record)
        self._waiting.pop(place, None)
        if reason:
            log.warning("dead letter", place=place, offset=record.offset, code=reason[0], reason=one_line(reason[1]))
            DEADLETTERS_TOTAL.labels(reason[0]).inc()
        SEGMENTS_TOTAL.labels("answered" if recommendation else "dead").inc()
        SEGMENT_SECONDS.observe(time.monotonic() - started)

    def _answer(self, place: TopicPartition, record: Any) -> tuple[Recommendation | None, Reason | None]:
        segment: Segment | None = None
        try:
            segment = decode_segment(record.value, record.headers)
            answer = self._handle(segment)
        except Poison as poison:
            return None, (poison.code, str(poison))
        except Busy as busy:
            if self._patient(place, record, busy):
                raise
            return None, (busy.code, str(busy))
        except Exception:
            named = (segment.stream_id, segment.sequence) if segment else None
            log.error("bug: stopping, nothing committed", segment=named, place=place, offset=record.offset)
            raise
        return answer.recommendation, answer.poison

    def _publish(self, record: Any, recommendation: Recommendation | None, reason: Reason | None) -> None:
        """Send the dead letter and the answer, and wait for the broker's acknowledgement of both."""
        if reason:
            try:
                self._send(self._config.topics.deadletters, _bury(record, reason))
            except MessageSizeTooLargeError:  # the topic takes less than ours would: say at least where and why
                self._send(self._config.topics.deadletters, _bury(record, reason, keep=0))
        if recommendation:
            self._send(self._config.topics.recommendations, encode_recommendation(recommendation))

    def _send(self, topic: str, event: Event) -> None:
        try:
            sent = self._producer.send(topic, event.value, key=event.key, headers=event.headers)
            sent.get(timeout=DELIVERY_S + 5)
        except KafkaError as error:
            if not error.retriable:
                raise
            raise Busy("broker_away", f"the answer was not acknowledged: {error}") from error

    def _commit(self, place: TopicPartition, record: Any) -> None:
        """Commit, waiting while the broker is away: the answer is out, so nothing else is worth doing."""
        offsets = {place: OffsetAndMetadata(record.offset + 1, "", -1)}
        while True:
            try:
                self._consumer.commit(offsets, timeout_ms=int(COMMIT_S * 1000))
                return
            except CommitFailedError:  # another worker has the partition now and answers again, with the same answer
                log.warning("not committed: the partition has moved", place=place, offset=record.offset)
                return
            except KafkaError as error:
                if not error.retriable:
                    raise
                log.warning("broker away: commit waits", place=place, offset=record.offset, error=str(error))
                if self._stop.wait(POLL_S):
                    return

    def _patient(self, place: TopicPartition, record: Any, busy: Busy) -> bool:
        wait = self._waiting.get(place)
        if busy.patience_s is None or wait is None or wait.offset != record.offset:
            return True
        return time.monotonic() - wait.since < busy.patience_s

    def _put_back(self, place: TopicPartition, record: Any, busy: Busy) -> None:
        """Pause the partition in front of this record; polling goes on, so the group keeps this member."""
        wait = self._waiting.get(place)
        if wait is None or wait.offset != record.offset:
            wait = self._waiting[place] = _Wait(record.offset, time.monotonic())
        pause_s = min(BACKOFF_S[0] * 2**wait.attempts, BACKOFF_S[1])
        wait.attempts = min(wait.attempts + 1, 16)
        wait.retry_at = time.monotonic() + pause_s
        SEGMENTS_TOTAL.labels("busy").inc()
        log.warning("busy", place=place, offset=record.offset, code=busy.code, reason=str(busy), retry_s=pause_s)
        self._consumer.seek(place, record.offset)
        self._consumer.pause(place)

    def _resume_due(self) -> None:
        assigned = self._consumer.assignment() or set()
        for place in set(self._waiting) - assigned:
            del self._waiting[place]  # whoever owns the partition now starts from the commit
        paused = self._consumer.paused()
        for place, wait in self._waiting.items():
            if place in paused and wait.retry_at <= time.monotonic():
                self._consumer.resume(place)


def ensure_topics(config: KafkaConfig) -> None:
    """Create the topics that are missing; what exists is left as it is."""
    topics = config.topics
    largest = {topics.segments: MAX_MESSAGE_BYTES, topics.recommendations: MAX_MESSAGE_BYTES}
    largest[topics.deadletters] = 2 * MAX_MESSAGE_BYTES  # the original as base64
    admin = KafkaAdminClient(**config.client())
    try:
        for name in set(largest) - set(admin.list_topics()):
            settings = {"max.message.bytes": str(largest[name] + 65_536)}
            try:
                admin.create_topics(
                    [NewTopic(name, config.partitions, config.replication, topic_configs=settings)],
                    wait_for_metadata=True,
                )
            except TopicAlreadyExistsError:
                log.info("topic was created by another worker meanwhile", topic=name)
    finally:
        admin.close()


@contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on SIGTERM and SIGINT while the block runs; only in the main thread."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _bury(record: Any, reason: Reason, keep: int = MAX_MESSAGE_BYTES) -> Event:
    where = (record.topic, record.partition, record.offset)
    return encode_dead_letter(dead_letter(record.value, where, reason, keep), record.key)


@contextmanager
def _reaching(config: KafkaConfig) -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        if not error.retriable:
            raise
        raise Busy("kafka_unreachable", f"no Kafka broker answers at {', '.join(config.servers)}: {error}") from error


def _consumer(config: KafkaConfig) -> KafkaConsumer:
    return KafkaConsumer(
        **config.client(),
        group_id=config.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # a new group answers what is waiting
        allow_auto_create_topics=False,
        max_partition_fetch_bytes=2 * MAX_MESSAGE_BYTES,
        max_poll_interval_ms=int(config.max_poll_s * 1000),
        session_timeout_ms=int(config.session_s * 1000),
        heartbeat_interval_ms=int(config.session_s * 1000 / 15),
    )


def _producer(config: KafkaConfig) -> KafkaProducer:
    return KafkaProducer(
        **config.client(),
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        max_request_size=3 * MAX_MESSAGE_BYTES,
        max_block_ms=int(DELIVERY_S * 1000),
        request_timeout_ms=int(DELIVERY_S * 1000 / 3),
        delivery_timeout_ms=int(DELIVERY_S * 1000),
    )
