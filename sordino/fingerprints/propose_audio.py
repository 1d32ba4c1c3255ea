"""
Postings to candidates: where references might lie under a query, at which tempo and pitch.

A query's pairs are looked up as if it had been shifted in pitch and changed in tempo by so much (a `Change`), and each
posting votes for the place on the index's axis where the query's middle would be. Votes are counted twice: first in
wide cells, in which a tempo that is some percent off still meets, to see where to look; then, there only, in narrow
cells at several tempos, which is a Hough transform of a few hundredths of the axis.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.index import AudioIndex, pairs
from sordino.fingerprints.model import AudioPrint
from sordino.fingerprints.params import AudioParams

CELL_BITS = 5  # 32 frames: two such cells hold a 10 s query whose tempo is 7 % off
FINE_BITS = 1  # 2 frames
FINE = 1 << (CELL_BITS - FINE_BITS)
MAX_COUNT = 4095  # votes of a pair of cells, beyond which they need no order


@dataclass(frozen=True, slots=True)
class Change:
    """
    What may have been done to a reference: `shift` bands up, and one of `tempos` times as fast.

    All tempos are looked for with the terms of `tempo`: they must be within 7 % of it. The `places` fullest pairs of
    wide cells are looked at closely.
    """

    shift: float = 0.0
    tempo: float = 1.0
    tempos: tuple[float, ...] = (1.0,)
    places: int = 600


def _sweep() -> tuple[Change, ...]:
    """
    Return the changes of pitch (-13 to +12 %) and tempo (-20 to +20 %) that are looked for.

    Small changes of tempo with every pitch; large ones with the pitch as it was, or changed as much (another speed).
    """
    tempos = {centre: tuple(round(centre + k / 50, 2) for k in range(-3, 4)) for centre in (1.0, 0.86, 1.14)}
    shifts = {1.0: _halves(-14, 12), 0.86: [0.0, *_halves(-14, -8)], 1.14: [0.0, *_halves(8, 12)]}
    return tuple(Change(s, tempo, tempos[tempo], 100) for tempo in tempos for s in shifts[tempo])


def _halves(low: int, high: int) -> list[float]:
    return [k / 2 for k in range(low, high + 1)]


PLAIN = (Change(),)
SWEEP = _sweep()


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """A window's landmarks: `frames` int32[n] of `n_frames`, `bands` float64[n]: their place between the bands too."""

    params: AudioParams
    n_frames: int
    frames: NDArray[np.int32]
    bands: NDArray[np.float64]

    def unshifted(self, shift: float) -> AudioPrint:
        """Return the landmarks as they were before everything went `shift` bands up."""
        bands = np.rint(self.bands - shift).astype(np.int16)
        here = (bands >= 0) & (bands < self.params.n_bands)
        return AudioPrint(self.params, 0.0, self.frames[here], bands[here])


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """`poses` float64[k, 3]: frame of the axis at the query's first frame, tempo, shift; `votes` int64[k] for each."""

    poses: NDArray[np.float64]
    votes: NDArray[np.int64]

    def best(self, limit: int) -> "Candidates":
        """Return the `limit` with the most votes."""
        keep = np.argsort(-self.votes, kind="stable")[:limit]
        return Candidates(self.poses[keep], self.votes[keep])


def together(several: Iterable[Candidates]) -> Candidates:
    """Return the candidates of several changes as one."""
    all_ = [Candidates(np.empty((0, 3)), np.empty(0, np.int64)), *several]
    return Candidates(np.concatenate([c.poses for c in all_]), np.concatenate([c.votes for c in all_]))


def propose(index: AudioIndex, query: Landmarks, change: Change, limit: int) -> Candidates:
    """Return at most `limit` places where the references have the most of the query's pairs, under this change."""
    params, middle = query.params, query.n_frames // 2
    terms, frames = pairs(query.unshifted(change.shift), params.query_fanout, change.tempo)
    from_middle = frames - middle
    n_intervals = params.max_pair_frames - params.min_pair_frames + 1
    found = _propose(
        index.starts,
        index.postings,
        terms,
        n_intervals,
        np.rint(change.tempo * from_middle).astype(np.int64),
        np.rint(np.outer(from_middle, np.array(change.tempos) - change.tempo)).astype(np.int64),
        (int(index.bases[-1]) >> CELL_BITS) + 2,
        change.places,
        limit,
    )
    tempos = np.array(change.tempos)[found[:, 1]]
    starts = found[:, 0] - tempos * middle
    return Candidates(np.stack([starts, tempos, np.full(len(found), change.shift)], axis=1), found[:, 2])


