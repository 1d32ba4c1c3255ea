"""Sound read at times between its samples: what it takes to lay a reference under a copy that runs at another speed."""

import numba
import numpy as np
from numpy.typing import NDArray

REACH = 16  # samples to either side of a point; 96 dB down with this window, but for the last twentieth of the band
PHASES = 512  # of the kernel's table; between them it is interpolated


def _table() -> NDArray[np.float32]:
    """Return the kernel at every phase, (PHASES + 1, 2 * REACH): a sinc under a Kaiser window."""
    offsets = np.arange(1 - REACH, REACH + 1)[None, :] - np.arange(PHASES + 1)[:, None] / PHASES
    window = np.i0(9.0 * np.sqrt(np.clip(1 - (offsets / REACH) ** 2, 0, None))) / np.i0(9.0)
    return np.asarray(np.sinc(offsets) * window, np.float32)


TABLE = _table()


def sampled(sound: NDArray[np.float32], start: float, step: float, count: int) -> NDArray[np.float32]:
    """
    Return a sound at `count` places: `start`, `start + step`, ... in samples, silence where it has none.

    `sound` is (n, channels). Band-limited interpolation (J. O. Smith, "Digital Audio Resampling"); `step` is near 1;
    what a larger one would alias, the topmost band, is let be.
    """
    return np.asarray(_sampled(np.ascontiguousarray(sound), TABLE, start, step, count))


@numba.njit(cache=True, nogil=True, fastmath=True)
def _sampled(
    sound: NDArray[np.float32], table: NDArray[np.float32], start: float, step: float, count: int
) -> NDArray[np.float32]:
    length, channels = sound.shape
    taken = np.zeros((count, channels), np.float32)
    kernel = np.empty(2 * REACH, np.float32)
    for at in range(count):
        place = start + step * at
        whole = int(np.floor(place))
        first = whole + 1 - REACH
        if first + 2 * REACH <= 0 or first >= length:
            continue
        phase = (place - whole) * PHASES
        row = int(phase)
        part = np.float32(phase - row)
        for tap in range(2 * REACH):
            kernel[tap] = table[row, tap] + part * (table[row + 1, tap] - table[row, tap])
        for channel in range(channels):
            total = np.float32(0)
            for tap in range(max(0, -first), min(2 * REACH, length - first)):
                total += kernel[tap] * sound[first + tap, channel]
            taken[at, channel] = total
    return taken
