"""A live feed registered while it runs: in order, once, at its place, found by others; through kills and bad files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import Match
from sordino.monitor import feed, settings
from sordino.monitor.following import Appended, Outcome, Refused, begun, follow
from sordino.monitor.home import Home, opened
from sordino.monitor.registration import mark, withdraw
from sordino.monitor.store import StoreError
from sordino.monitor.works import Ownership, Work
from sordino.pipelines.analyse import analyse
from sordino.pipelines.failures import Busy
from tests import synth
from tests.sample_home import part, sordino
from tests.synth import FPS

N, SEGMENT_S = 7, 4
AAC_S = 0.07  # a frame at 16 kHz: the sound begins so much before the pictures
WORK = Work("W-live", "Cup final", "sport", (Ownership("Red League"),))


@pytest.fixture(scope="session")
def segments(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """28 s of a feed, as an encoder cuts it: seven segments of 4 s of MPEG-TS whose clocks go on."""
    folder = tmp_path_factory.mktemp("feed")
    every = ("-force_key_frames", f"expr:gte(t,n_forced*{SEGMENT_S})", "-bf", "0")
    whole = synth.clip(folder / "whole.mp4", synth.music(N * SEGMENT_S, 21), synth.pictures(N * SEGMENT_S, 5), *every)
    cut = ("-c", "copy", "-f", "segment", "-segment_time", str(SEGMENT_S), "-segment_format", "mpegts")
    synth.ffmpeg("-i", whole, *cut, folder / "live_%d.ts")
    return [folder / f"live_{k}.ts" for k in range(N)]


@pytest.fixture(scope="session")
def copy(segments: Sequence[Path]) -> Path:
    """What somebody streams of the feed's 12 to 24 s: under a voice, brighter, encoded anew."""
    sound = synth.mix(synth.speech_like(12, 3), part(synth.music(N * SEGMENT_S, 21), 12, 24), 0)
    frames = np.clip(synth.pictures(N * SEGMENT_S, 5)[12 * FPS : 24 * FPS] * 1.1, 0, 255).astype(np.uint8)
    return synth.clip(segments[0].parent / "copy.mp4", sound, frames)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "feed"
    place.mkdir()
    return place


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with opened(settings.load(home=tmp_path / "home")) as made:
        made.settings.home.mkdir(exist_ok=True)
        yield made


def drop(folder: Path, *files: Path) -> None:
    for file in files:
        shutil.copy(file, folder / f".{file.name}")
        (folder / f".{file.name}").rename(folder / file.name)


def followed(home: Home, folder: Path, n: int, work_id: str | None = None, *, hot: bool = True) -> list[Outcome]:
    """Follow until there are so many outcomes."""
    told: list[Outcome] = []
    stop = threading.Event()

    def tell(outcome: Outcome) -> None:
        told.append(outcome)
        if len(told) == n:
            stop.set()

    follow(home, folder, work_id or begun(home, folder, WORK), tell, stop, hot=hot)
    return told


def landmarks(catalogue: Catalogue, reference_id: str) -> list[tuple[int, int]]:
    prints = catalogue.prints(reference_id)
    return list(zip(prints.audio.frames.tolist(), prints.audio.bands.tolist(), strict=True))


def sure(matches: Sequence[Match]) -> dict[str, Match]:
    return {m.track: m for m in matches if m.log10_false_positive < -4}


# --- by its parts ----------------------------------------------------------------------------------------------------


def test_segments_become_one_reference_at_their_places(
    home: Home, folder: Path, segments: Sequence[Path], copy: Path
) -> None:
    drop(folder, *segments)
    told = followed(home, folder, N)
    assert [t.path.name for t in told] == [s.name for s in segments]
    assert all(t.path.parent == folder for t in told)
    appended = [t for t in told if isinstance(t, Appended)]
    (reference_id,) = {t.reference.reference_id for t in appended}
    assert [t.reference.audio_s for t in appended] == pytest.approx([4 * k + 4 for k in range(N)], abs=0.1)
    assert home.store.work("W-live").references == (appended[-1].reference,)
    assert home.catalogue.is_hot(reference_id)
    taken = home.store.feed("W-live").segments
    assert [taken[k].at_s for k in range(N)] == pytest.approx([4 * k for k in range(N)], abs=AAC_S)
    for k, path in enumerate(segments):
        assert (home.settings.home / "media" / (taken[k].sha256 or "")).read_bytes() == path.read_bytes()
        assert (taken[k].path, taken[k].reference_id) == (path.name, reference_id)
    found = sure(analyse(copy, home.catalogue).matches)
    for track in ("audio", "video"):
        assert found[track].reference_id == reference_id
        start = found[track].reference.start_s - found[track].query.start_s
        assert start == pytest.approx(12, abs=0.5)
        assert found[track].query.duration_s > 10


