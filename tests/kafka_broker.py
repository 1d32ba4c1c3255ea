"""
A real Apache Kafka for the tests: one node, KRaft, on loopback, started from what Maven brings.

`SORDINO_TEST_KAFKA=host:port` names a running broker instead (tests that stop the broker still start their own);
`SORDINO_TEST_KAFKA=none` goes without by hand.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

VERSION = "3.9.1"
CLUSTER = "c29yZGluby10ZXN0cy1rYQ"  # any UUID as base64
START_S = 60
STOP_S = 30

POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
  </dependency></dependencies>
</project>
"""
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=\\
  org.apache.kafka.common.security.plain.PlainLoginModule required user_worker="secret";
log.dirs={data}
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
log.cleaner.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""


class NoKafkaError(Exception):
    """Neither a running broker nor the means to start one; the message says how to get either."""


class Broker:
    """One node with its data in `folder`; it keeps its port and its data through `stop`, `kill` and `start`."""

    def __init__(self, folder: Path) -> None:
        self._jars = jars()
        self._folder = folder
        self._port, self._sasl, controller = free_ports(3)
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        data = folder / "data"
        properties = PROPERTIES.format(port=self._port, sasl=self._sasl, controller=controller, data=data)
        (folder / "server.properties").write_text(properties)
        formatting = self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", "server.properties")
        if formatting.wait(START_S) != 0:
            raise NoKafkaError(f"Kafka's storage could not be formatted: {self._last_words()}")

    @property
    def address(self) -> str:
        """The bootstrap server, `host:port`."""
        return f"127.0.0.1:{self._port}"

    @property
    def sasl_address(self) -> str:
        """The same for SASL_PLAINTEXT, mechanism PLAIN: user `worker`, password `secret`."""
        return f"127.0.0.1:{self._sasl}"

    def start(self) -> "Broker":
        """Start and wait until it accepts connections."""
        self._process = self._java("kafka.Kafka", "server.properties")
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            if _listens(self._port):
                return self
            time.sleep(0.1)
        raise NoKafkaError(f"Kafka did not start: {self._last_words()}")

    def stop(self) -> None:
        """Shut down in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Shut down as a power cut does."""
        self._end(signal.SIGKILL)

    def restart(self) -> "Broker":
        """Stop and start on the same port with the same data."""
        self.stop()
        return self.start()

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S)
        self._process = None

    def _last_words(self) -> str:
        return " / ".join(self._log.read_text(errors="replace").splitlines()[-5:])

    def _java(self, main: str, *arguments: str) -> "subprocess.Popen[bytes]":
        # no slf4j binding among the jars: the broker logs nothing, its standard error is kept
        command = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars}/*"]
        with self._log.open("ab") as log:
            return subprocess.Popen([*command, main, *arguments], cwd=self._folder, stdout=log, stderr=log)


def jars() -> Path:
    """Return the folder of Kafka's jars, brought by Maven the first time; raises NoKafkaError."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sordino" / f"kafka-{VERSION}"
    if shutil.which("java") is None:
        raise NoKafkaError(_how("there is no java"))
    if cache.is_dir():
        return cache
    if shutil.which("mvn") is None:
        raise NoKafkaError(_how("there is no mvn"))
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent) as scratch:
        folder = Path(scratch)
        (folder / "pom.xml").write_text(POM)
        command = ["mvn", "-q", "-B", COPY, f"-DoutputDirectory={folder / 'jars'}", "-DincludeScope=runtime"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            raise NoKafkaError(_how(f"Maven could not bring Kafka {VERSION}: {done.stdout.strip()[:300]}"))
        _publish(folder / "jars", cache)
    return cache


def _publish(made: Path, cache: Path) -> None:
    try:
        made.rename(cache)  # whole or not at all
    except OSError:
        if not cache.is_dir():  # else another run was faster
            raise


def _how(what: str) -> str:
    return (
        f"{what}; install Java 17 and Maven (Debian: apt install default-jre-headless maven), or name a running "
        "broker by SORDINO_TEST_KAFKA=host:port, or go without by SORDINO_TEST_KAFKA=none"
    )


def free_ports(count: int) -> list[int]:
    """Return free loopback ports below those that outgoing connections get, so that they stay free meanwhile."""
    ports = []
    for port in random.sample(range(20_000, 30_000), 200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                ports.append(port)
        if len(ports) == count:
            return ports
    raise NoKafkaError("no free port between 20000 and 30000")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _start(folder: Path) -> Broker:
    if os.environ.get("SORDINO_TEST_KAFKA") == "none":
        pytest.skip("SORDINO_TEST_KAFKA=none: gone without Kafka by hand")
    try:
        return Broker(folder).start()
    except NoKafkaError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a real broker that lives as long as the tests run."""
    named = os.environ.get("SORDINO_TEST_KAFKA", "")
    if named not in ("", "none"):
        yield named
        return
    broker = _start(tmp_path_factory.mktemp("kafka"))
    yield broker.address
    broker.stop()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that the test may stop and start as it likes."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    broker = _start(folder)
    yield broker
    broker.stop()
