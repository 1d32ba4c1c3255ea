"""The Kafka clients: where the brokers are, which topics, and how to be sure that a message has arrived."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import CommitFailedError, KafkaError, MessageSizeTooLargeError, TopicAlreadyExistsError

from sordino.pipelines.failures import Busy
from sordino.pipelines.messages import DEADLETTERS, RECOMMENDATIONS, SEGMENTS
from sordino.pipelines.wire import MAX_MESSAGE_BYTES, Event, one_line

log = structlog.get_logger()

DELIVERY_S = 30.0  # how long one publication is tried before the caller has to try again
RECONNECT_S = 2.0  # at most, between two attempts to reach a broker
OVERHEAD_BYTES = 65_536  # key, headers and batch around the largest value


class KafkaRefusedError(Exception):
    """The brokers answer, but won't do what is asked: wrong settings, wrong password, no permission."""

    code = "kafka_refused"


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
    replication: int = -1  # of the same; -1: as the broker is set
    connect_s: float = 60.0
    max_poll_s: float = 600.0  # must be longer than the longest analysis of one segment
    session_s: float = 45.0

    def client(self) -> dict[str, Any]:
        """Return the settings that each kind of client needs."""
        return {
            "bootstrap_servers": list(self.servers),
            "bootstrap_timeout_ms": int(self.connect_s * 1000),
            "reconnect_backoff_max_ms": int(RECONNECT_S * 1000),
            **self.security,
        }


class Publisher:
    """Sends events and waits until the brokers have them: all replicas in sync, none twice by a retry."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._producer: KafkaProducer | None = None

    def send(self, topic: str, event: Event) -> None:
        """
        Return when the event is acknowledged.

        Raises Busy when the broker is away, MessageSizeTooLargeError (kafka-python's) and KafkaRefusedError.
        """
        try:
            with reaching(self._config):
                self._producer = self._producer or _producer(self._config)
                sent = self._producer.send(topic, event.value, key=event.key, headers=event.headers)
                sent.get(timeout=DELIVERY_S + 5)
        except (Busy, KafkaRefusedError, MessageSizeTooLargeError):
            self.close(timeout_s=0)  # after one failure an idempotent producer refuses all that follows
            raise

    def close(self, timeout_s: float = DELIVERY_S) -> None:
        """Disconnect; the next `send` connects again."""
        if self._producer:
            self._producer.close(timeout=timeout_s)
        self._producer = None


def ensure_topics(config: KafkaConfig) -> None:
    """Create the topics that are missing; what exists is left as it is."""
    largest = {
        config.topics.segments: MAX_MESSAGE_BYTES,
        config.topics.recommendations: MAX_MESSAGE_BYTES,
        config.topics.deadletters: 2 * MAX_MESSAGE_BYTES,  # the original as base64
    }
    admin = KafkaAdminClient(**config.client())
    try:
        for name in set(largest) - set(admin.list_topics()):
            settings = {"max.message.bytes": str(largest[name] + OVERHEAD_BYTES)}
            topic = NewTopic(name, config.partitions, config.replication, topic_configs=settings)
            try:
                admin.create_topics([topic], wait_for_metadata=True)
            except TopicAlreadyExistsError:
                log.info("topic was created by another worker meanwhile", topic=name)
    finally:
        admin.close()


def join(config: KafkaConfig) -> KafkaConsumer:
    """Make a member of the consumer group that reads the segments and commits by hand."""
    consumer = KafkaConsumer(
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
    consumer.subscribe([config.topics.segments])
    return consumer


@contextmanager
def reaching(config: KafkaConfig) -> Iterator[None]:
    """Turn Kafka's errors into Busy where they pass by themselves, else into KafkaRefusedError, the brokers named."""
    try:
        yield
    except (CommitFailedError, MessageSizeTooLargeError):
        raise  # the caller knows what to do
    except KafkaError as error:
        servers = ", ".join(config.servers)
        if error.retriable:
            doubt = ", or it refuses the security settings" if config.security else ""  # kafka-python does not tell
            raise Busy(
                "kafka_unreachable", f"no Kafka broker answers at {servers}{doubt}: {one_line(str(error))}"
            ) from error
        raise KafkaRefusedError(f"Kafka at {servers} can't be used: {one_line(str(error))}") from error


def _producer(config: KafkaConfig) -> KafkaProducer:
    milliseconds = int(DELIVERY_S * 1000)
    return KafkaProducer(
        **config.client() | {"bootstrap_timeout_ms": milliseconds},
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        max_request_size=3 * MAX_MESSAGE_BYTES,
        max_block_ms=milliseconds,
        request_timeout_ms=milliseconds // 3,
        delivery_timeout_ms=milliseconds,
    )
