"""
Landmarks to candidates: which second of which reference a query may show, at which size and where in the picture.

A query's words are looked up with their least sure signs changed too, and each landmark found votes for the second of
the axis at which the query would begin. Rare words count more. Only at the seconds with the most votes the landmarks
are looked at as pairs, and the largest set that one scale and one shift explain is counted (a Hough transform).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.index_video import BLOCK_BITS, UNITS, VideoIndex, run
from sordino.fingerprints.model import VideoQuery
from sordino.fingerprints.video import MIRRORED

COMMON = 300  # landmarks with the same term, from which on it says nothing
PROBES = (
    0b0000,
    0b0001,
    0b0010,
    0b0100,
    0b0011,
    0b1000,
    0b0101,
    0b0110,
    0b0111,
)  # which of the least sure signs change
PLACES = 200  # seconds that are looked at closely
PAIRS = 800  # at each of them, at most, ...
POSES = 150  # ... whose poses are tried
SCALES = (0.15, 6.0)  # of the copy, in widths of the reference's picture
SAME_SCALE = 1.55  # two landmarks' scales agree: levels are a quarter apart, and each is found a level off
SPOTS = 32  # a side of the reference's picture: what stands still is there in each frame, and counts once
NEAR = 0.03  # widths: so far off, ...
FAR = 0.15  # ... and so much of the way from the landmark that the scale is taken from


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A query's landmarks, straight or as they are in a mirror: `places` float32[m, 3], `words` uint64[m]."""

    query: VideoQuery
    words: NDArray[np.uint64]
    places: NDArray[np.float32]
    mirrored: bool


def looks(query: VideoQuery) -> tuple[Look, Look]:
    """Return the query straight, and in the mirror."""
    p = query.landmarks
    mirrored = p.places * np.array([-1, 1, 1], np.float32) + np.array([1, 0, 0], np.float32)
    return Look(query, p.words, p.places, False), Look(query, p.words ^ MIRRORED, mirrored, True)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """
    Where a window may lie, in which pose.

    `seconds` int64[k] of the axis at which the window would begin; `poses` float64[k, 3]: scale, and x and y of the
    reference's corner in the query's picture; `agreeing` int64[k]: spots of the reference's picture that this pose
    explains.
    """

    seconds: NDArray[np.int64]
    poses: NDArray[np.float64]
    agreeing: NDArray[np.int64]


def propose(index: VideoIndex, look: Look, frames: NDArray[np.int64], start_s: float) -> Candidates:
    """Return where the references have the most of some of a query's frames, of a window from `start_s` on."""
    p = look.query.landmarks
    rows = np.concatenate([np.arange(p.starts[k], p.starts[k + 1]) for k in frames])
    after_s = np.rint(p.times_s[frames] - start_s).astype(np.int64)
    seconds = np.repeat(after_s, np.diff(p.starts)[frames])
    terms = _terms(look.words[rows], look.query.unsure[rows], index.bits)
    mine, theirs, voted, weights = _read(
        index.starts, index.postings, index.tags, index.tag_bits, index.rows, index.blocks, index.cells, terms, seconds
    )
    votes = np.asarray(np.bincount(voted, weights, minlength=int(index.bases[-1])), np.float64)
    fullest = _fullest(votes, PLACES)
    agreeing, poses = _agree(mine, theirs, voted, index.x, index.y, index.size, look.places[rows], fullest, len(votes))
    order = np.argsort(-agreeing, kind="stable")
    order = order[agreeing[order] > 0]
    return Candidates(fullest[order], poses[order], agreeing[order])


