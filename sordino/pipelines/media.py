"""The only door to ffmpeg: one limited child process turns a file into mono PCM and frames with their times."""

import os
import re
import signal
import stat
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from sordino.pipelines.decoder import (
    FORMATS,
    Child,
    DecoderMissing,
    DecoderTooSlow,
    Limits,
    Want,
    output_bytes,
    program,
)
from sordino.pipelines.matroska import Block, MatroskaError, Reader
from sordino.pipelines.timeline import Frame, Pcm, Pictures, Sound, stereo
from sordino.pipelines.words import Words

__all__ = ["DecoderMissing", "Decoding", "Frame", "Limits", "MediaError", "Pcm", "decode", "ffmpeg_version"]

ESTIMATED = {"mpegts", "mp3", "aac"}  # no header claims a duration there: ffmpeg guesses it, sometimes wildly
NO_MEMORY = re.compile("get_buffer|frame_thread_encoder_init")
PLAYLISTS = {b"#EXTM3U": "an M3U playlist", b"ffconcat": "a concat script"}
REFUSED = {
    "hls": "an HLS playlist",
    "concat": "a concat script",
    "dash": "a DASH manifest",
    "jpeg_pipe": "a JPEG picture",
    "gif": "a GIF picture",
    "image2": "a picture",
}


class MediaError(Exception):
    """
    A file that can't be decoded, as its user is told: `str(error)` is one line that names the file.

    `code` is one of not_found, unreadable, empty, not_media, unsupported_format, damaged, no_streams, too_large,
    too_long, timeout, decoder_limit.
    """

    def __init__(self, code: str, path: str, message: str) -> None:
        super().__init__(code, path, message)
        self.code = code
        self.path = path
        self.message = message

    def __str__(self) -> str:
        line = f"{os.path.basename(self.path) or self.path}: {self.message}"
        return "".join(letter if letter.isprintable() else "?" for letter in line)


def decode(
    path: str | os.PathLike[str],
    *,
    sample_rate: int = 16_000,
    frames_per_s: float = 2.0,
    limits: Limits = Limits(),  # noqa: B008 -- a frozen value
    audio: bool = True,
    video: bool = True,
    frame_side: int = 640,
    keyframes: bool = False,
) -> "Decoding":
    """
    Decode the first sound and the first video track of a file, in one pass.

    Parameters
    ----------
    path
        A regular file: MPEG-TS, MP4 and its kin (fragmented too), Matroska, WebM, FLV, AVI, WAV, MP3, AAC, FLAC, Ogg or
        AIFF.
    sample_rate
        Of the PCM, in Hz; up to 48,000.
    frames_per_s
        At most so many frames; which ones is decided by their times, so a variable frame rate is no trouble. Up to 60.
    limits
        What the file may cost.
    audio, video
        Whether that kind is wanted.
    frame_side
        Pixels of the frames' longer side, 16 to 1280. Smaller pictures are not enlarged.
    keyframes
        Frames of keyframes only, at a quarter of the cost or less: there are fewer of them, their times and `video_s`
        stay the same. Decoders that can't leave pictures out (of AV1, say) give the others, too.

    Returns
    -------
    Decoding
        The child process starts with the first iteration; `MediaError` and `DecoderMissing` come from there too.
    """
    want = Want(sample_rate, frames_per_s, audio, video, frame_side, keyframes)
    if not (1 <= sample_rate <= 48_000 and 0 < frames_per_s <= 60 and 16 <= frame_side <= 1280 and (audio or video)):
        raise ValueError(f"can't decode to {want}")
    return Decoding(os.fspath(path), want, limits)


def ffmpeg_version() -> str:
    """Return the version of the machine's ffmpeg, or raise `DecoderMissing`."""
    said = subprocess.run([program("ffmpeg"), "-version"], capture_output=True, check=False, text=True)
    words = said.stdout.split()
    if words[:2] != ["ffmpeg", "version"] or len(words) < 3:
        raise DecoderMissing(f"what is installed as ffmpeg does not work: {said.stderr.strip()}")
    return words[2]


