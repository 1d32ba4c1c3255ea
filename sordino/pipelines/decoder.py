"""The ffmpeg child process: its command, its limits, its output and its words. `media` is its only user."""

import os
import re
import resource
import selectors
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import ffmpeg

# Names as `ffmpeg -demuxers` has them; of a demuxer with several names one is enough.
FORMATS = ("mpegts", "mov", "matroska", "flv", "live_flv", "avi", "wav", "mp3", "aac", "flac", "ogg", "aiff")
CHANNELS = 2
FRAME_SIDE = 320  # pixels of a frame's longer side
GLOBAL_OPTIONS = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info", "-max_error_rate", "1",
                  "-filter_threads", "1")  # fmt: skip
# A picture whose time goes back follows the one before it, until the clock has caught up: ffmpeg would drop it.
FORWARD = "setpts='if(isnan(PREV_OUTPTS)+gt(PTS,PREV_OUTPTS),PTS,PREV_OUTPTS+max(1,PTS-PREV_INPTS))'"
MAX_WORDS = 20  # messages that are kept
MAX_LINE = 4096  # bytes; a hostile file's metadata come as lines too
DAMAGE = re.compile(
    r"corrupt|truncat|premature|mismatch|partial|missing|invalid|broken|damage|discontinu", re.IGNORECASE
)


class DecoderMissing(Exception):  # noqa: N818 -- a state of the machine, not of the file
    """ffmpeg, or prlimit (util-linux), which limits it, is not installed or does not start."""


class DecoderTooSlow(Exception):  # noqa: N818 -- becomes a MediaError
    """The child kept us waiting for longer than it may."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost. Time is allowed in proportion: slower than real time, after a start, is too slow."""

    duration_s: float = 4 * 3600.0
    pixels: int = 8192 * 4320  # of a picture
    timeout_s: float = 30.0  # of waiting for the decoder, besides a second for each second of media that it delivered
    cpu_s: float = 30.0  # of the decoder, besides a second for each second of `duration_s`
    memory_bytes: int = 2 << 30  # address space; 8K H.264 needs 0.8 GB of it, ffmpeg alone 0.3
    threads: int = 1  # more save no CPU time, and a worker is one of many


@dataclass(frozen=True, slots=True)
class Want:
    """What is to be decoded, and how finely."""

    sample_rate: int
    frames_per_s: float
    audio: bool
    video: bool


def program(name: str) -> str:
    """Find a program's path, or raise `DecoderMissing`."""
    path = shutil.which(name)
    if path is None:
        package = {"ffmpeg": "ffmpeg", "prlimit": "util-linux"}[name]
        raise DecoderMissing(f"{name} is not installed (Debian and Ubuntu: apt-get install {package})")
    return path


def command(want: Want, limits: Limits, file: int) -> list[str]:
    """
    Build the command that decodes the open file `file` to Matroska on its standard output.

    Tracks: stereo PCM, then frames, then a "clock": every picture, shrunk to four pixels, because only the times of all
    of them tell when the last one ends. The whitelists keep playlists from being followed; MP4's references to other
    files are off by ffmpeg's default.
    """
    # A path never reaches ffmpeg, so none can be taken for a URL, a pattern or a format.
    source = ffmpeg.input(
        f"file:/dev/fd/{file}",
        protocol_whitelist="file",
        format_whitelist=",".join(FORMATS),
        max_pixels=limits.pixels,
        threads=limits.threads,
    )
    audio = [source["a:0?"]] if want.audio else []
    video = [source["V:0?"]] * 2 if want.video else []  # V: cover pictures are no video
    options = {
        "format": "matroska",
        "live": 1,
        "allow_raw_vfw": 1,
        "cluster_time_limit": 1000,  # ms: what is decoded comes out soon
        "map_metadata": -1,
        "map_chapters": -1,
        "sn": None,  # where no track matches the maps, ffmpeg 5 selects some by itself: not these ...
        "dn": None,
        **({} if want.audio else {"an": None}),
        **({} if want.video else {"vn": None}),
        "c:a": "pcm_f32le",
        "ac": CHANNELS,  # more become two as a player's do; `downmix` makes one of them
        "ar": want.sample_rate,
        "filter:a": "aresample=lfe_mix_level=0.7071:rematrix_maxval=1",  # by default LFE is dropped, and sums clip
        "c:v": "rawvideo",
        "pix_fmt": "gray",
        "threads": 1,
        "filter:v:0": _frames_filter(want.frames_per_s),
        "filter:v:1": f"{FORWARD},scale=2:2:flags=neighbor",
        "enc_time_base:v": "1/90000",  # by default times are rounded to the nominal frame rate
        "fps_mode": "passthrough",
        "max_muxing_queue_size": 1 << 20,  # packets of one track while the other has not begun
        "t": limits.duration_s + 1,
    }
    sink = ffmpeg.output(*audio, *video, "pipe:1", **options)
    return list(map(str, sink.compile(cmd=[*_limiter(limits), program("ffmpeg"), *GLOBAL_OPTIONS])))


def output_bytes(want: Want, limits: Limits) -> float:
    """Most that the child may write: PCM, square frames, and a clock of at most a thousand pictures a second."""
    return (limits.duration_s + 10) * (4 * CHANNELS * want.sample_rate + FRAME_SIDE**2 * want.frames_per_s + 32 * 1000)


def _frames_filter(frames_per_s: float) -> str:
    """Pick frames by their times (a millisecond of rounding is forgiven); square pixels, even sides."""
    return (
        f"{FORWARD},select='isnan(prev_selected_t)+gte(t-prev_selected_t,{1 / frames_per_s - 1e-3:.6f})',"
        f"scale=w='max(16,2*round({FRAME_SIDE / 2}*min(1,dar)))'"
        f":h='max(16,2*round({FRAME_SIDE / 2}*min(1,1/dar)))':flags=area"
    )


