"""To the sample: where in a reference a copy is, and how fast its clock runs."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from sordino.pipelines.remedies.warp import sampled

Floats = NDArray[np.float64]

WINDOW_S = 0.75
HOPS = 2  # windows begin so often in a window's length
BAND_HZ = (150.0, 7000.0)  # what codecs and telephones leave
LEAST_RATE = 15_000  # Hz, at which lags are looked for: the band, and a little
SEARCHES_S = (0.15, 0.02, 0.002, 0.0006)  # to either side; each after what the one before it found
STEEPEST, SLOPES = 0.004, 81  # what a match's speed may be wrong by, and in how many steps that is tried
TELLING_S = 0.02
CLOSE_S = 0.0005
PEAKS = 3  # of a window's correlation, that may be the right one


@dataclass(frozen=True, slots=True)
class Timing:
    """
    A copy's sample `n` plays its reference's sample `start + step * n`.

    `agreeing` is the share of the windows whose own best lag, of 40 ms of them, is within a millisecond of that.
    """

    start: float
    step: float
    agreeing: float = 0.0

    def at(self, sample: float) -> float:
        """Return where the copy's sample is in the reference, in samples."""
        return self.start + self.step * sample


def aligned(
    copy: NDArray[np.float32], reference: NDArray[np.float32], sample_rate: int, guess: Timing, searches: int = 4
) -> Timing:
    """
    Refine a timing that is right to a seventh of a second and four thousandths of speed, as a match's is.

    `copy` (n,) and `reference` (m,) are mono. Each window is laid beside the reference by the phase of its
    cross-spectrum (Knapp and Carter, "The generalized correlation method for estimation of time delay", 1976), to which
    voice over the music adds noise, but no peak. A line through the lags gives offset and clock: by a vote first, then
    by regression. `searches` below 4 leaves the wider ones out, where the guess is better.
    """
    every = max(1, sample_rate // LEAST_RATE)
    copy, reference = (_thinned(sound, every) for sound in (copy, reference))
    rate = sample_rate / every
    timing = Timing(guess.start / every, guess.step)
    for search_s in SEARCHES_S[-searches:]:
        warped = sampled(reference[:, None], timing.start, timing.step, len(copy))[:, 0]
        middles, lags, heights = _lags(copy, warped, rate, search_s)
        near = CLOSE_S * rate if search_s < 0.01 else 2 * CLOSE_S * rate
        line = _voted(middles, lags, heights, near) if search_s == SEARCHES_S[0] else (0.0, 0.0)
        offset, slope, close = _regressed(middles, lags, heights, line, min(near, search_s * rate))
        agreeing = close if search_s >= TELLING_S else timing.agreeing  # nearly all lags are close to a narrow search's
        # the copy's sample n is the warped one's n + offset + slope * n
        timing = Timing(timing.start + timing.step * offset, timing.step * (1 + slope), agreeing)
    return Timing(timing.start * every, timing.step, timing.agreeing)


def _thinned(sound: NDArray[np.float32], every: int) -> NDArray[np.float32]:
    return sound if every == 1 else np.asarray(scipy.signal.resample_poly(sound, 1, every), np.float32)


def _lags(
    copy: NDArray[np.float32], warped: NDArray[np.float32], rate: float, search_s: float
) -> tuple[Floats, Floats, Floats]:
    """Return the windows' middles (w,) in samples, their best lags (w, PEAKS) and how high these peaks stand out."""
    length = min(round(WINDOW_S * rate), len(copy))
    starts = np.arange(0, len(copy) - length + 1, max(1, length // HOPS))
    size = scipy.fft.next_fast_len(2 * length, real=True)
    shape = scipy.signal.windows.hann(length, sym=False).astype(np.float32)
    cut = starts[:, None] + np.arange(length)
    cross = np.conj(scipy.fft.rfft(copy[cut] * shape, size)) * scipy.fft.rfft(warped[cut] * shape, size)
    cross /= np.abs(cross) + 1e-12
    hertz = np.arange(cross.shape[1]) * rate / size
    cross[:, (hertz < BAND_HZ[0]) | (hertz > BAND_HZ[1])] = 0
    around = scipy.fft.irfft(cross, size)
    reach = max(2, round(search_s * rate))
    around = np.concatenate([around[:, -reach - 1 :], around[:, : reach + 2]], axis=1)  # lags -reach - 1 to reach + 1
    noise = np.sqrt(np.mean(around**2, axis=1, keepdims=True)) if reach > 50 else np.full((len(around), 1), 1e-2)
    inner = around[:, 1:-1].copy()
    lags, heights = np.zeros((len(around), PEAKS)), np.zeros((len(around), PEAKS))
    rows = np.arange(len(around))
    for peak in range(PEAKS):
        best = inner.argmax(axis=1)
        before, at, after = (around[rows, best + side] for side in (0, 1, 2))
        bent = before - 2 * at + after
        lags[:, peak] = best - reach + np.where(bent < 0, 0.5 * (before - after) / np.minimum(bent, -1e-12), 0.0)
        heights[:, peak] = at / np.maximum(noise[:, 0], 1e-12)
        for side in range(-4, 5):
            inner[rows, np.clip(best + side, 0, inner.shape[1] - 1)] = -np.inf
    return np.asarray(starts + length / 2, np.float64), lags, heights


def _voted(middles: Floats, lags: Floats, heights: Floats, near: float) -> tuple[float, float]:
    """Return offset and slope of the line that most, and most certain, lags lie on."""
    best = (-1.0, 0.0, 0.0)
    for slope in np.linspace(-STEEPEST, STEEPEST, SLOPES):
        offsets = (lags - slope * middles[:, None]).ravel()
        order = np.argsort(offsets)
        sums = np.concatenate([[0.0], np.cumsum(heights.ravel()[order])])
        ends = np.searchsorted(offsets[order], offsets[order] + 2 * near, side="right")
        votes = sums[ends] - sums[:-1]
        at = int(votes.argmax())
        if votes[at] > best[0]:
            best = (float(votes[at]), float(np.median(offsets[order][at : ends[at]])), float(slope))
    return best[1], best[2]


def _regressed(
    middles: Floats,
    lags: Floats,
    heights: Floats,
    line: tuple[float, float],
    near: float,
) -> tuple[float, float, float]:
    """Fit a line to the lags near the one given; three times, as each shows better which are near."""
    offset, slope = line
    rows = np.arange(len(middles))
    agreeing = 0.0
    for _ in range(3):
        away = np.abs(lags - offset - slope * middles[:, None])
        chosen = away.argmin(axis=1)
        close = away[rows, chosen] <= near
        agreeing = float(np.mean(np.abs(lags[:, 0] - offset - slope * middles) <= near))
        if close.sum() < 3:
            break
        x, y, w = middles[close], lags[rows, chosen][close], np.maximum(heights[rows, chosen][close], 1e-3)
        slope, offset = np.polyfit(x, y, 1, w=w) if np.ptp(x) > 0 else (0.0, float(np.average(y, weights=w)))
    return float(offset), float(slope), agreeing
