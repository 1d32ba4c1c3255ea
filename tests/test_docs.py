"""What the documents and `--help` show works: commands are run, messages validated, Python executed, links followed."""

import contextlib
import doctest
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from kafka import KafkaAdminClient

from sordino.monitor.cli import app
from sordino.monitor.policy_files import load_any
from sordino.monitor.settings import Settings
from sordino.monitor.store.effects import Effects
from sordino.monitor.store.store import Store
from sordino.monitor.watching import Kafka, parse
from sordino.pipelines.messages import RECOMMENDATIONS, SEGMENTS, DeadLetter, Match, Message, Recommendation, Segment
from sordino.pipelines.wire import decode_segment
from tests import synth
from tests.monitor import store_samples as samples
from tests.sample_home import Sources, part, sordino, under, work_id

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
DEPLOYMENT = [ROOT / "compose.yaml", ROOT / "Dockerfile"]
BROKER = "localhost:9092"
SHELL = re.compile(r"^(sordino|make|export|docker|pip|python) ", re.MULTILINE)
STOP_S = 60


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    path: Path
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{named(self.path)}-{self.number}"


def blocks(path: Path) -> Iterator[Block]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)
    for number, (language, text) in enumerate(fences):
        yield Block(path, number, language or ("sh" if SHELL.search(text) else "text"), text)


def prose(path: Path) -> str:
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(group: Any, *name: str) -> Iterator[tuple[str, Any]]:
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *name, word)
        else:
            yield " ".join((*name, word)), command


COMMANDS = dict(commands(typer.main.get_command(app)))
BLOCKS = [block for path in DOCUMENTS for block in blocks(path)]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
HELP = [line for command in COMMANDS.values() for line in re.findall(r"Example: (sordino .*)", command.help or "")]


def of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def test_every_language_is_checked() -> None:
    assert {block.language for block in BLOCKS} <= {"sh", "json", "python", "text", "toml"}
    assert len(HELP) >= len(COMMANDS)


# --- a desk like the one that the documents speak of -----------------------------------------------------------------


@dataclass(frozen=True)
class Desk:
    """A folder with the files that the examples name, and what stands for names that only a real place has."""

    folder: Path
    home: Path
    stand_ins: dict[str, str]

    def real(self, text: str) -> str:
        for name, real in self.stand_ins.items():
            text = text.replace(name, real)
        return text


