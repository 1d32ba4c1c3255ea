"""Encoding what the demo composes itself, and reading what it fetched: every ffmpeg of the demo runs here."""

import contextlib
import subprocess
import tempfile
import wave
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np

from sordino.monitor import synthesis
from sordino.monitor.synthesis import Samples

SAMPLE_RATE = 44_100
FRAMES_PER_S = 25
WIDTH, HEIGHT = 640, 360
H264 = {
    "vcodec": "libx264",
    "preset": "superfast",
    "pix_fmt": "yuv420p",
    "g": 2 * FRAMES_PER_S,  # a key frame every two seconds, so at every cut of a stream
    "sc_threshold": 0,
    "threads": 2,  # not the machine's number: the bytes depend on it
    "flags": "+bitexact",
    "fflags": "+bitexact",
}
AAC = {"acodec": "aac", "audio_bitrate": "96k"}
FFMPEG_TIMEOUT_S = 120.0


class MediaNotMade(Exception):  # noqa: N818 - what happened, in plain words
    """The demo's media could not be encoded or read; the message has ffmpeg's last words."""

    code = "media_not_made"


@dataclass(frozen=True, slots=True)
class Replay:
    """A stretch of a film, from `start_s` of it on, that is shown at `at_s` of a clip."""

    film: Path
    start_s: float
    at_s: float
    duration_s: float


def encode_clip(target: Path, seed: int, sound: Samples, replay: Replay | None = None) -> None:
    """Encode pictures drawn from a seed, a replay over them if there is one, and `sound`: mono at `SAMPLE_RATE`."""
    picture = _drawn()
    if replay:
        film = ffmpeg.input(_url(replay.film), ss=replay.start_s, t=replay.duration_s).video
        film = film.filter("setpts", f"PTS-STARTPTS+{replay.at_s}/TB")
        shown = f"gte(t,{replay.at_s})*lt(t,{replay.at_s + replay.duration_s})"
        picture = picture.overlay(film, enable=shown, eof_action="pass")
    _encode(picture, _url(target), seed, sound, {})


def encode_stream(out_dir: Path, seed: int, sound: Samples, segment_s: int) -> tuple[Path, ...]:
    """Encode pictures and sound as for a clip, in MPEG-TS segments of one continuous timeline; return them in order."""
    pattern = _url(out_dir).replace("%", "%%") + "/segment-%03d.ts"
    form = {"f": "segment", "segment_format": "mpegts", "segment_time": segment_s, "segment_time_delta": 0.02}
    _encode(_drawn(), pattern, seed, sound, form)
    n_segments = round(len(sound) / SAMPLE_RATE / segment_s)
    return tuple(out_dir / f"segment-{sequence:03}.ts" for sequence in range(n_segments))


def encode_silent_film(target: Path, seed: int, duration_s: float) -> None:
    """Encode pictures drawn from a seed."""
    _run(_drawn().output(_url(target), **H264), _frames(seed, duration_s))


def join_films(films: Sequence[Path], target: Path) -> None:
    """Join the pictures of films, scaled and cropped to one size."""
    pictures = [
        ffmpeg.input(_url(path))
        .video.filter("fps", FRAMES_PER_S)
        .filter("scale", WIDTH, HEIGHT, force_original_aspect_ratio="increase")
        .filter("crop", WIDTH, HEIGHT)
        .filter("setsar", 1)
        for path in films
    ]
    _run(ffmpeg.concat(*pictures).output(_url(target), **H264))


def read_sound(path: Path, start_s: float, duration_s: float) -> Samples:
    """Decode a stretch of a file's sound: mono at `SAMPLE_RATE`."""
    return _decode(ffmpeg.input(_url(path), ss=start_s, t=duration_s))


def read_g722(coded: bytes) -> Samples:
    """Decode bare G.722 at 64 kbit/s: mono at `SAMPLE_RATE`."""
    return _decode(ffmpeg.input("pipe:", f="g722"), [coded])


def write_wav(path: Path, samples: Samples, sample_rate: int) -> Path:
    """Write mono 16-bit PCM; what is beyond -1 and 1 is clipped."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes(np.asarray(np.clip(samples, -1, 1) * 32767, "<i2").tobytes())
    return path


def _encode(picture: Any, target: str, seed: int, sound: Samples, form: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        wav = write_wav(Path(scratch) / "sound.wav", sound, SAMPLE_RATE)
        output = ffmpeg.output(picture, ffmpeg.input(_url(wav)).audio, target, **H264, **AAC, **form)
        _run(output, _frames(seed, len(sound) / SAMPLE_RATE))


def _decode(source: Any, stdin: Iterable[bytes] = ()) -> Samples:
    raw = _run(source.audio.output("pipe:", f="f32le", ac=1, ar=SAMPLE_RATE), stdin)
    return np.frombuffer(raw, np.float32)


def _drawn() -> Any:
    return ffmpeg.input("pipe:", f="rawvideo", pix_fmt="rgb24", s=f"{WIDTH}x{HEIGHT}", framerate=FRAMES_PER_S).video


def _frames(seed: int, duration_s: float) -> Iterator[bytes]:
    pictures = synthesis.pictures(seed, duration_s, FRAMES_PER_S, WIDTH, HEIGHT)
    return (picture.tobytes() for picture in pictures)


def _url(path: Path) -> str:
    return f"file:{path}"  # so no file's name is taken for an option or a protocol


def _run(output: Any, stdin: Iterable[bytes] = ()) -> bytes:
    """Run an ffmpeg graph, fed with `stdin` piece by piece, and return what it writes to its standard output."""
    command = ffmpeg.compile(output.global_args("-hide_banner", "-loglevel", "error"), overwrite_output=True)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=log)
        except FileNotFoundError:
            raise MediaNotMade("ffmpeg isn't on this machine") from None
        with process:
            status = _feed(process, stdin)
        log.seek(0)
        if status:
            words = log.read().decode(errors="replace").strip().splitlines() or [f"status {status}"]
            raise MediaNotMade(f"ffmpeg said: {words[-1][:300]}")
        out.seek(0)
        return out.read()


def _feed(process: "subprocess.Popen[bytes]", stdin: Iterable[bytes]) -> int:
    try:
        with contextlib.suppress(BrokenPipeError):  # it ended early; its status says why
            for piece in stdin:
                if process.stdin:
                    process.stdin.write(piece)
        with contextlib.suppress(BrokenPipeError):
            if process.stdin:
                process.stdin.close()
        return process.wait(FFMPEG_TIMEOUT_S)
    except BaseException as error:
        process.kill()
        if isinstance(error, subprocess.TimeoutExpired):
            raise MediaNotMade(f"ffmpeg took more than {FFMPEG_TIMEOUT_S:.0f} s") from None
        raise
