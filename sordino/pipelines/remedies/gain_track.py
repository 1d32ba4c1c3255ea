"""How loud music is from frame to frame: ducking, fades, cuts, and nothing at all where it doesn't change."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

RESTLESS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # variances of a step, against that of a frame's own figure
MOST = 4.0


def followed(product: NDArray[np.float64], energy: NDArray[np.float64]) -> NDArray[np.float32]:
    """
    Return the gain of each frame, float32[frames]; their mean square is 1.

    A frame's own figure is `product / energy`, with a variance of about 1 / `energy`. The gain is taken for a random
    walk; how restless it is, is what makes the figures likeliest, and then it is smoothed from both sides (Kalman 1960;
    Rauch, Tung and Striebel 1965).
    """
    energy = np.maximum(energy, 1e-6 * max(float(energy.max(initial=0.0)), 1e-12))
    measured, variance = product / energy, 1 / energy
    typical = float(np.median(variance))
    tried = [_smoothed(measured, variance, restless * typical) for restless in RESTLESS]
    gain = np.clip(max(tried, key=lambda likely: likely[0])[1], 0, MOST)
    mean = float(np.sqrt(np.average(gain**2, weights=energy)))
    return np.asarray(gain / max(mean, 1e-3), np.float32)


@numba.njit(cache=True, nogil=True)
def _smoothed(measured: Any, variance: Any, step: float) -> Any:
    """Return the log-likelihood, the scale of all variances left free, and the smoothed states."""
    n = len(measured)
    state, spread = np.empty(n), np.empty(n)
    before = np.empty(n)  # spread before a frame was seen
    now, unsure, squares, logs = measured[0], 1e6 * variance[0], 0.0, 0.0
    for t in range(n):
        unsure += step if t else 0.0
        before[t] = unsure
        total = unsure + variance[t]
        away = measured[t] - now
        if t:
            squares += away * away / total
            logs += np.log(total)
        share = unsure / total
        now += share * away
        unsure *= 1 - share
        state[t], spread[t] = now, unsure
    for t in range(n - 2, -1, -1):
        if before[t + 1] > 0:
            state[t] += spread[t] / before[t + 1] * (state[t + 1] - state[t])
    likelihood = -0.5 * (n * np.log(max(squares, 1e-30) / max(n - 1, 1)) + logs)
    return likelihood, state