def test_a_second_run_goes_on_where_the_first_was_stopped(home: Home, folder: Path, segments: Sequence[Path]) -> None:
    drop(folder, *segments[:3])
    followed(home, folder, 3)
    at_once = landmarks(home.catalogue, home.store.work("W-live").references[0].reference_id)
    for file in segments[:2]:  # as a feed does with what is old
        (folder / file.name).unlink()
    drop(folder, segments[3])
    again = followed(home, folder, 1)
    assert [t.path.name for t in again] == ["live_3.ts"]
    (reference,) = home.store.work("W-live").references
    grown = landmarks(home.catalogue, reference.reference_id)
    assert [m for m in grown if m[0] < 11.9 * 50] == [m for m in at_once if m[0] < 11.9 * 50]
    assert len([m for m in grown if m[0] > 12.1 * 50]) > 60
    assert [w.work_id for w in home.store.works()] == ["W-live"]


def test_a_long_feed_goes_on_in_another_reference_that_repeats_the_end(
    home: Home, folder: Path, segments: Sequence[Path], copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LIVE_REFERENCE_S", 20.0)
    drop(folder, *segments)
    followed(home, folder, N)
    first, second = home.store.work("W-live").references
    assert (first.begins_s, second.begins_s) == (0.0, 8.0)
    assert (first.audio_s, second.audio_s) == pytest.approx((20, 20), abs=0.2)
    repeated = [m for m in landmarks(home.catalogue, first.reference_id) if 400 <= m[0] < 1000]
    assert [(f + 400, b) for f, b in landmarks(home.catalogue, second.reference_id) if f < 600] == repeated
    assert home.catalogue.is_hot(second.reference_id)
    found = [m for m in analyse(copy, home.catalogue).matches if m.log10_false_positive < -4]
    whole = [m for m in found if m.reference_id == second.reference_id and m.query.duration_s > 10]
    assert {m.track for m in whole} == {"audio", "video"}
    assert all(m.reference.start_s - m.query.start_s == pytest.approx(4, abs=0.5) for m in whole)


def test_what_cannot_be_decoded_is_named_and_keeps_its_place(
    home: Home, folder: Path, segments: Sequence[Path]
) -> None:
    drop(folder, *segments[:4])
    synth.text(folder / "live_1.ts")
    told = followed(home, folder, 4)
    bad = told[1]
    assert isinstance(bad, Refused)
    assert (bad.path, bad.code) == (folder / "live_1.ts", "not_media")
    assert "live_1.ts" in bad.message
    taken = home.store.feed("W-live").segments
    assert [taken[k].at_s for k in range(4)] == pytest.approx([0, 4, 8, 12], abs=AAC_S)
    assert (taken[1].sha256, taken[1].reference_id) == (None, None)
    assert (taken[1].error or "").startswith("not_media: live_1.ts")
    assert len(list((home.settings.home / "media").iterdir())) == 3
    (reference,) = home.store.work("W-live").references
    assert not [f for f, _ in landmarks(home.catalogue, reference.reference_id) if 4.2 < f / 50 < 7.8]
    drop(folder, segments[1])  # it comes after all
    assert [t.path.name for t in followed(home, folder, 1)] == ["live_1.ts"]
    assert home.store.feed("W-live").segments[1].error is None
    assert len([f for f, _ in landmarks(home.catalogue, reference.reference_id) if 4.2 < f / 50 < 7.8]) > 60


def test_silent_and_flat_segments_are_no_error(home: Home, folder: Path) -> None:
    for k in range(2):
        frames = np.full((3 * FPS, 48, 64), 20, np.uint8)
        synth.clip(folder / f"live_{k}.ts", np.zeros(3 * synth.RATE, np.float32), frames)
    told = followed(home, folder, 2)
    assert all(isinstance(t, Appended) for t in told)
    assert home.store.feed("W-live").end_s == pytest.approx(6, abs=0.2)


def test_a_file_that_goes_on_after_a_pause_is_taken_again(home: Home, folder: Path, segments: Sequence[Path]) -> None:
    whole = segments[0].read_bytes()
    (folder / "live_0.ts").write_bytes(whole[: len(whole) // 2 // 188 * 188])
    (half,) = followed(home, folder, 1)
    assert isinstance(half, Appended)
    assert half.reference.video_s < 3.5
    (folder / "live_0.ts").write_bytes(whole)
    (told,) = followed(home, folder, 1)
    assert isinstance(told, Appended)
    assert told.reference.video_s == pytest.approx(4, abs=0.1)
    assert len(home.store.feed("W-live").segments) == 1
    assert len(list((home.settings.home / "media").iterdir())) == 1


def test_another_event_in_the_same_place_is_refused_and_not_mixed_in(
    home: Home, folder: Path, segments: Sequence[Path]
) -> None:
    drop(folder, segments[0])
    followed(home, folder, 1)
    shutil.copy(segments[1], folder / "live_0.ts")
    os.utime(folder / "live_0.ts", (4e9, 4e9))
    (told,) = followed(home, folder, 1)
    assert isinstance(told, Refused)
    assert told.code == "taken_before"
    shutil.copy(segments[0], folder / "live_0.ts")
    os.utime(folder / "live_0.ts", (4.1e9, 4.1e9))  # the very same again, only copied anew
    drop(folder, segments[1])
    assert [t.path.name for t in followed(home, folder, 1)] == ["live_1.ts"]


def test_files_of_another_stream_are_refused(home: Home, folder: Path, segments: Sequence[Path]) -> None:
    drop(folder, segments[0])
    followed(home, folder, 1)
    shutil.copy(segments[1], folder / "small_1.ts")
    (told,) = followed(home, folder, 1)
    assert isinstance(told, Refused)
    assert told.code == "other_stream"


def test_declared_times_go_before_those_of_the_media(home: Home, folder: Path, segments: Sequence[Path]) -> None:
    (folder / "live_0.json").write_text('{"start_s": 100.0, "duration_s": 4.0}')
    (folder / "live_2.json").write_text('{"start_s": 50.0}')
    drop(folder, *segments[:3])
    told = followed(home, folder, 3)
    assert home.store.work("W-live").references[0].begins_s == 100.0
    assert isinstance(told[2], Refused)
    assert told[2].code == "bad_start"


def test_a_withdrawn_work_is_not_followed_any_more(home: Home, folder: Path, segments: Sequence[Path]) -> None:
    drop(folder, segments[0])
    followed(home, folder, 1)
    withdraw(home, "W-live")
    drop(folder, segments[1])
    with pytest.raises(StoreError, match="withdrawn"):
        followed(home, folder, 1, "W-live")
    assert home.catalogue.reference_ids == frozenset()


def test_marking_a_work_holds_for_what_is_added_later(home: Home, folder: Path, segments: Sequence[Path]) -> None:
    drop(folder, segments[0])
    followed(home, folder, 1, hot=False)
    (reference,) = home.store.work("W-live").references
    assert not home.catalogue.is_hot(reference.reference_id)
    mark(home, "W-live", hot=True)
    drop(folder, segments[1])
    followed(home, folder, 1, hot=False)
    assert home.catalogue.is_hot(reference.reference_id)
    withdraw(home, "W-live")
    with pytest.raises(StoreError, match="withdrawn"):
        mark(home, "W-live", hot=True)


def test_only_one_process_follows_a_work(home: Home, folder: Path) -> None:
    with running("works", "follow", folder, "--title", "Cup final", "--holder", "Red League", home=home) as process:
        waiting_for(process, "following")
        with pytest.raises(Busy, match="another process"):
            followed(home, folder, 1)


# --- as processes ----------------------------------------------------------------------------------------------------


@contextmanager
def running(*arguments: str | Path, home: Home) -> "Iterator[subprocess.Popen[str]]":
    """Run the command in a process of its own; told to stop it leaves with 0 or 3."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SORDINO_")}
    command = [Path(sys.executable).with_name("sordino"), *arguments, "--home", home.settings.home, "--json"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=clean, **pipes)
    try:
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) in (0, 3)
    finally:
        process.kill()
        process.communicate()


def waiting_for(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stderr is not None
    said = []
    while word not in (line := process.stderr.readline()):
        said.append(line)
        assert line, said


def line_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    line: dict[str, Any] = json.loads(process.stdout.readline())
    return line


def test_a_running_monitor_finds_copies_of_what_was_just_shown(
    home: Home, folder: Path, segments: Sequence[Path], copy: Path, tmp_path: Path
) -> None:
    streams = tmp_path / "streams"
    streams.mkdir()
    feeding = ("works", "follow", folder, "--title", "Cup final", "--holder", "Red League", "--kind", "sport")
    with running(*feeding, home=home) as following, running("monitor", streams, home=home) as monitor:
        waiting_for(following, "following")
        waiting_for(monitor, "watching")
        drop(folder, segments[0])
        first = line_of(following)
        assert set(first) == {"path", "work_id", "reference_id", "audio_s", "video_s", "warnings"}
        drop(streams, copy)
        assert line_of(monitor)["because"] == []  # what it is a copy of was not shown yet
        drop(folder, *segments[1:6], synth.text(tmp_path / "live_6.ts"))
        lines = [line_of(following) for _ in range(6)]
        assert [line["reference_id"] for line in lines[:5]] == [first["reference_id"]] * 5
        assert lines[5]["error"]["code"] == "not_media"
        shutil.copy(copy, streams / "again.mp4")
        because = line_of(monitor)["because"]
        assert {match["track"] for match in because} == {"audio", "video"}
        assert {match["work_id"] for match in because} == {first["work_id"]}
        shown = sordino("works", "show", first["work_id"], "--home", home.settings.home, "--json").line
        assert [(r["hot"], r["begins_s"]) for r in shown["references"]] == [(True, 0.0)]
    assert following.returncode == 3


KILLED_IN = """
    import os, signal, sys
    from sordino.fingerprints.catalogue import Catalogue
    from sordino.monitor.store.store import Store
    place, nth = sys.argv.pop(1), int(sys.argv.pop(1))
    owner = {"save": Catalogue, "take": Store}[place]
    real, count = getattr(owner, place), 0

    def dying(*arguments, **named):
        global count
        count += 1
        if count == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)

    setattr(owner, place, dying)
    from sordino.monitor.following import begun, follow
    import threading
    from sordino.monitor import settings
    from sordino.monitor.home import opened
    from pathlib import Path
    from tests.monitor.test_following import WORK
    with opened(settings.load(home=Path(sys.argv[1]))) as home:
        follow(home, Path(sys.argv[2]), begun(home, Path(sys.argv[2]), WORK), print, threading.Event())
    """


@pytest.mark.parametrize(("place", "nth"), [("save", 2), ("take", 1), ("take", 3), ("take", 5)])
def test_a_kill_between_catalogue_and_store_loses_nothing_and_adds_nothing_twice(
    home: Home, folder: Path, segments: Sequence[Path], monkeypatch: pytest.MonkeyPatch, place: str, nth: int
) -> None:
    monkeypatch.setattr(feed, "LIVE_REFERENCE_S", 15.0)
    patched = "from sordino.monitor import feed\nfeed.LIVE_REFERENCE_S = 15.0\n" + textwrap.dedent(KILLED_IN)
    drop(folder, *segments[:6])
    arguments = [sys.executable, "-c", patched, place, str(nth), str(home.settings.home), str(folder)]
    died = subprocess.run(arguments, check=False, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert died.returncode == -signal.SIGKILL, died.stderr
    followed(home, folder, 6 - nth + 1)
    killed = prints(home)
    with opened(settings.load(home=folder.parent / "never killed")) as other:
        followed(other, folder, 6)
        assert prints(other) == killed
    assert set(home.store.feed("W-live").segments) == set(range(6))
    assert {r.reference_id for r in home.store.work("W-live").references} == home.catalogue.reference_ids


def prints(home: Home) -> list[Any]:
    home.catalogue.refresh()
    there = [home.catalogue.prints(r.reference_id) for r in home.store.work("W-live").references]
    return [(p.audio.frames.tolist(), p.video.times_s.tolist(), p.video.words.tolist()) for p in there]


def test_killed_at_any_time_and_started_again_it_goes_on(home: Home, folder: Path, segments: Sequence[Path]) -> None:
    feeding = ("works", "follow", folder, "--title", "Cup final", "--holder", "Red League")
    lines: list[dict[str, Any]] = []
    for round_ in range(3):
        with running(*feeding, home=home) as process:
            waiting_for(process, "following")
            drop(folder, *segments[2 * round_ : 2 * round_ + 2])
            lines.append(line_of(process))
            process.kill()
            process.wait()
    with running(*feeding, home=home) as process:
        waiting_for(process, "following")
        drop(folder, segments[6])
        while not lines[-1]["path"].endswith("live_6.ts"):
            lines.append(line_of(process))
    (work_id,) = {line["work_id"] for line in lines}
    taken = home.store.feed(work_id).segments
    assert set(taken) == set(range(N))
    assert [taken[k].at_s for k in range(N)] == pytest.approx([4 * k for k in range(N)], abs=AAC_S)
    assert [work.work_id for work in home.store.works()] == [work_id]
