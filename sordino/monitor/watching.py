"""What `sordino monitor` does: answer the segments of every source until it is told to stop."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from prometheus_client import start_http_server

from sordino.monitor.home import opened
from sordino.monitor.process import process
from sordino.monitor.settings import Settings, SettingsError
from sordino.pipelines.broker import KafkaConfig
from sordino.pipelines.consume import Answer, Worker, stopping_on_signals
from sordino.pipelines.fetch import FetchLimits, local_media
from sordino.pipelines.messages import Recommendation, Segment
from sordino.pipelines.prefixes import Place, parse_prefixes
from sordino.pipelines.sources import FolderSource
from sordino.pipelines.warm_up import warm_up

Tell = Callable[[Recommendation], None]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kafka:
    """The brokers that `kafka://HOST[:PORT][,HOST...]` names."""

    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is being filled."""

    path: Path


def parse(source: str) -> Kafka | Folder:
    """
    Read what was typed; raises ValueError.

    >>> parse("kafka://one:9092,two")
    Kafka(servers=('one:9092', 'two:9092'))
    """
    scheme, separator, rest = source.partition("://")
    if separator and scheme != "kafka":
        raise ValueError(f"{source!r} can't be watched: expected kafka://HOST[,HOST] or a folder")
    if separator:
        hosts = [host for host in rest.rstrip("/").split(",") if host]
        if not hosts:
            raise ValueError(f"{source!r} names no host")
        return Kafka(tuple(_server(host) for host in hosts))
    if not source or not Path(source).is_dir():
        raise ValueError(f"{source!r} is no folder")
    return Folder(Path(source))


def _server(host: str) -> str:
    address = urlsplit(f"//{host}")
    if address.netloc != host or not address.hostname or "@" in host or not host.isprintable() or " " in host:
        raise ValueError(f"{host!r} is no HOST or HOST:PORT")
    return host if address.port is not None else f"{host}:9092"


def run(sources: Sequence[Kafka | Folder], settings: Settings, situation: Mapping[str, Any], tell: Tell) -> None:
    """
    Answer until SIGTERM or SIGINT; `tell` gets each new recommendation, `situation` goes for the folders' segments.

    Each source has a thread and a home of its own. One that fails stops all, and its error is raised here.
    """
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, settings.metrics_host)
    warm_up()
    stop = threading.Event()
    failed: list[BaseException] = []

    def watch(source: Kafka | Folder) -> None:
        try:
            if isinstance(source, Kafka):
                _watch_kafka(source, settings, tell, stop)
            else:
                _watch_folder(source, settings, situation, tell, stop)
        except BaseException as error:  # carried to the main thread and raised there
            failed.append(error)
        finally:
            stop.set()

    threads = [threading.Thread(target=watch, args=(source,), name=str(source)) for source in sources]
    with stopping_on_signals(stop.set):
        for thread in threads:
            thread.start()
        stop.wait()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def _watch_kafka(source: Kafka, settings: Settings, tell: Tell, stop: threading.Event) -> None:
    try:
        prefixes = parse_prefixes(settings.media_prefixes)
    except ValueError as error:
        raise SettingsError(f"media_prefixes (SORDINO_MEDIA_PREFIXES): {error}") from error
    config = KafkaConfig(source.servers, group=settings.kafka_group, security=settings.kafka_security)
    limits = FetchLimits(max_bytes=settings.max_media_bytes)
    with opened(settings) as home:

        def handle(segment: Segment) -> Answer:
            answer = process(segment, local_media(segment, prefixes, limits), home)
            tell(answer.recommendation)
            return answer

        log.info("connecting", brokers=source.servers, group=config.group)
        worker = Worker(config, handle, stop)
        log.info("watching", brokers=source.servers, group=config.group)
        worker.run()


def _watch_folder(
    source: Folder, settings: Settings, situation: Mapping[str, Any], tell: Tell, stop: threading.Event
) -> None:
    place: tuple[Place, ...] = parse_prefixes([source.path.resolve().as_uri() + "/"])
    limits = FetchLimits(max_bytes=settings.max_media_bytes)
    with opened(settings) as home:

        def handle(segment: Segment) -> Answer:
            known = {name: value for name, value in situation.items() if getattr(segment, name) in (None, False)}
            segment = segment.model_copy(update=known)
            return process(segment, local_media(segment, place, limits), home)

        folder = FolderSource(source.path, home.store.segment_end_s)
        log.info("watching", folder=str(source.path))
        for _, answer in folder.answers(handle, stop):
            tell(answer.recommendation)
