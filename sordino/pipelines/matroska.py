"""
A reader of the Matroska that our own ffmpeg writes to a pipe: blocks with their times, as they arrive.

It is flat: elements that contain others are stepped into and their ends forgotten, elements without interest are
stepped over. That reads a live stream, whose Segment has no size, and needs memory for one element only.
Source: RFC 8794 (EBML), RFC 9559 (Matroska).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_EBML = 0x1A45DFA3
_SEGMENT, _INFO, _TRACKS, _CLUSTER = 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
_TRACK_ENTRY, _VIDEO, _AUDIO, _BLOCK_GROUP = 0xAE, 0xE0, 0xE1, 0xA0
_SAMPLING_FREQUENCY, _CHANNELS = 0xB5, 0x9F
_TIMESTAMP_SCALE, _TRACK_NUMBER, _TRACK_TYPE, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0x2AD7B1, 0xD7, 0x83, 0xB0, 0xBA
_CLUSTER_TIMESTAMP, _SIMPLE_BLOCK, _BLOCK = 0xE7, 0xA3, 0xA1

_STEP_INTO = {_SEGMENT, _INFO, _TRACKS, _CLUSTER, _TRACK_ENTRY, _VIDEO, _AUDIO, _BLOCK_GROUP}
_NUMBERS = {_TIMESTAMP_SCALE, _TRACK_NUMBER, _TRACK_TYPE, _PIXEL_WIDTH, _PIXEL_HEIGHT, _SAMPLING_FREQUENCY, _CHANNELS,
            _CLUSTER_TIMESTAMP}  # fmt: skip
_BLOCKS = {_SIMPLE_BLOCK, _BLOCK}
_KINDS: dict[int, Literal["video", "audio"]] = {1: "video", 2: "audio"}


class MatroskaError(ValueError):
    """What came is not the Matroska that we asked for."""


@dataclass(slots=True)
class Track:
    """What a TrackEntry says; filled while its elements arrive, complete before the first block."""

    number: int = 0
    kind: Literal["video", "audio", "other"] = "other"
    width: int = 0  # pixels
    height: int = 0
    sample_rate: int = 0  # Hz
    channels: int = 1


@dataclass(frozen=True, slots=True)
class Block:
    """One packet of one track: `time_s` is its presentation time."""

    track: Track
    time_s: float
    payload: bytes


class Reader:
    """
    Push bytes in, get blocks out.

    >>> list(Reader().feed(b"#EXTM3U"))
    Traceback (most recent call last):
    sordino.pipelines.matroska.MatroskaError: does not begin like Matroska
    """

    def __init__(self, max_block_bytes: int = 1 << 20) -> None:
        self.tracks: list[Track] = []
        self._max_block_bytes = max_block_bytes
        self._buffer = bytearray()
        self._skip = 0  # bytes of an uninteresting element that are still to come
        self._begun = False
        self._scale_s = 1e-3
        self._cluster = 0

    def feed(self, data: bytes) -> Iterator[Block]:
        """
        Take the next bytes of the stream and yield the blocks that they complete.

        Raises
        ------
        MatroskaError
            The bytes break the format, or an element is larger than it may be.
        """
        self._buffer += data
        at = 0
        while True:
            over = min(self._skip, len(self._buffer) - at)
            at += over
            self._skip -= over
            head = None if self._skip else self._head(at)
            if head is None:
                break
            element, payload, size = head
            if element in _NUMBERS or element in _BLOCKS:
                if payload + size > len(self._buffer):
                    break
                content = bytes(self._buffer[payload : payload + size])
                if element in _NUMBERS:
                    self._take_number(element, _number(element, content))
                else:
                    yield self._block(content)
                payload += size
            elif element == _TRACK_ENTRY:
                self.tracks.append(Track())
            elif element not in _STEP_INTO:
                self._skip = size
            at = payload
        del self._buffer[:at]

    def _head(self, at: int) -> tuple[int, int, int] | None:
        """Return an element's identity, where its payload begins and its size; None if that has not all come."""
        if (identity := self._variable_integer(at, 4)) is None or (
            size := self._variable_integer(identity[1], 8)
        ) is None:
            return None
        element, (length, payload) = identity[0], size
        if not self._begun and element != _EBML:
            raise MatroskaError("does not begin like Matroska")
        self._begun = True
        width = payload - identity[1]
        length &= (1 << 7 * width) - 1  # without the marker
        unknown = length == (1 << 7 * width) - 1
        if element not in _STEP_INTO:
            most = 8 if element in _NUMBERS else self._max_block_bytes
            if unknown or length > most:
                raise MatroskaError(f"element {element:#x} is larger than {most} bytes")
        return element, payload, length

    def _variable_integer(self, at: int, longest: int) -> tuple[int, int] | None:
        """Read an integer that tells its own length; returns it with its marker, and where it ends."""
        if at >= len(self._buffer):
            return None
        length = 9 - self._buffer[at].bit_length()
        if length > longest:
            raise MatroskaError("an element's head is broken")
        end = at + length
        return (int.from_bytes(self._buffer[at:end], "big"), end) if end <= len(self._buffer) else None

    def _take_number(self, element: int, value: int) -> None:
        if element == _TIMESTAMP_SCALE:
            self._scale_s = value * 1e-9
        elif element == _CLUSTER_TIMESTAMP:
            self._cluster = value
        elif not self.tracks:
            raise MatroskaError("a track's number came before the track")
        elif element == _TRACK_NUMBER:
            self.tracks[-1].number = value
        elif element == _TRACK_TYPE:
            self.tracks[-1].kind = _KINDS.get(value, "other")
        elif element == _PIXEL_WIDTH:
            self.tracks[-1].width = value
        elif element == _PIXEL_HEIGHT:
            self.tracks[-1].height = value
        elif element == _SAMPLING_FREQUENCY:
            self.tracks[-1].sample_rate = value
        elif element == _CHANNELS:
            self.tracks[-1].channels = value

    def _block(self, content: bytes) -> Block:
        if len(content) < 4 or not content[0] & 0x80 or content[3] & 0x06:  # a track below 128, no lacing
            raise MatroskaError("a block of a kind that was not asked for")
        for track in self.tracks:
            if track.number == content[0] & 0x7F:
                ticks = self._cluster + int.from_bytes(content[1:3], "big", signed=True)
                return Block(track, ticks * self._scale_s, content[4:])
        raise MatroskaError("a block of an unknown track")


def _number(element: int, content: bytes) -> int:
    if element != _SAMPLING_FREQUENCY:
        return int.from_bytes(content, "big")
    if len(content) not in (4, 8):
        raise MatroskaError("a sampling frequency that is no number")
    (rate,) = struct.unpack(">f" if len(content) == 4 else ">d", content)
    return round(rate) if 0 < rate < 1e9 else 0
