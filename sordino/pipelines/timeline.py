"""What decoding gives, and where in time it stands. Time 0 is the container's start, whatever its clock says."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from sordino.pipelines.downmix import Downmix
from sordino.pipelines.matroska import Block, MatroskaError

CHUNK_S = 1.0  # of sound at once
GAP_S = 0.1  # timestamps of sound jitter by less; more is a gap
LAST_FRAME_S = 0.04  # shown so long if there is but one


@dataclass(frozen=True, slots=True, eq=False)
class Pcm:
    """Sound: `samples` int16[n], mono, at the rate asked for; the first one sounds `start_s` after the file's start."""

    start_s: float
    samples: NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """
    A picture, shown from `time_s` after the file's start.

    `luma` uint8[height, width]: full range (black 0, white 255), upright, square pixels, the longer side as asked for,
    or as the picture has it if that is less. All frames of a file have one size; pictures of another shape, after a
    change in mid-stream, are stretched to it.
    """

    time_s: float
    luma: NDArray[np.uint8]


class Line:
    """
    Lays blocks of sound on the timeline, one after the other.

    A block that comes late leaves a gap, which is filled with silence. One that comes early, on top of another, is
    not dropped: it follows, and what comes after closes up again.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._at = 0  # samples laid so far

    @property
    def end_s(self) -> float:
        """Seconds from the start to the end of what has been laid."""
        return self._at / self._rate

    def place(self, time_s: float, samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Lay a block, float32[n, channels]; yields the silence before it, if any, and the block."""
        gap = round(time_s * self._rate) - self._at
        if gap > GAP_S * self._rate or self._at == 0:
            while gap > 0:
                silence = np.zeros((min(gap, int(CHUNK_S * self._rate)), samples.shape[1]), np.float32)
                self._at += len(silence)
                yield silence
                gap -= len(silence)
        self._at += len(samples)
        yield samples


class Sound:
    """Lays blocks of stereo on a line; cuts chunks of about a second, mixed to mono."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._line = Line(rate)
        self._given = 0  # samples yielded so far
        self._mix = Downmix(rate)
        self._pending: list[NDArray[np.float32]] = []
        self._pending_length = 0

    @property
    def end_s(self) -> float:
        """Seconds from the start to the end of what has been laid."""
        return self._line.end_s

    def place(self, time_s: float, samples: NDArray[np.float32]) -> Iterator[Pcm]:
        """Lay a block, float32[n, 2]; yields what is complete."""
        for laid in self._line.place(time_s, samples):
            self._pending.append(laid)
            self._pending_length += len(laid)
            if self._pending_length >= CHUNK_S * self._rate:
                yield from self._give(self._mixed())

    def finish(self) -> Iterator[Pcm]:
        """Yield what has been laid and not been yielded."""
        if self._given < round(self.end_s * self._rate):
            yield from self._give(np.concatenate([self._mixed(), self._mix.finish()]))

    def _mixed(self) -> NDArray[np.int16]:
        samples = np.concatenate([np.empty((0, 2), np.float32), *self._pending])
        self._pending, self._pending_length = [], 0
        return self._mix.push(samples)

    def _give(self, samples: NDArray[np.int16]) -> Iterator[Pcm]:
        yield Pcm(self._given / self._rate, samples)
        self._given += len(samples)


def samples(block: Block, channels: int) -> NDArray[np.float32]:
    """Return a block's samples, float32[n, channels], or raise `MatroskaError` where they do not come out even."""
    if len(block.payload) % (4 * channels):
        raise MatroskaError(f"a block of {len(block.payload)} bytes is not of {channels} channels")
    return np.frombuffer(block.payload, "<f4").reshape(-1, channels)


class Pictures:
    """Makes frames, and keeps the time at which the last picture ends."""

    def __init__(self) -> None:
        self.end_s = 0.0
        self._last_s: float | None = None
        self._gaps: deque[float] = deque(maxlen=50)

    def tick(self, time_s: float) -> None:
        """Note the time of the next picture, whether it becomes a frame or not."""
        if self._last_s is not None:
            self._gaps.append(time_s - self._last_s)
        self._last_s = time_s
        self.end_s = time_s + (median(self._gaps) if self._gaps else LAST_FRAME_S)

    def frame(self, block: Block, time_s: float | None = None) -> Frame:
        """
        Make a frame of a block, shown at the block's own time if no other is given.

        Raises `MatroskaError` where its size is not the track's.
        """
        luma = np.frombuffer(block.payload, np.uint8)
        if luma.size != block.track.width * block.track.height:
            raise MatroskaError(f"a frame of {luma.size} bytes is not {block.track.width} x {block.track.height}")
        return Frame(block.time_s if time_s is None else time_s, luma.reshape(block.track.height, block.track.width))