@njit(cache=True, nogil=True)
def _propose(  # type: ignore[no-untyped-def]
    starts, postings, terms, n_intervals, anchors, drifts, n_cells, places, limit
):
    """Return int64[k, 3]: frame of the axis at the query's middle, number of the tempo, votes."""
    first, stop = _stretches(starts, terms, n_intervals)
    places_of = np.empty((stop - first).sum(), np.int64)  # postings are far from each other: they are read once
    counts = np.zeros(n_cells + 2, np.int32)
    n_places = 0
    for i in range(len(first)):
        for k in range(first[i], stop[i]):
            place = np.int64(postings[k]) - anchors[i]
            counts[place >> CELL_BITS] += np.int32(1)
            places_of[n_places] = place
            n_places += 1
    slots, n_slots = _slots(counts, places)
    n_tempos = drifts.shape[1]
    fine = np.zeros((n_slots + 1, n_tempos, FINE), np.uint16)
    n_places = 0
    for i in range(len(first)):
        for place in places_of[n_places : n_places + stop[i] - first[i]]:
            if slots[place >> CELL_BITS]:
                for j in range(n_tempos):
                    here = place - drifts[i, j]
                    fine[slots[here >> CELL_BITS], j, (here >> FINE_BITS) & (FINE - 1)] += np.uint16(1)
        n_places += stop[i] - first[i]
    fine[0] = 0  # what fell into no slot
    return _fullest(slots, n_slots, fine, limit)


@njit(cache=True, nogil=True)
def _stretches(starts, terms, n_intervals):  # type: ignore[no-untyped-def]
    """
    Return where the postings of each term begin and end, with those of intervals one frame shorter and longer.

    A peak under speech is rarely at the frame where it was alone. Terms of neighbouring intervals lie side by side, so
    their postings are one stretch.
    """
    first, stop = np.empty(len(terms), np.int64), np.empty(len(terms), np.int64)
    for i in range(len(terms)):
        interval = terms[i] % n_intervals
        first[i] = starts[terms[i] - min(interval, 1)]
        stop[i] = starts[terms[i] + min(n_intervals - 1 - interval, 1) + 1]
    return first, stop


@njit(cache=True, nogil=True)
def _slots(counts, places):  # type: ignore[no-untyped-def]
    """Give the cells of the fullest pairs of neighbours, and the cell to each side of those, numbers from 1."""
    least, n_pairs = _threshold(counts, places), 0
    slots = np.zeros(len(counts), np.int32)
    for cell in range(1, len(counts) - 2):
        if counts[cell] + counts[cell + 1] >= least and n_pairs < places:
            slots[cell - 1 : cell + 3] = 1
            n_pairs += 1
    n_slots = 0
    for cell in range(len(slots)):
        if slots[cell]:
            n_slots += 1
            slots[cell] = n_slots
    return slots, n_slots


@njit(cache=True, nogil=True)
def _threshold(counts, places):  # type: ignore[no-untyped-def]
    """
    Return how many votes a pair of neighbours needs to be among the `places` fullest; at least 2.

    Where more than `places` are the fullest, all alike (a long loop), they are all let in.
    """
    histogram = np.zeros(MAX_COUNT + 1, np.int64)
    for cell in range(len(counts) - 1):
        histogram[min(counts[cell] + counts[cell + 1], MAX_COUNT)] += 1
    least, found = MAX_COUNT, histogram[MAX_COUNT]
    while least > 2 and (found == 0 or found + histogram[least - 1] <= places):
        least -= 1
        found += histogram[least]
    return least


@njit(cache=True, nogil=True)
def _fullest(slots, n_slots, fine, limit):  # type: ignore[no-untyped-def]
    """Return the best narrow cell (with its neighbour) of each slot, of the slots that have the most."""
    best = np.zeros((n_slots, 3), np.int64)
    for cell in range(len(slots) - 1):
        slot = slots[cell]
        if slot == 0:
            continue
        for j in range(fine.shape[1]):
            for k in range(FINE):
                beyond = fine[slots[cell + 1], j, 0] if k == FINE - 1 else fine[slot, j, k + 1]
                votes = np.int64(fine[slot, j, k]) + beyond
                if votes > best[slot - 1, 2]:
                    best[slot - 1, 0] = (cell << CELL_BITS) + ((k + 1) << FINE_BITS)
                    best[slot - 1, 1], best[slot - 1, 2] = j, votes
    order = np.argsort(-best[:, 2], kind="mergesort")[:limit]
    return best[np.sort(order[best[order, 2] >= 2])]
