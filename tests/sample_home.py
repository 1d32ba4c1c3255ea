"""A home folder with registered works, clips that quote them at known places, and the command to run on it."""

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import structlog

from sordino.monitor import cli
from tests import synth
from tests.synth import RATE, Samples

HOLDER = "Blue Label"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output, which has to be nothing but one JSON object a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        """The only line."""
        (line,) = self.lines
        return line


def sordino(*arguments: str | Path, **environment: str) -> Ran:
    """Run the command in this process, with no SORDINO_ variable but these; what it does not catch is raised."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    status = None
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SORDINO_")}
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, clean | environment, clear=True))
        stack.enter_context(mock.patch.object(sys, "argv", ["sordino", *map(str, arguments)]))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        stack.callback(structlog.reset_defaults)
        try:
            cli.main()
        except SystemExit as left:
            status = left.code
    assert isinstance(status, int)
    out.flush()
    printed = out.buffer.getvalue()
    return Ran(status, printed.decode(), err.getvalue())


def part(sound: Samples, start_s: float, end_s: float) -> Samples:
    """The samples from one time to another."""
    return sound[round(start_s * RATE) : round(end_s * RATE)]


def under(speech: Samples, music: Samples, at_s: float, music_db: float) -> Samples:
    """Lay music under speech from `at_s`, so many decibels relative to it."""
    gain = np.sqrt(np.mean(speech**2) / np.mean(music**2)) * 10 ** (music_db / 20)
    track = speech.copy()
    track[round(at_s * RATE) :][: len(music)] += np.float32(gain) * music
    return np.asarray(0.9 * track / np.abs(track).max(), np.float32)


@dataclass(frozen=True, slots=True)
class Sources:
    """What the works are made of, and where their files are."""

    folder: Path
    song: Samples  # 40 s
    film: synth.Frames  # 30 s

    def file(self, name: str, make: Callable[[Path], Path]) -> Path:
        """Return the file of this name, made once."""
        path = self.folder / name
        if not path.exists():
            made = make(path.with_name(f"making-{name}"))
            made.rename(path)
        return path

    @property
    def clip(self) -> Path:
        """30 s of speech and other pictures; from 8 to 22 s the song plays 6 dB below it, from its 10 to 24 s."""
        sound = under(synth.speech_like(30, 3), part(self.song, 10, 24), 8, -6)
        return self.file("clip.mp4", lambda path: synth.clip(path, sound, synth.pictures(30, 77)))

    @property
    def replay(self) -> Path:
        """24 s of silent pictures; from 6 to 18 s the film's from its 10 to 22 s."""
        shown = [synth.pictures(6, 41), self.film[100:220], synth.pictures(6, 42)]
        return self.file("replay.mp4", lambda path: synth.clip(path, None, np.concatenate(shown)))

    @property
    def quote(self) -> Path:
        """14 s of silent pictures; from 6 to 8 s the film's from its 12 to 14 s: too short to act on."""
        shown = [synth.pictures(6, 43), self.film[120:140], synth.pictures(6, 44)]
        return self.file("quote.mp4", lambda path: synth.clip(path, None, np.concatenate(shown)))

    @property
    def speech(self) -> Path:
        """15 s of speech: nobody's work."""
        return self.file("speech.wav", lambda path: synth.wav(path, synth.speech_like(15, 9)))

    def live(self, number: int) -> Path:
        """The n-th of three 10 s segments of speech; from 2 to 28 s the song plays 3 dB above it, from its 9 s."""
        sound = under(synth.speech_like(30, 8), part(self.song, 9, 35), 2, 3)
        here = part(sound, 10 * number, 10 * number + 10)
        return self.file(f"live_{number}.ts", lambda path: synth.clip(path, here, synth.pictures(10, 90 + number)))


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    folder = tmp_path_factory.mktemp("sources")
    made = Sources(folder, synth.music(40, 21), synth.pictures(30, 5))
    synth.wav(folder / "song.wav", made.song)
    synth.wav(folder / "other song.wav", synth.music(30, 23))
    synth.clip(folder / "film.mp4", None, made.film)
    return made


@pytest.fixture(scope="session")
def registered(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with song, other song and film; to look into only. `home` is a copy to write to."""
    folder = tmp_path_factory.mktemp("homes") / "registered"
    files = [sources.folder / name for name in ("song.wav", "other song.wav", "film.mp4")]
    added = sordino("works", "add", *files, "--holder", HOLDER, "--home", folder, "--json")
    assert added.status == 0, added
    return folder


@pytest.fixture
def home(registered: Path, tmp_path: Path) -> Path:
    """A home of the test's own with the registered works."""
    return Path(shutil.copytree(registered, tmp_path / "home"))


def work_id(home: Path, title: str) -> str:
    """The work of this title."""
    works = sordino("works", "list", "--json", "--home", home).lines
    (found,) = [str(work["work_id"]) for work in works if work["title"] == title]
    return found