class Decoding:
    """
    What `decode` returns: iterate to get `Pcm` and `Frame`, each kind in order of time; `close` it or use `with`.

    Sound is continuous from 0: silence stands where the file has none. Time 0 is the container's start, whatever its
    clock says; what comes after the clock jumped back follows what came before. Once exhausted, `warnings` has ffmpeg's
    words about damage, `audio_s` and `video_s` the time at which sound and pictures end (0.0: there are none),
    `start_s` the container's own time of its start.

    Raises
    ------
    MediaError
        While iterating: nothing could be decoded, or a limit was reached. Damage after a good part is a warning.
    """

    def __init__(self, path: str, want: Want, limits: Limits) -> None:
        self.warnings: tuple[str, ...] = ()
        self.start_s = 0.0
        self._path = path
        self._want = want
        self._limits = limits
        self._sound = Sound(want.sample_rate)
        self._pictures = Pictures()
        self._items = self._decode()

    @property
    def audio_s(self) -> float:
        """Seconds from the start to the end of the sound."""
        return self._sound.end_s

    @property
    def video_s(self) -> float:
        """Seconds from the start until the last picture has been shown for as long as the ones before it."""
        return self._pictures.end_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Pcm | Frame:
        return next(self._items)

    def close(self) -> None:
        """End the child process, if it still runs."""
        self._items.close()

    def _decode(self) -> Generator[Pcm | Frame, None, None]:
        with _open(self._path) as file:
            first = yield from self._run(file, self._want)
            if self._want.keyframes and first.kinds and not self._delivered_s:
                # ffmpeg copies no track that tells too little of itself, but may decode it; or no keyframe could be.
                self._want = replace(self._want, keyframes=False)
                first = yield from self._run(file, self._want)
            errors = first.errors
            both = self._want.audio and self._want.video and first.kinds == {"Audio", "Video"}
            if both and not self._delivered_s:
                # ffmpeg writes nothing before every track has begun: one that never does silences the other.
                for only in (replace(self._want, video=False), replace(self._want, audio=False)):
                    if not self._delivered_s:
                        errors = [*errors, *(yield from self._run(file, only)).errors]
            if not self._delivered_s:
                raise self._error(*_why_nothing(first, self._want, os.pread(file, 16, 0)))
            self.warnings = tuple(dict.fromkeys([*errors, *self._missed(first.kinds)]))

    def _missed(self, kinds: set[str]) -> Iterator[str]:
        """Say it where a track gave nothing, as an empty one does without a word from ffmpeg."""
        if self._want.audio and "Audio" in kinds and not self.audio_s:
            yield "there is a sound track, but nothing in it could be decoded"
        if self._want.video and "Video" in kinds and not self.video_s:
            yield "there is a video track, but nothing in it could be decoded"

    def _run(self, file: int, want: Want) -> Generator[Pcm | Frame, None, Words]:
        """Run one child to its end, and return what it said."""
        reader, received = Reader(), 0
        with Child(want, self._limits, file) as child:
            try:
                while output := child.read(self._limits.timeout_s + self._delivered_s):
                    received += len(output)
                    self._check(child.words, received + child.clock.received)
                    for block in reader.feed(output):
                        yield from self._place(block, reader, child)
            except DecoderTooSlow:
                raise self._error("timeout", f"stopped, {self._limits.timeout_s:g} s behind real time") from None
            except MatroskaError as error:
                raise self._error("damaged", f"the decoder's output breaks off: {error}") from error
            self._check(child.words, received + child.clock.received)
            if self._want.keyframes and self.video_s:  # pictures came after the last keyframe
                self._pictures.end_s = child.clock.end_s
            self._check_end(child)
            yield from self._sound.finish()
            return child.words

    def _place(self, block: Block, reader: Reader, child: Child) -> Iterator[Pcm | Frame]:
        videos = [track for track in reader.tracks if track.kind == "video"]
        if block.track.kind == "audio":
            yield from self._sound.place(block.time_s, stereo(block))
        elif "Video" not in child.words.kinds:
            return  # a cover picture that ffmpeg selected for want of better
        elif self._want.keyframes:
            yield self._pictures.frame(block, child.clock.next_frame_s())
            self._pictures.end_s = child.clock.end_s
        elif block.track is videos[0]:
            yield self._pictures.frame(block)
        else:
            self._pictures.tick(block.time_s)
        if self._delivered_s > self._limits.duration_s + 1e-3:
            raise self._error("too_long", f"is longer than the {self._limits.duration_s:g} s that are allowed")

    @property
    def _delivered_s(self) -> float:
        return max(self.audio_s, self.video_s)

    def _check(self, words: Words, received: int) -> None:
        """Refuse what breaks a limit by its own account."""
        self.start_s = words.start_s
        claimed_s, (width, height) = words.claimed_s or 0.0, words.picture
        if claimed_s > self._limits.duration_s and words.format not in ESTIMATED:
            raise self._error("too_long", f"claims {claimed_s:g} s, {self._limits.duration_s:g} s are allowed")
        if width * height > self._limits.pixels and not self.video_s:
            raise self._error("too_large", f"has {width} x {height} pixels, {self._limits.pixels} are allowed")
        if received > output_bytes(self._want, self._limits):
            raise self._error("decoder_limit", f"unpacks to more than {output_bytes(self._want, self._limits):g} bytes")

    def _check_end(self, child: Child) -> None:
        """Tell a child that ran into its limits from one that met with damage."""
        said = " ".join(child.words.errors)
        if child.words.not_started:  # not the file's fault
            raise DecoderMissing(f"ffmpeg can't be started under its limits: {child.words.not_started}")
        if child.status == -signal.SIGKILL:
            raise self._error("decoder_limit", "the decoder was killed: out of CPU time or memory")
        if "Cannot allocate memory" in said or (not self.video_s and NO_MEMORY.search(said)):
            raise self._error("decoder_limit", f"needs more than {self._limits.memory_bytes} bytes of memory")
        if child.status is not None and child.status < 0:
            if not self._delivered_s:
                raise self._error("damaged", f"the decoder crashed on it (signal {-child.status})")
            child.words.errors.append(f"the decoder crashed (signal {-child.status})")
        elif child.status and not said:
            child.words.errors.append(f"ffmpeg ended with status {child.status}")

    def _error(self, code: str, message: str) -> MediaError:
        return MediaError(code, self._path, message)