def _limiter(limits: Limits) -> list[str]:
    """
    Build what stands in front: util-linux's prlimit, which becomes ffmpeg.

    Soft and hard limits are equal, as ffmpeg would answer SIGXCPU by a normal end. None is above this process's own.
    """
    wanted = {
        "as": (resource.RLIMIT_AS, limits.memory_bytes),
        "cpu": (resource.RLIMIT_CPU, int(limits.cpu_s + limits.duration_s)),
        "nofile": (resource.RLIMIT_NOFILE, 64),
        "core": (resource.RLIMIT_CORE, 0),
        "fsize": (resource.RLIMIT_FSIZE, 0),
    }
    arguments = []
    for name, (kind, value) in wanted.items():
        hard = resource.getrlimit(kind)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        arguments.append(f"--{name}={allowed}:{allowed}")
    return [program("prlimit"), *arguments, "--"]


_LINE = re.compile(r"^((?:\[[^]]* @ 0x[0-9a-f]+\] )*)\[(\w+)\] (.*)$")
_DURATION = re.compile(r"^  Duration: (?:(\d+):(\d\d):(\d\d\.\d+)|N/A)(?:, start: (-?\d+\.\d+))?")
_STREAM = re.compile(r"^  Stream #\d+:\d+.*?: (Audio|Video): (?!.*\(attached pic\))")
_SIZE = re.compile(r"Picture size (\d+)x(\d+) (?:is invalid|exceeds)")


@dataclass(slots=True)
class Words:
    """What ffmpeg says on its standard error, as far as it matters."""

    format: str | None = None  # the demuxer's name, once it has opened the file
    refused: str | None = None  # the demuxer's name, if it is not one of ours
    speaker: str | None = None  # who said the last error
    claimed_s: float | None = None
    start_s: float = 0.0
    kinds: set[str] = field(default_factory=set)  # of tracks: Audio, Video; cover pictures are none
    picture: tuple[int, int] = (0, 0)  # size of the largest picture that was refused
    errors: list[str] = field(default_factory=list)  # distinct, in order
    not_started: str | None = None  # why, in the words of prlimit or the loader
    _rest: bytes = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line[:MAX_LINE].decode(errors="replace"))
        self._rest = self._rest[:MAX_LINE]

    def _take(self, line: str) -> None:
        if (match := _LINE.match(line)) is None:
            if line.startswith("prlimit: ") or "error while loading shared libraries" in line:
                self.not_started = line
            return
        speakers, level, text = match.groups()
        if level == "info":
            self._take_facts(text)
        elif level in {"error", "fatal", "panic"} or DAMAGE.search(text):
            self.speaker = speakers.strip("[]").split(" @ ")[0] or self.speaker
            self._take_error(re.sub(r"file:/dev/fd/\d+", "the file", text.strip()))

    def _take_facts(self, text: str) -> None:
        if text.startswith("Input #0, ") and self.format is None:
            self.format = text.removeprefix("Input #0, ").split(", from ")[0]
        elif self.format is not None and self.claimed_s is None and (match := _DURATION.match(text)):
            hours, minutes, seconds, start = match.groups()
            self.claimed_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds) if hours else 0.0
            self.start_s = float(start or 0)
        elif match := _STREAM.match(text):
            self.kinds.add(match[1])

    def _take_error(self, text: str) -> None:
        if text.startswith("Format not on whitelist"):
            self.refused = self.speaker
        elif match := _SIZE.search(text):
            self.picture = max(self.picture, (int(match[1]), int(match[2])), key=lambda size: size[0] * size[1])
        if text not in self.errors:
            self.errors[MAX_WORDS - 1 :] = [text]  # the first ones, and the last


class Child:
    """
    The running process; a context manager that leaves none behind.

    `status` is its exit status once `read` has returned nothing (negative: the signal that ended it).
    """

    def __init__(self, arguments: list[str], file: int) -> None:
        self.words = Words()
        self.status: int | None = None
        self._waited_s = 0.0
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(file,),
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "AV_LOG_FORCE_NOCOLOR": "1"},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdout, self._stderr = self._process.stdout, self._process.stderr
        os.set_blocking(self._stderr.fileno(), False)
        self._selector = selectors.DefaultSelector()
        for pipe in (self._stdout, self._stderr):
            self._selector.register(pipe, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._stdout.close()
        self._stderr.close()
        self._process.wait()
        self._selector.close()

    def read(self, patience_s: float) -> bytes:
        """
        Return the next bytes of output, nothing at its end; what was said before them is in `words` by then.

        Raises
        ------
        DecoderTooSlow
            All waiting for this child adds up to more than `patience_s`.
        """
        began = time.monotonic() - self._waited_s
        try:
            while self._selector.get_map():
                if (left_s := began + patience_s - time.monotonic()) <= 0:
                    raise DecoderTooSlow
                ready = [key.fileobj for key, _ in self._selector.select(left_s)]
                self._listen()
                if self._stdout in ready:
                    if output := os.read(self._stdout.fileno(), 1 << 18):
                        return output
                    self._selector.unregister(self._stdout)
            self.status = self._process.wait(max(1.0, began + patience_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise DecoderTooSlow from None
        finally:
            self._waited_s = time.monotonic() - began
        return b""

    def _listen(self) -> None:
        """Take what has been said so far: a pipe holds no more than one read takes."""
        if self._stderr not in (key.fileobj for key in self._selector.get_map().values()):
            return
        try:
            said = os.read(self._stderr.fileno(), 1 << 16)
        except BlockingIOError:
            return
        self.words.feed(said)
        if not said:
            self._selector.unregister(self._stderr)
