"""
Hits of single frames to a line: `reference time = offset + speed x query time`.

Hits are chained over time (the temporal network of Tan et al., "Scalable detection of partial near-duplicate videos",
2009); the line beside which most of a chain lies is fitted, and can then be compared frame by frame.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_OTHER_SPEED = 8.0  # evidence, of about one frame: a speed other than 1 has to explain that much more


@dataclass(frozen=True, slots=True)
class Limits:
    """What a copy may do to the time line."""

    min_speed: float = 0.5
    max_speed: float = 2.0
    max_gap_s: float = 3.0  # of the query without a frame alike, inside a match
    slack_s: float = 0.6  # both sides are sampled every half second, so a step in time is uncertain by that
    tolerance_s: float = 0.5  # how far beside the line a frame may lie


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Frames alike, by query time: float64[n] each; `evidence` is minus log10 of the chance that frames are so near."""

    query_s: Floats
    reference_s: Floats
    evidence: Floats

    def at(self, rows: Any) -> "Hits":
        """Return some of them: a mask or ascending rows."""
        return Hits(self.query_s[rows], self.reference_s[rows], self.evidence[rows])


@dataclass(frozen=True, slots=True)
class Line:
    """Reference time = offset_s + speed x query time; `offset_s` may be float64[n], for as many times."""

    offset_s: Any
    speed: float

    def at(self, query_s: Any) -> Any:
        """Return the reference time at a time of the query (both in seconds, a number or an array)."""
        return self.offset_s + self.speed * query_s


def best_chain(hits: Hits, limits: Limits) -> tuple[float, Hits]:
    """Return the chain with the most evidence, and that; 0 and no hits where there are none."""
    if len(hits.query_s) == 0:
        return 0.0, hits
    bounds = np.array([limits.max_gap_s, limits.min_speed, limits.max_speed, limits.slack_s])
    best, previous = _chains(hits.query_s, hits.reference_s, hits.evidence, bounds)
    last = int(np.argmax(best))
    chain, row = [], last
    while row >= 0:
        chain.append(row)
        row = int(previous[row])
    return float(best[last]), hits.at(np.array(chain[::-1]))


def consensus(chain: Hits, limits: Limits) -> Line:
    """
    Fit the line through one or two hits of the chain beside which most evidence lies.

    A chain may run over a cut from one piece into the next; a line is one piece.
    """
    few = np.unique(np.linspace(0, len(chain.query_s) - 1, 32).astype(np.int64))
    left, right = (few[side] for side in np.triu_indices(len(few), 1))
    apart_s = chain.query_s[right] - chain.query_s[left]
    left, right, apart_s = left[apart_s >= 2], right[apart_s >= 2], apart_s[apart_s >= 2]  # nearer ones tell no speed
    slopes = (chain.reference_s[right] - chain.reference_s[left]) / apart_s
    usual = (slopes >= limits.min_speed) & (slopes <= limits.max_speed)
    speeds = np.concatenate([np.ones(len(few)), slopes[usual]])[:, None]
    through = np.concatenate([few, left[usual]])
    residual_s = (
        chain.reference_s - chain.reference_s[through, None] - speeds * (chain.query_s - chain.query_s[through, None])
    )
    beside = np.abs(residual_s) <= limits.tolerance_s
    best = int(np.argmax(beside @ chain.evidence - _OTHER_SPEED * (speeds[:, 0] != 1)))
    return fit(chain.at(beside[best]), limits)


def fit(hits: Hits, limits: Limits) -> Line:
    """Fit a line by least absolute deviations (iteratively re-weighted least squares); evidence is the weight."""
    own = weights = hits.evidence + 1e-3
    line = Line(0.0, 1.0)
    for _ in range(8):
        middle_s = float(np.average(hits.query_s, weights=weights))
        level_s = float(np.average(hits.reference_s, weights=weights))
        spread = float(np.average((hits.query_s - middle_s) ** 2, weights=weights))
        covariance = float(np.average((hits.query_s - middle_s) * (hits.reference_s - level_s), weights=weights))
        speed = min(max(covariance / max(spread, 1e-9), limits.min_speed), limits.max_speed)
        # Its own speed is the rule for a copy: another is believed when it moves the ends by a tenth of a second.
        if abs(speed - 1) * (hits.query_s[-1] - hits.query_s[0]) / 2 < 0.1:
            speed = 1.0
        line = Line(level_s - speed * middle_s, speed)
        weights = own / (np.abs(hits.reference_s - line.at(hits.query_s)) + 0.05)
    return line


@njit(cache=True, nogil=True)
def _chains(query_s: Floats, reference_s: Floats, evidence: Floats, bounds: Floats) -> Any:
    """For each hit: the evidence of the best chain that ends there, and the hit before it (-1: none)."""
    max_gap_s, min_speed, max_speed, slack_s = bounds
    best = evidence.copy()
    previous = np.full(len(best), -1, dtype=np.int64)
    for i in range(len(best)):
        for j in range(i - 1, -1, -1):
            step_s = query_s[i] - query_s[j]
            if step_s > max_gap_s:
                break
            reference_step_s = reference_s[i] - reference_s[j]
            if step_s <= 0 or reference_step_s < max(0.0, min_speed * step_s - slack_s):
                continue
            if reference_step_s > max_speed * step_s + slack_s:
                continue
            # 2 a second off the copy's own speed: in a still shot, where all hits are alike, the chain goes straight.
            total = best[j] + evidence[i] - 2 * abs(reference_step_s - step_s)
            if total > best[i]:
                best[i] = total
                previous[i] = j
    return best, previous
