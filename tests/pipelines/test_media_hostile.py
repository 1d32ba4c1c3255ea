"""Files that are broken, that lie or that point elsewhere: a clear error that names the file, and nothing more."""

import os
import pickle
import socket
import stat
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from sordino.pipelines.media import DecoderMissing, Decoding, Limits, MediaError, Pcm, decode
from tests import synth

BOTH = pytest.mark.parametrize("keyframes", [False, True], ids=["all", "keyframes"])


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    before = psutil.Process().children()  # a broker, a database; they have children of their own
    yield
    assert set(psutil.Process().children()) <= set(before)


def refusal(path: Path, limits: Limits | None = None, **options: bool) -> MediaError:
    with pytest.raises(MediaError) as caught, decode(path, limits=limits or Limits(), **options) as decoding:
        list(decoding)
    error = caught.value
    assert str(error) == f"{path.name}: {error.message}"
    assert "\n" not in str(error)
    assert error.path == str(path)
    return error


def decoded(path: Path, keyframes: bool = False) -> tuple[Decoding, float]:
    """The decoding, and the loudest sample."""
    with decode(path, keyframes=keyframes) as decoding:
        peaks = [int(np.abs(item.samples).max()) for item in decoding if isinstance(item, Pcm)]
    return decoding, max(peaks, default=0)


def two_seconds(path: Path, *options: str) -> Path:
    return synth.clip(path, synth.music(2, 0), synth.pictures(2, 0), *options)


def nothing(path: Path) -> Path:
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def half_a_moov(path: Path) -> Path:
    whole = two_seconds(path.with_name("whole.mp4"), "-movflags", "faststart")
    return synth.cut(path, whole, 0.02)


def subtitles(path: Path) -> Path:
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n\n")
    return path


def subtitles_in_a_container(path: Path) -> Path:
    words = subtitles(path.with_name("words.srt"))
    synth.ffmpeg("-i", words, "-f", "matroska", path)
    return path


def only_a_cover(path: Path) -> Path:
    cover = synth.picture(path.with_name("cover.png"))
    synth.ffmpeg("-i", cover, "-c", "copy", "-disposition:v", "attached_pic", path)
    return path


def noise(path: Path) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(100_000))
    return path


BAD = [
    pytest.param("gone.mp4", nothing, "not_found", "no such file", id="missing"),
    pytest.param("folder.mp4", folder, "not_media", "not a regular file", id="folder"),
    pytest.param("fifo.mp4", fifo, "not_media", "not a regular file", id="fifo"),
    pytest.param("zero.mp4", synth.empty, "empty", "no bytes", id="zero bytes"),
    pytest.param("text.mp4", synth.text, "not_media", "Invalid data found", id="text named mp4"),
    pytest.param("noise.mp4", noise, "not_media", "Invalid data found", id="noise named mp4"),
    pytest.param("cut.mp4", synth.truncated_mp4, "damaged", "moov atom not found", id="MP4 without moov"),
    pytest.param("cut2.mp4", half_a_moov, "damaged", "", id="MP4 with half a moov"),
    pytest.param("png.mp4", synth.picture, "unsupported_format", "PNG picture", id="PNG named mp4"),
    pytest.param("jpeg.mp4", lambda p: synth.picture(p, "mjpeg"), "unsupported_format", "JPEG picture", id="JPEG"),
    pytest.param("picture.gif", lambda p: synth.picture(p, "gif"), "unsupported_format", "GIF picture", id="GIF"),
    pytest.param(
        "picture.webp", lambda p: synth.picture(p, "libwebp"), "unsupported_format", "WEBP picture", id="WebP"
    ),
    pytest.param("words.mp4", subtitles, "unsupported_format", "srt", id="subtitles"),
    pytest.param("words.mkv", subtitles_in_a_container, "no_streams", "none of the wanted", id="only subtitles inside"),
    pytest.param("cover.mp4", only_a_cover, "no_streams", "none of the wanted", id="only a cover picture inside"),
    pytest.param("hours.mp4", synth.hours, "too_long", "360000 s, 14400 s", id="MP4 that claims 100 hours"),
    pytest.param("hours.mkv", synth.hours, "too_long", "360000 s, 14400 s", id="Matroska that claims 100 hours"),
    pytest.param("huge.mp4", synth.huge_picture, "too_large", "20000 x 20000", id="MP4 of 20,000 x 20,000"),
    pytest.param("huge.mkv", synth.huge_picture, "too_large", "20000 x 20000", id="Matroska of 20,000 x 20,000"),
]


