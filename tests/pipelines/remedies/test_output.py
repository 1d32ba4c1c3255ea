"""A remedied file is there wholly or not at all; and what can't be rendered is an error that says why."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sordino.fingerprints.model import Region, Span
from sordino.pipelines.media import Limits, MediaError
from sordino.pipelines.remedies import encoder, output
from sordino.pipelines.remedies.plan import MOST_SPANS, Blur, Plan, RemedyError
from sordino.pipelines.remedies.render import render
from tests import synth

MUTE = Plan(mute=(Span(1, 2),))
BLANK = Plan(blank=(Span(1, 2),))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("output")
    return synth.clip(folder / "clip.mp4", synth.speech_like(4, 1), synth.pictures(4, 2))


@pytest.fixture(scope="module")
def song(clip: Path) -> Path:
    return synth.wav(clip.with_name("song.wav"), synth.music(4, 1))


@pytest.fixture(scope="module")
def silent(clip: Path) -> Path:
    return synth.video(clip.with_name("silent.mp4"), 4, 3)


def refused(source: Path, out: Path, plan: Plan, code: str, *, overwrite: bool = False) -> str:
    """Render what can't be; return the message, after having seen that nothing is left behind."""
    before = {path: path.stat().st_mtime_ns for path in out.parent.glob("*")}
    with pytest.raises(RemedyError) as error:
        render(source, out, plan, overwrite=overwrite)
    assert error.value.code == code
    assert {path: path.stat().st_mtime_ns for path in out.parent.glob("*")} == before
    assert "\n" not in str(error.value)
    return str(error.value)


# --- plans that can't be ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "culprit"),
    [
        (Plan(mute=(Span(4.5, 5),)), "4.5-5"),
        (Plan(mute=(Span(3, 5.2),)), "3-5.2"),
        (Plan(blank=(Span(1, 2), Span(100, 101))), "100-101"),
        (Plan(trim=(Span(-1, 2),)), "-1-2"),
        (Plan(blur=(Blur(Span(7, 8), Region(0, 0, 1, 1)),)), "7-8"),
    ],
)
def test_a_span_outside_the_file_is_named(clip: Path, tmp_path: Path, plan: Plan, culprit: str) -> None:
    assert culprit in refused(clip, tmp_path / "out.mp4", plan, "span_outside")


def test_a_span_that_ends_a_little_later_than_the_file_is_cut(clip: Path, tmp_path: Path) -> None:
    assert render(clip, tmp_path / "out.mp4", Plan(mute=(Span(3, 4.9),))).out.exists()


@pytest.mark.parametrize(
    ("source", "plan", "out", "code"),
    [
        ("clip", Plan(), "out.mp4", "nothing_to_do"),
        ("clip", Plan(trim=(Span(0, 2), Span(2, 4.05))), "out.mp4", "nothing_left"),
        ("clip", Plan(mute=tuple(Span(k / 1000, k / 1000 + 1e-4) for k in range(MOST_SPANS + 1))), "out.mp4",
         "too_many_spans"),
        ("song", BLANK, "out.mp4", "no_pictures"),
        ("silent", MUTE, "out.mp4", "no_sound"),
        ("clip", BLANK, "out.wav", "bad_container"),
        ("silent", Plan(trim=(Span(1, 2),)), "out.wav", "bad_container"),
        ("clip", MUTE, "out.gif", "bad_container"),
        ("clip", MUTE, "out", "bad_container"),
    ],
)  # fmt: skip
def test_what_can_not_be_rendered_is_refused(
    request: pytest.FixtureRequest, tmp_path: Path, source: str, plan: Plan, out: str, code: str
) -> None:
    refused(request.getfixturevalue(source), tmp_path / out, plan, code)


def test_sound_alone_can_be_trimmed_and_so_can_pictures(song: Path, silent: Path, tmp_path: Path) -> None:
    for source, name in ((song, "out.mp3"), (silent, "out.mp4"), (song, "out.mp4")):
        assert render(source, tmp_path / name, Plan(trim=(Span(1, 2),)), overwrite=True).out.stat().st_size > 1000


# --- where it goes ---------------------------------------------------------------------------------------------------


