"""The read-process-write loop: poll, pause, dead-letter, publish, commit."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import structlog
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, MessageSizeTooLargeError
from prometheus_client import Counter, Histogram

from sordino.pipelines.broker import KafkaConfig, Publisher, ensure_topics, join, reaching
from sordino.pipelines.failures import Busy, Poison
from sordino.pipelines.messages import Recommendation, Segment
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

COMMIT_S = 10.0
POLL_S = 1.0
BACKOFF_S = (0.5, 30.0)  # first and longest pause after Busy

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


@dataclass(slots=True)
class _Wait:
    """A record that could not be worked on yet, and its partition with it."""

    offset: int
    since: float
    attempts: int = 0
    retry_at: float = 0.0


class Worker:
    """
    A member of the consumer group: answers segments until it is stopped.

    A segment's offset is committed only when its answer is stored (`handle` does so before it returns) and
    acknowledged by the broker, so a segment may be handled twice but is never lost; `handle` must be idempotent.
    Busy holds up the segment's partition and is tried again; Poison goes to the dead letters; any other exception
    leaves `run` with nothing committed.

    Raises Busy when no broker answers within `connect_s`, and KafkaRefusedError, as `run` does later.
    """

    def __init__(self, config: KafkaConfig, handle: Handle, stop: threading.Event | None = None) -> None:
        self._config = config
        self._handle = handle
        self._stop = stop or threading.Event()
        self._waiting: dict[TopicPartition, _Wait] = {}
        with reaching(config):
            ensure_topics(config)
            self._consumer = join(config)
        self._publisher = Publisher(config)

    def stop(self) -> None:
        """Ask `run` to finish the segment at hand, commit it and leave the group; from any thread or signal."""
        self._stop.set()

    def run(self) -> None:
        """Work until `stop`; leaves the group in any case."""
        try:
            while not self._stop.is_set():
                for record in self._poll():
                    if self._too_early(record):
                        self._let_pass(record)
                    else:
                        self._work_on(record)
        finally:
            self._consumer.close(autocommit=False, timeout_ms=int(COMMIT_S * 1000))
            self._publisher.close(COMMIT_S)

    def _poll(self) -> list[Any]:
        # One record at a time: what is not handled yet stays with the broker, for whoever owns the partition then.
        try:
            with reaching(self._config):
                batches = self._consumer.poll(timeout_ms=int(POLL_S * 1000), max_records=1)
        except Busy as busy:
            log.warning("broker away", reason=str(busy))
            self._stop.wait(POLL_S)
            return []
        for place in set(self._waiting) - self._consumer.assignment():
            del self._waiting[place]  # whoever owns the partition now starts from the commit
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
                self._publisher.send(self._config.topics.deadletters, _bury(record, reason))
            except MessageSizeTooLargeError:  # the topic takes less than ours would: say at least where and why
                self._publisher.send(self._config.topics.deadletters, _bury(record, reason, keep=0))
        if recommendation:
            self._publisher.send(self._config.topics.recommendations, encode_recommendation(recommendation))

    def _commit(self, place: TopicPartition, record: Any) -> None:
        """Commit, waiting while the broker is away: the answer is out, so nothing else is worth doing."""
        offsets = {place: OffsetAndMetadata(record.offset + 1, "", -1)}
        while True:
            try:
                with reaching(self._config):
                    self._consumer.commit(offsets, timeout_ms=int(COMMIT_S * 1000))
                return
            except CommitFailedError:  # another worker has the partition now and answers again, with the same answer
                log.warning("not committed: the partition has moved", place=place, offset=record.offset)
                return
            except Busy as busy:
                log.warning("broker away: commit waits", place=place, offset=record.offset, reason=str(busy))
                if self._stop.wait(POLL_S):
                    return

    def _patient(self, place: TopicPartition, record: Any, busy: Busy) -> bool:
        wait = self._waiting.get(place)
        if busy.patience_s is None or wait is None or wait.offset != record.offset:
            return True
        return time.monotonic() - wait.since < busy.patience_s

    def _put_back(self, place: TopicPartition, record: Any, busy: Busy) -> None:
        """Go back in front of this record; polling goes on, so the group keeps this member and others are answered."""
        wait = self._waiting.get(place)
        if wait is None or wait.offset != record.offset:
            wait = self._waiting[place] = _Wait(record.offset, time.monotonic())
        pause_s = min(BACKOFF_S[0] * 2**wait.attempts, BACKOFF_S[1])
        wait.attempts = min(wait.attempts + 1, 16)
        wait.retry_at = time.monotonic() + pause_s
        SEGMENTS_TOTAL.labels("busy").inc()
        log.warning("busy", place=place, offset=record.offset, code=busy.code, reason=str(busy), retry_s=pause_s)
        self._consumer.seek(place, record.offset)

    def _too_early(self, record: Any) -> bool:
        wait = self._waiting.get(TopicPartition(record.topic, record.partition))
        return wait is not None and wait.offset == record.offset and time.monotonic() < wait.retry_at

    def _let_pass(self, record: Any) -> None:
        # Not pause() and resume(): kafka-python 3.0 never returns to a partition that was paused with records at hand
        # once another partition has been read (Fetcher.fetch_records, _paused_partition_records).
        place = TopicPartition(record.topic, record.partition)
        self._consumer.seek(place, record.offset)
        self._stop.wait(max(0.0, min(self._waiting[place].retry_at - time.monotonic(), POLL_S)))


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
