"""How likely chance is: the distribution of Hamming distances between frames that have nothing in common."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammaln

from sordino.fingerprints.hamming import Hashes, distance

# Fitted to the tail of 4.7 million pairs of a real video frame and an unrelated picture, straight and mirrored: a line
# in the logarithm from 80 to 100 bits (1e-3 at 100, 1e-4.2 at 92, 1e-5.7 at 80). The binomial tail falls far more
# steeply than that of real pictures, so below 80, where nothing can be measured, the line is the careful extrapolation.
_LOG10_AT_100 = -3.0
_PER_BIT = 0.135

_SAME_BITS = 24  # a frame that differs less from an earlier one than this shows nothing new ...
_NEW_BITS = 100  # ... and one that differs by this is a new picture
_EARLIER = 128  # so many frames back
_POSES = 60  # speeds and offsets tried about one pair of frames
_NEVER = -300.0  # as small as a number may say


def log10_tail(bits: NDArray[Any], compared: Any = 1) -> NDArray[np.float64]:
    """
    Return log10 of the chance that the nearest of `compared` unrelated frames is within so many bits.

    >>> log10_tail(np.array([100, 60, 256])).tolist()
    [-3.0, -8.4, 0.0]
    """
    single = np.where(bits <= 100, _LOG10_AT_100 - _PER_BIT * (100 - np.asarray(bits, dtype=np.float64)), 0.0)
    nearest: NDArray[np.float64] = np.minimum(0.0, single + np.log10(np.maximum(compared, 1)))
    return nearest


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one alignment: minus log10 summed over new pictures, the number of those, and log10 of the chance of that."""

    score: float
    pictures: float
    log10_chance: float


def combine(log10_p: NDArray[np.float64], hashes: Hashes) -> Evidence:
    """
    Combine the frames of one alignment.

    Fisher's method; a frame weighs what it shows that no earlier frame showed (0 to 1), so a still picture is one
    observation. `log10_p` float64[n] and `hashes` uint64[n, 4] are those of the query's frames, in order.
    """
    novelty = np.clip((_new_bits(hashes, _EARLIER) - _SAME_BITS) / (_NEW_BITS - _SAME_BITS), 0.0, 1.0)
    score, pictures = float(-(novelty * log10_p).sum()), float(novelty.sum())
    return Evidence(score, pictures, _log10_gamma_tail(pictures, score * math.log(10)))


def log10_trials(comparisons: int, query_frames: int, pictures: float) -> float:
    """
    Return log10 of the number of alignments that were tried.

    The first picture is chosen among all pairs of frames; the others by the pose about that pair and by the stretch of
    the query, which a single picture does not have.
    """
    choices = _POSES * query_frames * (query_frames + 1) / 2
    others = min(1.0, max(0.0, pictures - 1))
    return math.log10(max(1, comparisons)) + others * math.log10(max(1.0, choices))


def _log10_gamma_tail(shape: float, x: float) -> float:
    """Bound log10 of the upper tail of the gamma distribution: the sum of `shape` exponential variables exceeds `x`."""
    if x <= shape:
        return 0.0
    # Q(a, x) <= x^(a-1) e^-x / Gamma(a) x 1 / (1 - (a-1) / x) for a >= 1, and the first two factors alone below.
    correction = -math.log1p(-(shape - 1) / x) if shape > 1 else 0.0
    log_tail = (shape - 1) * math.log(x) - x - float(gammaln(shape)) + correction
    return min(0.0, max(_NEVER, log_tail / math.log(10)))


@njit(cache=True, nogil=True)
def _new_bits(hashes: Hashes, earlier: int) -> NDArray[np.int64]:
    """Count, for each frame, the bits in which it differs from the most similar frame before it (the first: all)."""
    new = np.full(len(hashes), 256, dtype=np.int64)
    for i in range(len(hashes)):
        a, b, c, d = hashes[i]
        for j in range(max(0, i - earlier), i):
            new[i] = min(new[i], np.int64(distance(a, b, c, d, hashes[j])))
    return new
