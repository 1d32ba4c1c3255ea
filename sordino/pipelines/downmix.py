"""
Two channels become one, and nothing that sounds in either is lost by cancellation.

The plain sum loses what the channels have in opposite phase, all of it where one is the other's inverse. So the
difference of the channels is added, too, a quarter of a period late at every frequency: two sounds a quarter of a
period apart never cancel, as quadrature in surround matrices has it. The filter is fixed: nothing is decided from block
to block, so a copy is mixed as its original was, wherever it is cut. See docs/decisions/0008-downmix.md.
"""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

SIDE = 0.7  # of the difference: more finds more of what is in opposite phase, and less of a wide reference's mono copy
REACH_S = 0.008  # of the filter to each side: it is flat from 100 Hz
FULL_SCALE = 32768


class Downmix:
    """Mixes sound as it comes: `push` gives what was pushed up to `REACH_S` ago, `finish` the rest."""

    def __init__(self, rate: int) -> None:
        self._reach = max(1, round(REACH_S * rate))
        self._turn = _quarter_turn(self._reach)
        self._heard = np.zeros((self._reach, 2), np.float32)

    def push(self, sound: NDArray[np.float32]) -> NDArray[np.int16]:
        """
        Take `sound` float32[n, 2], full scale at 1, and return the next samples of the mix, at its level.

        NaN and infinity count as silence, and what is beyond full scale is clipped, both in their own channel.
        """
        heard = np.concatenate([self._heard, np.clip(np.nan_to_num(sound, posinf=0.0, neginf=0.0), -1, 1)])
        self._heard = heard[max(0, len(heard) - 2 * self._reach) :]
        middle, side = (heard[:, 0] + heard[:, 1]) / 2, (heard[:, 0] - heard[:, 1]) / 2
        mixed = middle[self._reach : len(heard) - self._reach] - SIDE * self._turned(side)
        return np.asarray(np.clip(np.rint(mixed * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1), np.int16)

    def finish(self) -> NDArray[np.int16]:
        """Return the samples that still waited for sound to come after them."""
        return self.push(np.zeros((self._reach, 2), np.float32))

    def _turned(self, side: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convolve, and leave out `reach` samples at each end, which would need what is beyond."""
        n = scipy.fft.next_fast_len(len(side), real=True)
        turned = scipy.fft.irfft(scipy.fft.rfft(side, n) * scipy.fft.rfft(self._turn, n), n)
        return np.asarray(turned[2 * self._reach : len(side)], np.float32)


def _quarter_turn(reach: int) -> NDArray[np.float32]:
    """Return a Hilbert transformer: float32[2 reach + 1], a Hamming window on the ideal response 2 / (pi n), n odd."""
    n = np.arange(-reach, reach + 1)
    ideal = np.divide(2 / np.pi, n, out=np.zeros(len(n)), where=n % 2 != 0)
    return np.asarray(ideal * np.hamming(len(n)), np.float32)