@contextmanager
def _open(path: str) -> Iterator[int]:
    """Open a regular file that is not empty; anything else is not even opened."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise MediaError("not_media", path, "is not a regular file")
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise MediaError("not_found", path, "there is no such file") from None
    except (OSError, ValueError) as error:
        raise MediaError("unreadable", path, f"can't be opened: {error}") from error
    try:
        if os.fstat(file).st_size == 0:
            raise MediaError("empty", path, "has no bytes")
        yield file
    finally:
        os.close(file)


def _why_nothing(words: Words, want: Want, head: bytes) -> tuple[str, str]:
    """Find the code and the message for a file of which nothing was decoded."""
    playlist = next(
        (name for magic, name in PLAYLISTS.items() if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(magic)), None
    )
    last = "; ".join(words.errors[-2:]) or "nothing could be decoded"
    if words.refused or playlist:
        refused = words.refused or ""
        picture = (
            f"a {refused.removesuffix('_pipe').upper()} picture"
            if refused.endswith("_pipe")
            else f"of format {refused}"
        )
        return "unsupported_format", f"is {playlist or REFUSED.get(refused, picture)}, which is not accepted"
    if words.format is None:
        known = words.speaker is not None and set(words.speaker.split(",")) & set(FORMATS)
        return ("damaged", last) if known else ("not_media", f"is no audio or video: {last}")
    if not words.kinds & ({"Audio", "Video"} if want.audio and want.video else {"Audio" if want.audio else "Video"}):
        return "no_streams", "has none of the wanted tracks"
    return "damaged", last
