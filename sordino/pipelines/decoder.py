"""The ffmpeg child process: its command, its limits and its output. `media` is its only user."""

import os
import selectors
import subprocess
import time
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Self

import ffmpeg

from sordino.pipelines.child import FORMATS, GLOBAL_OPTIONS, end, limited, program, start
from sordino.pipelines.clock import FRAME_TICKS, Clock
from sordino.pipelines.words import Words

CHANNELS = 2
MOST_CHANNELS, HIGHEST_RATE = 8, 192_000  # of a track's own sound
# A picture whose time goes back follows the one before it, until the clock has caught up: ffmpeg would drop it.
FORWARD = "setpts='if(isnan(PREV_OUTPTS)+gt(PTS,PREV_OUTPTS),PTS,PREV_OUTPTS+max(1,PTS-PREV_INPTS))'"


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

    sample_rate: int | None  # None: the track's own
    frames_per_s: float
    audio: bool
    video: bool
    frame_side: int = 640  # pixels of a frame's longer side, at most
    keyframes: bool = False
    channels: int | None = CHANNELS  # None: as many as the track has
    beside: bool = False  # the kind that is not wanted is read, too, where the file has it (see `beside`)


def command(want: Want, limits: Limits, file: int, clock: int | None = None) -> list[str]:
    """
    Build the command that decodes the open file `file` to Matroska on its standard output.

    Tracks: stereo PCM, then frames, then a "clock": every picture, shrunk to four pixels, because only the times of all
    of them tell when the last one ends. Where only keyframes are decoded, the clock is text on the pipe `clock`
    instead: every picture's packet, copied, and every frame. The whitelists keep playlists from being followed; MP4's
    references to other files are off by ffmpeg's default.
    """
    # AVI has no presentation times, and a decoder that sees keyframes only gives them the next one's.
    source = opened(file, limits, **({"skip_frame:v": "nokey", "fflags": "+genpts"} if clock is not None else {}))
    sinks = [_media_output(source, want, limits, clock)]
    if clock is not None:
        sinks.append(_clock_output(source, limits, clock))
    elif want.beside:
        sinks.append(beside(source))
    arguments = ffmpeg.merge_outputs(*sinks).compile(cmd=[*_limited(limits), program("ffmpeg"), *GLOBAL_OPTIONS])
    return list(map(str, arguments))


def opened(file: int, limits: Limits, **options: Any) -> Any:
    """Name an open file as ffmpeg's input: a path never reaches it, so none is taken for a URL, a pattern, a format."""
    return ffmpeg.input(
        f"file:/dev/fd/{file}",
        protocol_whitelist="file",
        format_whitelist=",".join(FORMATS),
        max_pixels=limits.pixels,
        threads=limits.threads,
        **options,
    )


def beside(source: Any) -> Any:
    """
    Read both kinds of tracks and write nothing, beside what only wants one of them.

    In MPEG-TS ffmpeg has the time begin with the first track that is read: it has to be the same one in every run.
    """
    return ffmpeg.output(source["V:0?"], source["a:0?"], "-", format="null", c="copy", sn=None, dn=None)


def output_bytes(want: Want, limits: Limits) -> float:
    """Most that the child may write: PCM, square frames, and a clock of at most a thousand pictures a second."""
    clock = 100 if want.keyframes else 32  # bytes of a picture's line or block
    frames = want.frame_side**2 * want.frames_per_s
    sound = 4 * (want.channels or MOST_CHANNELS) * (want.sample_rate or HIGHEST_RATE)
    return (limits.duration_s + 10) * (sound + frames + clock * 1000)


def _limited(limits: Limits) -> list[str]:
    return limited(memory_bytes=limits.memory_bytes, cpu_s=limits.cpu_s + limits.duration_s)


def _media_output(source: Any, want: Want, limits: Limits, clock: int | None) -> Any:
    audio = [source["a:0?"]] if want.audio else []
    video = [source["V:0?"]] * (1 if want.keyframes else 2) if want.video else []  # V: cover pictures are no video
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
        **_mixed(want),
        "c:v": "rawvideo",
        "pix_fmt": "gray",
        "threads": 1,
        "filter:v:0": _frames_filter(want, clock),
        **({} if want.keyframes else {"filter:v:1": f"{FORWARD},scale=2:2:flags=neighbor"}),
        "enc_time_base:v": "1/90000",  # by default times are rounded to the nominal frame rate
        "fps_mode": "passthrough",
        "max_muxing_queue_size": 1 << 20,  # packets of one track while the other has not begun
        "t": limits.duration_s + 1,
    }
    return ffmpeg.output(*audio, *video, "pipe:1", **options)


