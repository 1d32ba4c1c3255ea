"""Bad input through the commands: a clear error that names the file, nothing lost, the next file is worked on."""

import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import synth
from tests.pipelines.test_media_hostile import local_canary, remote_canary
from tests.sample_home import Sources, part, sordino

__all__ = ["local_canary", "remote_canary"]

SORDINO = Path(sys.executable).with_name("sordino")
NOTHING = "nothing_to_recognise"


@dataclass(frozen=True, slots=True)
class Bad:
    """A file, and the error's code: of a command that only looks at it (None: it is odd, but can be read), of add."""

    name: str
    make: Callable[[Path], Path]
    looked_at: str | None
    added: str


def short(path: Path) -> Path:
    return synth.wav(path, part(synth.music(3, 71), 1, 1.2))


def silence(path: Path) -> Path:
    return synth.wav(path, np.zeros(12 * synth.RATE, np.float32))


def silent_film(path: Path) -> Path:
    return synth.clip(path, np.zeros(6 * synth.RATE, np.float32), np.zeros((60, 90, 160), np.uint8))


def one_frame(path: Path) -> Path:
    return synth.clip(path, None, synth.pictures(1, 72)[:1])


BAD = {
    "MP4 without moov": Bad("cut.mp4", synth.truncated_mp4, "damaged", "damaged"),
    "zero bytes": Bad("zero.mp4", synth.empty, "empty", "empty"),
    "text named mp4": Bad("letter.mp4", synth.text, "not_media", "not_media"),
    "picture": Bad("cover.png", synth.picture, "unsupported_format", "unsupported_format"),
    "picture named mp4": Bad("cover.mp4", synth.picture, "unsupported_format", "unsupported_format"),
    "0.2 s of sound": Bad("short.wav", short, None, NOTHING),
    "digital silence": Bad("silence.wav", silence, None, NOTHING),
    "silence in the dark": Bad("black.mp4", silent_film, None, NOTHING),
    "20,000 x 20,000": Bad("huge.mp4", synth.huge_picture, "too_large", "too_large"),
    "one frame": Bad("one.mp4", one_frame, None, NOTHING),
    "100 hours": Bad("hours.mp4", synth.hours, "too_long", "too_long"),
    "100 hours, Matroska": Bad("hours.mkv", synth.hours, "too_long", "too_long"),
}
EACH = pytest.mark.parametrize("bad", BAD.values(), ids=BAD)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every bad file, made once."""
    folder = tmp_path_factory.mktemp("bad")
    return {bad.name: bad.make(folder / bad.name) for bad in BAD.values()}


@pytest.fixture(scope="module")
def jingle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good file to add."""
    return synth.clip(tmp_path_factory.mktemp("good") / "jingle.mp3", synth.music(8, 73), None, "-b:a", "160k")


def works(home: Path) -> list[dict[str, Any]]:
    return sordino("works", "list", "--home", home, "--json").lines


def media(home: Path) -> set[str]:
    return {path.name for path in (home / "media").iterdir()}


def titles(line: dict[str, Any]) -> list[str]:
    return [match["title"] for match in line["matches"]]


def kinds(line: dict[str, Any]) -> list[str]:
    return [measure["kind"] for measure in line["recommendation"]["measures"]]


def names_it(line: dict[str, Any], path: Path, code: str) -> bool:
    """Whether the line has an error of this code, in one line that names the file."""
    message = line["error"]["message"]
    return line["path"] == str(path) and line["error"]["code"] == code and path.name in message and "\n" not in message


@EACH
def test_add(home: Path, jingle: Path, files: dict[str, Path], bad: Bad) -> None:
    before, kept = works(home), media(home)
    path = files[bad.name]
    ran = sordino("works", "add", path, jingle, "--home", home, "--json")
    assert (ran.status, ran.stderr) == (3, "")
    refused, added = ran.lines
    assert set(refused) == {"path", "error"}
    assert names_it(refused, path, bad.added)
    assert added["audio_s"] == pytest.approx(8, abs=0.1)
    assert [work["title"] for work in works(home)] == [*(work["title"] for work in before), "jingle"]
    assert len(media(home)) == len(kept) + 1  # nothing is left of what was refused
    assert all(line["ok"] for line in sordino("doctor", "--home", home, "--json").lines)