@pytest.fixture(scope="session")
def media(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """README's files: in `clip.mp4`, 45 s, "Blue Lantern" plays 10 dB below speech from 0:20 to 0:29."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "album").mkdir()
    (folder / "streams").mkdir()
    shutil.copy(sources.folder / "song.wav", folder / "album" / "Blue Lantern.wav")
    shutil.copy(sources.folder / "other song.wav", folder / "album" / "Paper Boats.wav")
    sound = under(synth.speech_like(45, 3), part(sources.song, 10, 19), 20, -10)
    synth.clip(folder / "clip.mp4", sound, synth.pictures(45, 5))
    shutil.copy(sources.live(0), folder / "streams" / "live_0.ts")
    added = sordino("works", "add", folder / "album", "--holder", "Blue Note", "--home", folder / "home")
    assert added.status == 0, added
    return folder


@pytest.fixture
def desk(media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    folder = Path(shutil.copytree(media, tmp_path / "desk"))
    home = folder / "home"
    monkeypatch.chdir(folder)
    work = work_id(home, "Blue Lantern")
    licence = sordino("licences", "add", work, "--account", "shop-9", "--json", "--home", home).line["licence_id"]
    reference = sordino("works", "show", work, "--json", "--home", home).line["references"][0]["reference_id"]
    with Store.open(f"sqlite:///{home}/sordino.db") as store:
        (held,) = (r.reference_id for r in store.references() if r.work_id != work)
        quarantine = samples.case(reference_id=held, work_id=work_id(home, "Paper Boats"))
        effects = Effects(samples.NOON, cases=(quarantine,))
        store.save(samples.segment(), [], [], samples.recommendation(), changes=effects)
    return Desk(
        folder,
        home,
        {
            "W1f0c6b2a9d3e4f58": work,
            "L9a3e0c1d2b4f5a67": str(licence),
            "R9c1d2e3f4a5b6071": reference,
            "1:20-1:35": "0:20-0:35",
            "R7d2c9e1f0a3b4c5d": held,
            "/var/spool/streams": str(folder / "streams"),
            "/var/lib/sordino": str(home),
            "postgresql://sordino@db.example/sordino": f"sqlite:///{home}/sordino.db",
            "https://segments.example/live/,s3://segments/": f"{folder.as_uri()}/",
        },
    )


# --- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_shell_examples_run(block: Block, desk: Desk) -> None:
    run(desk.real(block.text), desk)


@pytest.mark.parametrize("line", HELP)
def test_examples_of_help_run(line: str, desk: Desk) -> None:
    run(desk.real(line), desk)


def run(script: str, desk: Desk) -> None:
    environment = {"SORDINO_HOME": str(desk.home)}
    for line in script.splitlines():
        match shlex.split(line, comments=True):
            case []:
                continue
            case ["make", target]:
                assert target in TARGETS
            case ["export", setting]:
                name, _, value = setting.partition("=")
                environment[name] = value
            case ["sordino", "demo", *options]:  # takes minutes: that it can be started so is all that is tested here
                COMMANDS["demo"].make_context("demo", options)
            case ["sordino", "monitor", source, *options] if source.startswith("kafka://"):  # see README's below
                assert isinstance(parse(source), Kafka)
                COMMANDS["monitor"].make_context("monitor", [source, *options])
            case ["sordino", *arguments]:
                over = {"monitor": answered, "follow": followed}.get(next(w for w in arguments if w != "works"))
                with stopped_when(over, desk) if over else contextlib.nullcontext():
                    ran = sordino(*arguments, **environment)
                assert ran.status == 0, (line, ran)
                assert ran.stdout, line
            case _:
                pytest.fail(f"nothing checks {line!r}")


def answered(store: Store) -> bool:
    return store.segment_answer("live", 0) is not None


def followed(store: Store) -> bool:
    return any(reference.begins_s is not None for reference in store.references())


@contextlib.contextmanager
def stopped_when(done: Callable[[Store], bool], desk: Desk) -> Iterator[None]:
    """Stop what runs until it is stopped, as a supervisor does, when the file in the folder was worked on."""
    over = threading.Event()

    def watch() -> None:
        with Store.open(f"sqlite:///{desk.home}/sordino.db") as store:
            while not over.wait(0.1):
                if done(store):
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_commands_in_the_text_exist(path: Path) -> None:
    for code in re.findall(r"`([^`\n]+)`", prose(path)):
        match code.split():
            case ["sordino", *words] if words and re.fullmatch(r"[a-z]+", words[0]):
                known = {" ".join(command.split()[:n]) for command in COMMANDS for n in (1, 2, 3)}
                assert words[0] in known, code
                assert words[0] in COMMANDS or len(words) < 2 or " ".join(words[:2]) in known, code
            case ["make", target]:
                assert target in TARGETS, code
            case ["python", "-m", module, *_]:
                assert importlib.util.find_spec(module) is not None, code
            case ["python", script, *_]:
                assert (ROOT / script).is_file(), code


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_policies_are_policies(block: Block, tmp_path: Path) -> None:
    (tmp_path / "shown.toml").write_text(block.text)
    assert load_any(str(tmp_path / "shown.toml"), tmp_path).version > 0


# --- messages and Python ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_messages_validate(block: Block) -> None:
    fields = set(json.loads(block.text))
    models: list[type[Message]] = [Segment, Recommendation, DeadLetter, Match]
    (model,) = (model for model in models if fields <= set(model.model_fields))
    assert model.model_validate_json(block.text, strict=True)
    if model is Segment:
        assert decode_segment(block.text.encode())


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if ">>> " in path.read_text()], ids=named)
def test_python_examples_give_what_they_show(path: Path, desk: Desk) -> None:
    text = "\n".join(block.text for block in blocks(path) if ">>> " in block.text)
    examples = doctest.DocTestParser().get_doctest(text, {}, named(path), str(path), 0)
    told: list[str] = []
    doctest.DocTestRunner().run(examples, out=told.append)
    assert not told, "".join(told)


def test_every_python_block_is_executed_by_some_test() -> None:
    assert [str(block) for block in of("python") if ">>> " not in block.text] == [str(the_readme("python", BROKER))]


def the_readme(language: str, having: str) -> Block:
    (block,) = (b for b in blocks(README) if b.language == language and having in b.text)
    return block


def test_the_kafka_path_of_the_readme(desk: Desk, kafka_broker: str, capsys: pytest.CaptureFixture[str]) -> None:
    stream = f"video-{desk.folder.stat().st_ino}-{os.getpid()}"  # a broker of the user's own may remember the last one
    (desk.folder / "up").mkdir()
    shutil.copy(desk.folder / "clip.mp4", desk.folder / "up" / "8812.mp4")
    there = {BROKER: kafka_broker, "https://media.example/": f"{desk.folder.as_uri()}/", "video-8812": stream}
    here = Desk(desk.folder, desk.home, there)
    (desk.folder / "segment.json").write_text(here.real(the_readme("json", "media").text))
    export, command = here.real(the_readme("sh", BROKER).text).splitlines()
    setting, _, value = export.removeprefix("export ").partition("=")
    environment = {"SORDINO_HOME": str(desk.home), setting: value, "SORDINO_KAFKA_GROUP": stream}
    with worker(shlex.split(command), environment) as running:
        assert topics_are_there(running, kafka_broker), f"the worker ended with status {running.returncode}"
        exec(compile(here.real(the_readme("python", BROKER).text), str(README), "exec"), {})
    got = Recommendation.model_validate_json(capsys.readouterr().out)
    shown = Recommendation.model_validate_json(the_readme("json", "recommendation_id").text)
    assert (got.stream_id, got.automatic, got.regime) == (stream, shown.automatic, shown.regime)
    assert outline(got.measures) == outline(shown.measures)
    assert [outline([row.measure]) for row in got.rejected] == [outline([row.measure]) for row in shown.rejected]
    assert figures(got) == pytest.approx(figures(shown), abs=0.5)
    assert [(match.title, match.track) for match in got.because] == [(m.title, m.track) for m in shown.because]


def figures(answer: Recommendation) -> list[float]:
    rejected = [figure for row in answer.rejected for figure in (row.residual_s, row.collateral_s)]
    return [answer.residual_s, answer.collateral_s, *rejected]


def outline(measures: Any) -> list[Any]:
    return [(m.kind, [(round(span.start_s), round(span.end_s)) for span in m.spans]) for m in measures]


@contextlib.contextmanager
def worker(command: list[str], environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the command in a process of its own; stopped in order it leaves with 0."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SORDINO_")}
    program = Path(sys.executable).with_name(command[0])
    running = subprocess.Popen([program, *command[1:]], env=clean | environment, stdout=subprocess.DEVNULL)
    try:
        yield running
        running.terminate()
        assert running.wait(STOP_S) == 0
    finally:
        running.kill()
        running.wait()


def topics_are_there(running: "subprocess.Popen[bytes]", broker: str) -> bool:
    """Wait until the worker has made the topics, or has ended."""
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        while running.poll() is None:
            if {SEGMENTS, RECOMMENDATIONS} <= set(admin.list_topics()):
                return True
            time.sleep(0.2)
    finally:
        admin.close()
    return False


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, heading = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", prose(there), re.MULTILINE)
            assert heading in {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in headings}, target


@pytest.mark.parametrize("path", [*DOCUMENTS, *DEPLOYMENT], ids=named)
def test_variables_exist(path: Path) -> None:
    settings = {f"SORDINO_{name.upper()}" for name in Settings.model_fields}
    servers = "".join((ROOT / "tests" / name).read_text() for name in ("kafka_broker.py", "postgres_server.py"))
    of_tests = set(re.findall(r"SORDINO_TEST_[A-Z]+", servers))
    assert set(re.findall(r"SORDINO_[A-Z_]+", path.read_text())) <= settings | of_tests


def test_every_setting_is_documented() -> None:
    text = "".join(path.read_text() for path in DOCUMENTS)
    assert [name for name in Settings.model_fields if f"SORDINO_{name.upper()}" not in text] == []


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, *sorted(p for p in (ROOT / "docs").rglob("*") if p.suffix in {".json", ".svg"})], ids=named
)
def test_no_path_of_the_writer_s_machine(path: Path) -> None:
    text = path.read_text()
    assert str(ROOT) not in text
    assert re.findall(r"(?:/home|/Users|/root|/tmp|/work)/\S*", text) == []