def test_nothing_is_overwritten_unless_asked(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_text("mine")
    assert "out.mp4" in refused(clip, out, MUTE, "exists")
    assert out.read_text() == "mine"
    assert render(clip, out, MUTE, overwrite=True).out.stat().st_size > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(RemedyError, match="there already"), output.written(out, overwrite=False):
        out.write_text("theirs")
    assert out.read_text() == "theirs"


def test_the_input_is_never_the_output(clip: Path, tmp_path: Path) -> None:
    for name, make in (("link.mp4", Path.symlink_to), ("hard.mp4", Path.hardlink_to)):
        link = tmp_path / name
        make(link, clip)
        refused(clip, link, MUTE, "same_file", overwrite=True)
    refused(clip, clip, MUTE, "same_file", overwrite=True)


def test_a_folder_that_is_missing_or_may_not_be_written_to(clip: Path, tmp_path: Path) -> None:
    assert "no such folder" in refused(clip, tmp_path / "none" / "out.mp4", MUTE, "not_writable")
    refused(clip, tmp_path, MUTE, "bad_container")
    (tmp_path / "folder.mp4").mkdir()
    refused(clip, tmp_path / "folder.mp4", MUTE, "exists", overwrite=True)
    with pytest.raises(RemedyError) as error:
        render(clip, Path("/proc/out.mp4"), MUTE)
    assert error.value.code == "not_writable"


def test_files_get_a_name_at_the_end_also_where_there_are_none_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = os.open

    def no_nameless(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "Operation not supported")
        return real_open(path, flags, mode)

    monkeypatch.setattr(os, "open", no_nameless)
    with pytest.raises(KeyError), output.written(tmp_path / "out.mp4", overwrite=False) as file:
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    for overwrite in (False, True):
        with output.written(tmp_path / "out.mp4", overwrite=overwrite) as file:
            os.write(file, b"ours")
    with pytest.raises(RemedyError, match="there already"), output.written(tmp_path / "out.mp4", overwrite=False):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


# --- what goes wrong meanwhile ---------------------------------------------------------------------------------------


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


RENDER = """
import sys
from pathlib import Path
from sordino.fingerprints.model import Span
from sordino.pipelines.remedies.plan import Plan, RemedyError
from sordino.pipelines.remedies.render import render
try:
    render(Path(sys.argv[1]), Path(sys.argv[2]), Plan(blank=(Span(1, 2),)))
except RemedyError as error:
    print(error.code)
"""


def child(clip: Path, out: Path, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RENDER, str(clip), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=before)


def test_a_file_that_may_not_grow_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    said, _ = child(clip, tmp_path / "out.mp4", small_files).communicate()
    assert said.strip() == "disk_full"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB, where a mount may be made."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_leaves_nothing(clip: Path, small_disk: Path) -> None:
    for plan in (MUTE, BLANK):
        refused(clip, small_disk / "out.mkv", plan, "disk_full")


def ffmpegs(out: Path) -> list[int]:
    """Processes that have a file of this folder open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(link) for link in (process / "fd").iterdir()]
        except OSError:
            continue
        found += [int(process.name)] if any(link.startswith(str(out.parent) + "/") for link in links) else []
    return found


def test_a_kill_leaves_neither_a_file_nor_a_process(clip: Path, tmp_path: Path) -> None:
    long = clip.with_name("long.mp4")
    synth.clip(long, None, synth.pictures(40, 4, width=960, height=540))
    out = tmp_path / "out" / "out.mp4"
    out.parent.mkdir()
    with child(long, out) as killed:
        until = time.monotonic() + 60
        while len(ffmpegs(out)) < 2 and time.monotonic() < until:
            assert killed.poll() is None
            time.sleep(0.01)
        writing = ffmpegs(out)
        assert len(writing) == 2  # we, and the encoder
        killed.send_signal(signal.SIGKILL)
    until = time.monotonic() + 30
    while ffmpegs(out) and time.monotonic() < until:
        time.sleep(0.01)
    assert ffmpegs(out) == []
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("plan", [MUTE, BLANK])
def test_an_encoder_that_is_too_slow_is_stopped(
    clip: Path, tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "SLOWER", -Limits().timeout_s)  # no patience is left
    assert "too slow" in refused(clip, tmp_path / "out.mp4", plan, "encoder_limit")


def test_media_that_is_none_is_the_spines_own_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as error:
        render(synth.text(tmp_path / "letter.mp4"), tmp_path / "out.mp4", MUTE)
    assert error.value.code == "not_media"
    with pytest.raises(MediaError) as error:
        render(synth.playlist(tmp_path / "list.mp4", "/etc/passwd"), tmp_path / "out.mp4", MUTE)
    assert error.value.code == "unsupported_format"
    assert not (tmp_path / "out.mp4").exists()


def test_progress_is_told_up_to_the_end(clip: Path, tmp_path: Path) -> None:
    for number, plan in enumerate((MUTE, BLANK)):
        told: list[float] = []
        render(clip, tmp_path / f"{number}.mp4", plan, progress=told.append)
        assert told
        assert np.all(np.diff(told) >= 0)
        assert 0.9 < told[-1] <= 1