def _terms(words: NDArray[np.uint64], unsure: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """Return the terms that are looked up for each word: int64[n, len(PROBES)]."""
    flips = np.int64(1) << np.where(unsure < bits, unsure, 63).astype(np.int64)
    flips[unsure >= bits] = 0
    terms = np.repeat((words & np.uint64((1 << bits) - 1)).astype(np.int64)[:, None], len(PROBES), axis=1)
    for k, probe in enumerate(PROBES):
        for bit in range(unsure.shape[1]):
            if probe >> bit & 1:
                terms[:, k] ^= flips[:, bit]
    return terms


@njit(cache=True, nogil=True)
def _frame(row, rows, blocks):  # type: ignore[no-untyped-def]
    frame = np.int64(blocks[row >> BLOCK_BITS])
    while rows[frame + 1] <= row:
        frame += 1
    return frame


@njit(cache=True, nogil=True)
def _read(starts, postings, tags, tag_bits, rows, blocks, cells, terms, seconds):  # type: ignore[no-untyped-def]
    """
    Return the pairs that the terms find: the query's landmark, the reference's, the second they vote for, the weight.

    Postings are far from each other in memory: they are read once.
    """
    firsts, stops, n = np.empty(terms.size, np.int64), np.empty(terms.size, np.int64), 0
    for k, term in enumerate(terms.flat):
        firsts[k], stops[k] = run(starts, tags, tag_bits, term)
        if stops[k] - firsts[k] > COMMON:
            stops[k] = firsts[k]
        n += stops[k] - firsts[k]
    mine, theirs = np.empty(n, np.int32), np.empty(n, np.uint32)
    voted, weights = np.empty(n, np.int32), np.empty(n, np.float32)
    n = 0
    for k in range(terms.size):
        for at in range(firsts[k], stops[k]):
            mine[n], theirs[n] = k // terms.shape[1], postings[at]
            voted[n] = cells[_frame(postings[at], rows, blocks)] - seconds[mine[n]]
            weights[n] = 1 / np.sqrt(np.float32(stops[k] - firsts[k]))
            n += 1
    return mine, theirs, voted, weights


def _fullest(votes: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Return the `n` seconds with the most votes, with those beside them, that are maxima."""
    sums = np.convolve(votes, np.ones(3), "same")
    maxima = np.flatnonzero((sums[1:-1] > 0) & (sums[1:-1] >= sums[:-2]) & (sums[1:-1] > sums[2:])) + 1
    return np.asarray(maxima[np.argsort(-sums[maxima], kind="stable")[:n]], dtype=np.int64)


@njit(cache=True, nogil=True)
def _agree(mine, theirs, voted, x, y, size, places, fullest, n_seconds):  # type: ignore[no-untyped-def]
    """Return for each of some seconds how many pairs agree, int64[k], and on which pose, float64[k, 3]."""
    slots, n_pairs = np.zeros(n_seconds, np.int32), np.zeros(len(fullest), np.int64)
    for k in range(len(fullest) - 1, -1, -1):  # the fuller ones last: they keep what they share with others
        slots[max(0, fullest[k] - 1) : fullest[k] + 2] = k + 1
    pairs = np.empty((len(fullest), PAIRS, 6))
    for k in range(len(voted)):
        slot = slots[voted[k]] - 1
        if slot >= 0 and n_pairs[slot] < PAIRS:
            j, pair = theirs[k], pairs[slot, n_pairs[slot]]
            pair[:3] = places[mine[k]]
            pair[3], pair[4], pair[5] = x[j] / UNITS, y[j] / UNITS, size[j] / UNITS
            n_pairs[slot] += 1
    agreeing, poses = np.zeros(len(fullest), np.int64), np.zeros((len(fullest), 3))
    for slot in range(len(fullest)):
        agreeing[slot] = _largest(pairs[slot, : n_pairs[slot]], poses[slot])
    return agreeing, poses


@njit(cache=True, nogil=True)
def _largest(pairs, pose):  # type: ignore[no-untyped-def]
    """Count the largest set of pairs with a pose in common, each spot of the reference once; fill in that pose."""
    most, seen = 0, np.zeros(2 * SPOTS * SPOTS, np.int64)
    scales, spots = pairs[:, 2] / pairs[:, 5], np.empty(len(pairs), np.int64)
    for k in range(len(pairs)):
        spots[k] = min(int(pairs[k, 4] * SPOTS), 2 * SPOTS - 1) * SPOTS + min(int(pairs[k, 3] * SPOTS), SPOTS - 1)
    for a in range(0, len(pairs), max(1, len(pairs) // POSES)):
        scale = scales[a]
        if not SCALES[0] <= scale <= SCALES[1]:
            continue
        x, y, n = pairs[a, 0] - scale * pairs[a, 3], pairs[a, 1] - scale * pairs[a, 4], 0
        for b in range(len(pairs)):
            if seen[spots[b]] == a + 1 or not scale / SAME_SCALE <= scales[b] <= scale * SAME_SCALE:
                continue
            dx, dy = pairs[b, 3] - pairs[a, 3], pairs[b, 4] - pairs[a, 4]
            off = NEAR + FAR * scale * max(abs(dx), abs(dy))
            if abs(pairs[b, 0] - scale * pairs[b, 3] - x) < off and abs(pairs[b, 1] - scale * pairs[b, 4] - y) < off:
                seen[spots[b]] = a + 1
                n += 1
        if n > most:
            most = n
            pose[0], pose[1], pose[2] = scale, x, y
    return most