def _mixed(want: Want) -> dict[str, Any]:
    # By default LFE is dropped, and sums clip.
    downmixed = "aresample=lfe_mix_level=0.7071:rematrix_maxval=1"
    options = {
        "ac": want.channels,  # more become two as a player's do; `downmix` makes one of them
        "ar": want.sample_rate,
        "filter:a": downmixed if want.channels else None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _clock_output(source: Any, limits: Limits, clock: int) -> Any:
    """
    List the packets of pictures, undecoded, one a line.

    Decoding times only count, so that ffmpeg has none to put right: it would change the presentation times with them.
    The sound, of which nothing is let through, is there for files without pictures: ffmpeg refuses an empty output.
    """
    options = {
        "format": "framecrc",
        "c": "copy",
        "bsf:v": "setts=pts='if(eq(PTS,NOPTS),DTS,PTS)':dts=N-1e12",
        "bsf:a": "noise=drop=1",
        "map_metadata": -1,
        "sn": None,
        "dn": None,
        "flush_packets": 1,
        "max_interleave_delta": 1,  # us: wait for no sound
        "t": limits.duration_s + 1,
    }
    return ffmpeg.output(source["V:0?"], source["a:0?"], f"pipe:{clock}", **options)


def _frames_filter(want: Want, clock: int | None) -> str:
    """
    Pick frames by their times (a millisecond of rounding is forgiven), and shrink them to square pixels.

    A frame's own times on the clock are those before they were made to go forward: only the clock, which knows of all
    pictures, can tell how far.
    """
    due = f"isnan(prev_selected_t)+gte(abs(t-prev_selected_t),{1 / want.frames_per_s - 1e-3:.6f})"
    pick = f"select='{due}'"
    tell = f"settb=1/{FRAME_TICKS},metadata=add:key=t:value=1,metadata=print:key=t:direct=1:file='pipe\\:{clock}'"
    times = f"{FORWARD},{pick}" if clock is None else f"{pick},{tell},{FORWARD}"
    longer = f"min({want.frame_side},max(iw*min(1,sar),ih*min(1,1/sar)))"  # never enlarged
    width, height = (f"max(1,round({longer}*min(1,{shape})))" for shape in ("dar", "1/dar"))
    return f"{times},scale=w='{width}':h='{height}':flags=area"


class Child:
    """
    The running process; a context manager that leaves none behind.

    `status` is its exit status once `read` has returned nothing (negative: the signal that ended it).
    """

    def __init__(self, want: Want, limits: Limits, file: int) -> None:
        self.words = Words()
        self.clock = Clock(limits.duration_s + 1)
        self.status: int | None = None
        self._waited_s = 0.0
        times, telling = os.pipe() if want.keyframes and want.video else (None, None)
        try:
            files = (file,) if telling is None else (file, telling)
            self._process = start(command(want, limits, file, telling), files)
        except BaseException:
            if times is not None:
                os.close(times)
            raise
        finally:
            if telling is not None:
                os.close(telling)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdout = self._process.stdout
        self._listeners: dict[IO[bytes], Words | Clock] = {self._process.stderr: self.words}
        if times is not None:
            self._listeners[os.fdopen(times, "rb", buffering=0)] = self.clock
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)
        for pipe in self._listeners:
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        end(self._process)
        for pipe in self._listeners:
            pipe.close()
        self._selector.close()

    def read(self, patience_s: float) -> bytes:
        """
        Return the next bytes of output, nothing at its end; what was said before them is in `words` and `clock` then.

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
                output = os.read(self._stdout.fileno(), 1 << 18) if self._stdout in ready else None
                self._listen()
                if output:
                    return output
                if output is not None:
                    self._selector.unregister(self._stdout)
            self.status = self._process.wait(max(1.0, began + patience_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise DecoderTooSlow from None
        finally:
            self._waited_s = time.monotonic() - began
        return b""

    def _listen(self) -> None:
        """Take what has been said so far: a pipe holds no more than one read takes."""
        for pipe in set(self._listeners) & {key.fileobj for key in self._selector.get_map().values()}:
            try:
                said = os.read(pipe.fileno(), 1 << 16)
            except BlockingIOError:
                continue
            self._listeners[pipe].feed(said)
            if not said:
                self._selector.unregister(pipe)