@BOTH
@pytest.mark.parametrize(("name", "make", "code", "says"), BAD)
def test_bad_files_are_refused_by_name(
    tmp_path: Path, name: str, make: Callable[[Path], Path], code: str, says: str, keyframes: bool
) -> None:
    error = refusal(make(tmp_path / name), keyframes=keyframes)
    assert error.code == code
    assert says in error.message


def test_devices_are_not_opened() -> None:
    assert refusal(Path("/dev/zero")).code == "not_media"


def test_errors_survive_a_process_boundary_and_odd_names(tmp_path: Path) -> None:
    error = pickle.loads(pickle.dumps(MediaError("empty", str(tmp_path / "a\nb\udcff"), "has no bytes")))
    assert (error.code, str(error)) == ("empty", "a?b?: has no bytes")


@pytest.mark.parametrize(
    ("audio", "video", "name"), [(True, False, "silent.mp4"), (False, True, "tune.wav")], ids=["sound", "pictures"]
)
def test_the_wanted_kind_is_not_there(tmp_path: Path, audio: bool, video: bool, name: str) -> None:
    synth.video(tmp_path / "silent.mp4", 1, 0)
    synth.wav(tmp_path / "tune.wav", synth.music(1, 0))
    assert refusal(tmp_path / name, audio=audio, video=video).code == "no_streams"


# --- playlists: the file or host that they point at is a canary, which must not notice anything ---------------------


@pytest.fixture
def local_canary(tmp_path: Path) -> Iterator[tuple[str, threading.Event]]:
    """A fifo, and an event that is set as soon as someone opens it for reading."""
    path, opened = tmp_path / "canary.ts", threading.Event()
    os.mkfifo(path)

    def wait() -> None:
        os.close(os.open(path, os.O_WRONLY))
        opened.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    yield str(path), opened
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    waiting.join()