@EACH
def test_match(registered: Path, sources: Sources, files: dict[str, Path], bad: Bad) -> None:
    path = files[bad.name]
    ran = sordino("match", path, sources.live(1), "--home", registered, "--json")
    assert ran.stderr == ""
    first, second = ran.lines
    assert titles(second) == ["song"]
    if bad.looked_at:
        assert ran.status == 3
        assert set(first) == {"path", "error"}
        assert names_it(first, path, bad.looked_at)
    else:
        assert ran.status == 0
        assert titles(first) == []


@EACH
def test_check(registered: Path, sources: Sources, files: dict[str, Path], bad: Bad) -> None:
    path = files[bad.name]
    ran = sordino("check", path, sources.live(1), "--home", registered, "--json")
    assert ran.stderr == ""
    first, second = ran.lines
    assert kinds(second) == ["erase_music"]
    if bad.looked_at:  # never allowed, never removed
        assert ran.status == 3
        assert names_it(first, path, bad.looked_at)
        assert kinds(first) == ["review"]
        assert bad.looked_at in first["recommendation"]["statement"]
    else:
        assert ran.status == 0
        assert kinds(first) == ["allow"]


@pytest.mark.parametrize("command", ["works add", "match", "check"])
def test_nothing_but_bad_files(registered: Path, files: dict[str, Path], command: str) -> None:
    unreadable = [files[bad.name] for bad in BAD.values() if bad.looked_at]
    ran = sordino(*command.split(), *unreadable, "--home", registered)
    assert (ran.status, ran.stdout) == (4, "")
    assert [path.name in line for path, line in zip(unreadable, ran.stderr.splitlines(), strict=True)] == [True] * 8


# --- playlists -------------------------------------------------------------------------------------------------------

PLAYLISTS = [
    pytest.param("list.m3u8", synth.playlist, id="m3u8"),
    pytest.param("playlist.mp4", synth.playlist, id="m3u8 named mp4"),
    pytest.param("list.ffconcat", synth.concat_script, id="concat"),
    pytest.param("concat.ts", synth.concat_script, id="concat named ts"),
]


def refused_by_all(home: Path, path: Path) -> None:
    for command in ("works add", "match", "check"):
        ran = sordino(*command.split(), path, "--home", home, "--json")
        assert (ran.status, ran.stderr) == (4, "")
        assert names_it(ran.line, path, "unsupported_format")


@pytest.mark.parametrize(("name", "make"), PLAYLISTS)
def test_a_playlist_does_not_reach_local_files(
    registered: Path,
    tmp_path: Path,
    name: str,
    make: Callable[[Path, str], Path],
    local_canary: tuple[str, threading.Event],
) -> None:
    target, opened = local_canary
    refused_by_all(registered, make(tmp_path / name, target))
    assert not opened.is_set()


@pytest.mark.parametrize(("name", "make"), PLAYLISTS)
def test_a_playlist_does_not_reach_other_hosts(
    registered: Path,
    tmp_path: Path,
    name: str,
    make: Callable[[Path, str], Path],
    remote_canary: tuple[str, socket.socket],
) -> None:
    target, server = remote_canary
    refused_by_all(registered, make(tmp_path / name, target))
    with pytest.raises(BlockingIOError):
        server.accept()


# --- the disk is full ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("room", "code", "says"),
    [(100_000, "unreadable", "File too large"), (1_000_000, "not_saved", "nothing was changed")],
    ids=["for the media", "for the catalogue"],
)
def test_no_room(home: Path, sources: Sources, jingle: Path, room: int, code: str, says: str) -> None:
    assert jingle.stat().st_size > 100_000
    before, kept = works(home), media(home)
    command: list[str | Path] = [SORDINO, "works", "add", jingle, "--home", home]
    for options in ([], ["--json"]):
        ran = subprocess.run(
            [*command, *options],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        )
        assert ran.returncode == 4, ran
        told = (ran.stdout if options else ran.stderr).splitlines()
        assert len(told) == 1
        assert jingle.name in told[0]
        assert says in told[0]
        assert (ran.stderr if options else ran.stdout) == ""
    assert f'"{code}"' in told[0]
    assert (works(home), media(home)) == (before, kept)
    assert titles(sordino("match", sources.live(1), "--home", home, "--json").line) == ["song"]
    assert sordino("works", "add", jingle, "--home", home).status == 0  # once there is room again
    assert [work["title"] for work in works(home)][-1] == "jingle"
    assert all(line["ok"] for line in sordino("doctor", "--home", home, "--json").lines)
