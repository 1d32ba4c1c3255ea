"""The ffmpeg child that writes the remedied file: it copies what stays and encodes what was changed."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import ffmpeg

from sordino.pipelines import child
from sordino.pipelines.child import DecoderMissing
from sordino.pipelines.decoder import Limits, beside, opened
from sordino.pipelines.remedies.containers import PICTURES, Container, sound_options
from sordino.pipelines.remedies.picture import TICKS
from sordino.pipelines.remedies.plan import RemedyError
from sordino.pipelines.words import Words

SLOWER = 20  # seconds of waiting, and of CPU time, for a second of media: 4K at 60 pictures a second on one old core
LARGER_BYTES_S = 32 << 20  # that the output may have for a second, besides what the input has
MEMORY = 2  # times what decoding may take: encoding 8K keeps a dozen pictures more


@dataclass(frozen=True, slots=True)
class Sound:
    """Changed sound, which comes through the encoder's standard input as float32."""

    codec: str
    sample_rate: int
    layout: str
    channels: int


@dataclass(frozen=True, slots=True)
class Job:
    """
    What is written.

    `pictures`: None (there are none), `copy`, or the filters that change them. `sound`: None, `copy`, or what comes.
    `beside`: both kinds of tracks are read, though only one is written as it came (see `decoder.beside`).
    """

    container: Container
    pictures: str | None
    sound: Sound | str | None
    chapters: bool
    beside: bool
    duration_s: float


def command(job: Job, limits: Limits, file: int, out: int) -> list[str]:
    """Build the command that makes the open file `out` of the open file `file` and of sound on standard input."""
    # AVI has no presentation times, and what is copied needs them; decoded pictures get the decoder's, as everywhere.
    source = opened(file, limits, **({"fflags": "+genpts"} if job.pictures == "copy" else {}))
    streams, options = [], _common(job, limits)
    if job.pictures is not None:
        streams.append(source["V:0"])
        options |= {"c:v": "copy"} if job.pictures == "copy" else _pictures(job)
    if isinstance(job.sound, Sound):
        raw = {"f": "f32le", "sample_rate": job.sound.sample_rate, "ch_layout": job.sound.layout}
        streams.append(ffmpeg.input("pipe:0", protocol_whitelist="pipe", **raw)["a:0"])
        options |= sound_options(job.sound.codec, job.sound.channels)
    elif job.sound is not None:
        streams.append(source["a:0"])
        options |= {"c:a": "copy"}
    sinks = [ffmpeg.output(*streams, f"file:/dev/fd/{out}", **options)]
    if job.beside:
        sinks.append(beside(source))
    sink = ffmpeg.merge_outputs(*sinks).overwrite_output()
    before = [*_limited(job, limits, file), child.program("ffmpeg"), *child.GLOBAL_OPTIONS, "-progress", "pipe:1"]
    return list(map(str, sink.compile(cmd=before)))


def _common(job: Job, limits: Limits) -> dict[str, Any]:
    return {
        "format": job.container.muxer,
        **job.container.options,
        "map_metadata": 0,
        "map_chapters": 0 if job.chapters else -1,
        "sn": None,
        "dn": None,
        "max_muxing_queue_size": 1 << 16,
        "threads": limits.threads,
        "t": limits.duration_s + 1,
    }


def _pictures(job: Job) -> dict[str, Any]:
    codec = next(codec for codec in job.container.video if codec in PICTURES)
    times = {"enc_time_base:v": f"1/{TICKS}", "fps_mode": "passthrough"}  # by default they are rounded to a frame rate
    return {**PICTURES[codec], "filter:v": job.pictures, "pix_fmt": "yuv420p", **times}


def _limited(job: Job, limits: Limits, file: int) -> list[str]:
    setpriv = [child.program("setpriv"), "--pdeathsig", "KILL"]  # or it would go on without us
    most_bytes = os.fstat(file).st_size + int((job.duration_s + 10) * LARGER_BYTES_S)
    cpu_s = limits.cpu_s + SLOWER * job.duration_s
    return [*setpriv, *child.limited(memory_bytes=MEMORY * limits.memory_bytes, cpu_s=cpu_s, file_bytes=most_bytes)]


class Encoder:
    """The running process; a context manager that leaves none behind. `warnings` are its words once it has ended."""

    def __init__(
        self, job: Job, limits: Limits, file: int, out: int, progress: Callable[[float], None] = lambda _: None
    ) -> None:
        self._words = Words()
        self._job = job
        self._patience_s = limits.timeout_s + SLOWER * job.duration_s
        self._progress = progress
        fed = subprocess.PIPE if isinstance(job.sound, Sound) else subprocess.DEVNULL
        self._process = child.start(command(job, limits, file, out), (file, out), stdin=fed)
        self._selector = selectors.DefaultSelector()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._selector.register(self._process.stdout, selectors.EVENT_READ, self._take_progress)
        self._selector.register(self._process.stderr, selectors.EVENT_READ, self._words.feed)
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        child.end(self._process)
        self._selector.close()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What it said of damage."""
        return tuple(self._words.errors)

    def write(self, data: bytes) -> bool:
        """Feed sound; returns whether more is wanted: a process that has failed wants none, and `finish` tells why."""
        assert self._process.stdin is not None
        stdin = self._process.stdin.fileno()
        left = memoryview(data)
        self._selector.register(stdin, selectors.EVENT_WRITE)
        try:
            while left:
                if stdin in self._wait():
                    left = left[os.write(stdin, left) :]
        except BrokenPipeError:
            return False
        finally:
            self._selector.unregister(stdin)
        return True

    def finish(self) -> None:
        """Wait for the end; raises RemedyError and DecoderMissing where nothing good came of it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        while self._selector.get_map():
            self._wait()
        self._judge(self._process.wait())

    def _wait(self) -> list[int]:
        """Wait until something can be written or read; read it; return what is ready."""
        began = time.monotonic()
        ready = [key for key, _ in self._selector.select(max(0.0, self._patience_s))]
        self._patience_s -= time.monotonic() - began
        if not ready:
            raise RemedyError("encoder_limit", "the encoder was stopped: it is too slow")
        for key in ready:
            if key.data is not None:
                said = os.read(key.fd, 1 << 16)
                key.data(said)
                if not said:
                    self._selector.unregister(key.fileobj)
        return [key.fd for key in ready]

    def _take_progress(self, said: bytes) -> None:
        for line in said.splitlines():
            name, _, value = line.partition(b"=")
            if name == b"out_time_us" and value.isdigit():
                self._progress(min(1.0, int(value) / 1e6 / self._job.duration_s))

    def _judge(self, status: int) -> None:
        said = "; ".join(self._words.errors[-2:])
        if self._words.not_started:
            raise DecoderMissing(f"ffmpeg can't be started under its limits: {self._words.not_started}")
        if "No space left" in " ".join(self._words.errors):
            raise RemedyError("disk_full", "the disk is full")
        if status == -signal.SIGXFSZ:
            raise RemedyError("disk_full", "the output grows larger than a file may be here")
        if status == -signal.SIGKILL or "Cannot allocate memory" in said:
            raise RemedyError("encoder_limit", "the encoder ran out of the CPU time or memory that it may have")
        if status:
            raise RemedyError("encoder_failed", f"the encoder failed: {said or f'status {status}'}")