@pytest.fixture
def remote_canary() -> Iterator[tuple[str, socket.socket]]:
    """A listening socket's URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/canary.ts", server


PLAYLISTS = [
    pytest.param("list.m3u8", synth.playlist, id="m3u8"),
    pytest.param("list.mp4", synth.playlist, id="m3u8 named mp4"),
    pytest.param("list.ffconcat", synth.concat_script, id="concat"),
    pytest.param("list.ts", synth.concat_script, id="concat named ts"),
]


@pytest.mark.parametrize(("name", "make"), PLAYLISTS)
def test_playlists_do_not_reach_local_files(
    tmp_path: Path, name: str, make: Callable[[Path, str], Path], local_canary: tuple[str, threading.Event]
) -> None:
    target, opened = local_canary
    assert refusal(make(tmp_path / name, target)).code == "unsupported_format"
    assert not opened.is_set()


@pytest.mark.parametrize(("name", "make"), PLAYLISTS)
def test_playlists_do_not_reach_other_hosts(
    tmp_path: Path, name: str, make: Callable[[Path, str], Path], remote_canary: tuple[str, socket.socket]
) -> None:
    target, server = remote_canary
    assert refusal(make(tmp_path / name, target)).code == "unsupported_format"
    with pytest.raises(BlockingIOError):
        server.accept()


def test_the_canary_notices_an_ffmpeg_without_whitelists(
    tmp_path: Path, local_canary: tuple[str, threading.Event]
) -> None:
    target, opened = local_canary
    script = synth.concat_script(tmp_path / "list.ts", target)
    subprocess.run(["ffmpeg", "-v", "quiet", "-safe", "0", "-i", script, "-f", "null", "-"], check=False, timeout=60)
    assert opened.wait(10)


# --- damage in the middle: what came before it is used, and a warning kept -------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("a.mp4", ("-movflags", "faststart"), id="MP4"),
        pytest.param("a.mkv", (), id="Matroska"),
        pytest.param("a.flv", ("-ar", "44100"), id="FLV"),
        pytest.param("a.ts", (), id="MPEG-TS"),
    ],
)
def test_what_comes_before_the_damage_is_used(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    whole = two_seconds(tmp_path / name, *options)
    decoding, peak = decoded(synth.cut(tmp_path / f"cut-{name}", whole, 0.61))
    assert 0.5 < decoding.audio_s < 1.9
    assert 0.5 < decoding.video_s < 1.9
    assert peak > 10_000
    assert decoding.warnings or name == "a.ts"  # a stream may end anywhere


@BOTH
@pytest.mark.parametrize("dead", ["v", "a"], ids=["pictures", "sound"])
@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_one_track_is_decoded_though_the_other_is_broken(
    tmp_path: Path, suffix: str, dead: str, keyframes: bool
) -> None:
    whole = two_seconds(tmp_path / "whole.mkv")
    path = tmp_path / f"broken.{suffix}"
    synth.ffmpeg("-i", whole, "-c", "copy", f"-bsf:{dead}", "noise=drop=1", path)
    decoding, _ = decoded(path, keyframes)
    assert decoding.audio_s == pytest.approx(0 if dead == "a" else 2, abs=0.2)
    assert decoding.video_s == pytest.approx(0 if dead == "v" else 2, abs=0.2)
    assert decoding.warnings


def test_both_tracks_broken(tmp_path: Path) -> None:
    whole = two_seconds(tmp_path / "whole.mkv")
    synth.ffmpeg("-i", whole, "-c", "copy", "-bsf", "noise=drop=1", path := tmp_path / "broken.mkv")
    assert refusal(path).code == "damaged"
    assert refusal(path, video=False).code == "damaged"


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "limits", "code"),
    [
        pytest.param("a.mp4", Limits(pixels=1000), "too_large", id="pixels"),
        pytest.param("a.mp4", Limits(duration_s=1), "too_long", id="duration claimed"),
        pytest.param("a.ts", Limits(duration_s=1), "too_long", id="duration found"),
        pytest.param("a.mp4", Limits(timeout_s=0), "timeout", id="time"),
        pytest.param("a.mp4", Limits(memory_bytes=300_000_000), "decoder_limit", id="memory"),
    ],
)
@BOTH
def test_limits_hold(tmp_path: Path, name: str, limits: Limits, code: str, keyframes: bool) -> None:
    options = ("-s", "8192x4320") if limits.memory_bytes < 1 << 30 else ()
    assert refusal(two_seconds(tmp_path / name, *options), limits, keyframes=keyframes).code == code


def test_a_file_just_within_its_duration(tmp_path: Path) -> None:
    with decode(synth.wav(tmp_path / "a.wav", synth.music(1, 0)), limits=Limits(duration_s=1)) as decoding:
        list(decoding)
    assert decoding.audio_s == pytest.approx(1)


def wav_header_that_lies(path: Path) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.find(b"data") + 4, 2**32 - 1)
    path.write_bytes(content)


def test_a_wav_of_unknown_length_is_what_a_pipe_writes_and_no_lie(tmp_path: Path) -> None:
    path = synth.wav(tmp_path / "a.wav", synth.music(1, 0))
    wav_header_that_lies(path)
    assert decoded(path)[0].audio_s == pytest.approx(1)


@BOTH
def test_broadcast_clocks_that_jump_are_no_duration(tmp_path: Path, keyframes: bool) -> None:
    first = two_seconds(tmp_path / "first.ts")
    second = two_seconds(tmp_path / "second.ts", "-output_ts_offset", "20000")
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    decoding, _ = decoded(path, keyframes)
    assert decoding.audio_s == pytest.approx(4, abs=0.3)
    assert decoding.video_s == pytest.approx(4, abs=0.3)


@pytest.fixture
def fake_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in ffmpeg's place."""

    def install(script: str) -> None:
        path = tmp_path / "bin" / "ffmpeg"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    return install


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("while :; do :; done", "decoder_limit", id="burns CPU"),
        pytest.param("trap '' TERM INT; sleep 1000 & wait", "timeout", id="hangs, with a child of its own"),
        pytest.param("exec yes", "damaged", id="writes rubbish"),
        pytest.param("kill -SEGV $$", "damaged", id="crashes"),
    ],
)
@BOTH
def test_a_decoder_gone_wild_is_ended(
    tmp_path: Path, fake_ffmpeg: Callable[[str], None], script: str, code: str, keyframes: bool
) -> None:
    path = synth.wav(tmp_path / "a.wav", synth.music(0.2, 0))
    fake_ffmpeg(script)
    timeout_s = 0.5 if code == "timeout" else 60
    limits = Limits(duration_s=1, cpu_s=0, timeout_s=timeout_s)
    assert refusal(path, limits, keyframes=keyframes).code == code


def test_without_ffmpeg_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = synth.wav(tmp_path / "a.wav", synth.music(0.2, 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DecoderMissing, match=r"not installed.*apt-get install"):
        list(decode(path))


def test_limits_too_low_to_start_are_not_blamed_on_the_file(tmp_path: Path) -> None:
    path = synth.wav(tmp_path / "a.wav", synth.music(0.2, 0))
    with pytest.raises(DecoderMissing, match="can't be started under its limits"):
        list(decode(path, limits=Limits(memory_bytes=20_000_000)))
