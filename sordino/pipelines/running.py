"""One run of the decoder: how its output and its words are judged, and how a file that it fails on is told of."""

import os
import re
import signal
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Generic, Self, TypeVar

from sordino.pipelines.child import FORMATS, DecoderMissing
from sordino.pipelines.decoder import Child, DecoderTooSlow, Limits, Want, output_bytes
from sordino.pipelines.matroska import Block, MatroskaError, Reader
from sordino.pipelines.words import Words

T = TypeVar("T")

ESTIMATED = {"mpegts", "mp3", "aac"}  # no header claims a duration there: ffmpeg guesses it, sometimes wildly
LARGEST_BLOCK_BYTES = 1 << 22  # 65,535 samples, FLAC's most, of 8 channels are 2 MiB
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


class Running(Generic[T]):
    """
    What a file gives while it is decoded, to iterate; `close` it or use `with`.

    Who inherits says in which runs (`_decode`), what becomes of a block (`_place`), what comes last (`_finish`), and
    how far it has got.
    """

    def __init__(self, path: str, want: Want, limits: Limits) -> None:
        self.warnings: tuple[str, ...] = ()
        self.start_s = 0.0
        self.codecs: dict[str, str] = {}
        self.tracks = 0
        self._path = path
        self._want = want
        self._limits = limits
        self._items = self._decode()

    @property
    def audio_s(self) -> float:
        """Seconds from the start to the end of the sound."""
        return 0.0

    @property
    def video_s(self) -> float:
        """Seconds from the start until the last picture has been shown for as long as the ones before it."""
        return 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        return next(self._items)

    def close(self) -> None:
        """End the child process, if it still runs."""
        self._items.close()

    def _decode(self) -> Generator[T, None, None]:
        raise NotImplementedError

    def _place(self, block: Block, reader: Reader, child: Child) -> Iterator[T]:
        raise NotImplementedError

    def _finish(self, child: Child) -> Iterator[T]:
        raise NotImplementedError

    def _run(self, file: int, want: Want) -> Generator[T, None, Words]:
        """Run one child to its end, and return what it said."""
        reader, received = Reader(LARGEST_BLOCK_BYTES), 0
        with Child(want, self._limits, file) as child:
            try:
                while output := child.read(self._limits.timeout_s + self._delivered_s):
                    received += len(output)
                    self._check(child.words, received + child.clock.received)
                    for block in reader.feed(output):
                        yield from self._place(block, reader, child)
                        self._check_length()
            except DecoderTooSlow:
                raise self._error("timeout", f"stopped, {self._limits.timeout_s:g} s behind real time") from None
            except MatroskaError as error:
                raise self._error("damaged", f"the decoder's output breaks off: {error}") from error
            self._check(child.words, received + child.clock.received)
            self._check_end(child)
            yield from self._finish(child)
            return child.words

    @property
    def _delivered_s(self) -> float:
        return max(self.audio_s, self.video_s)

    def _check_length(self) -> None:
        if self._delivered_s > self._limits.duration_s + 1e-3:
            raise self._error("too_long", f"is longer than the {self._limits.duration_s:g} s that are allowed")

    def _check(self, words: Words, received: int) -> None:
        """Refuse what breaks a limit by its own account."""
        self.start_s, self.codecs, self.tracks = words.start_s, words.codecs, words.tracks
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
def open_media(path: str) -> Iterator[int]:
    """Open a regular file that is not empty; anything else is not even opened. Raises MediaError."""
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


def why_nothing(words: Words, want: Want, head: bytes) -> tuple[str, str]:
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
