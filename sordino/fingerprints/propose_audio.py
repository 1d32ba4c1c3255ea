"""
Postings to candidates: where references might lie under a query, at which tempo and pitch.

A query's pairs are looked up as if it were shifted in pitch and changed in tempo by so much (a `Change`), and each
posting votes for the place on the index's axis where the query's middle would be. Votes are counted twice. First in
wide cells, in which a tempo that is some percent off still meets: they say where to look. Then, there only, in narrow
cells at several tempos: a Hough transform of a few thousandths of the axis.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.index import AudioIndex, landmark_pairs
from sordino.fingerprints.model import AudioPrint
from sordino.fingerprints.params import AudioParams

CELL_BITS = 5  # 32 frames: two such cells hold a 10 s query whose tempo is 7 % off
FINE_BITS = 1  # 2 frames
FINE = 1 << (CELL_BITS - FINE_BITS)
PLACES = 600  # cells that are looked at closely
VOTES = 1_500_000  # that are counted for one change, in 10 hours of references ...
VOTES_HOURS = 10.0  # ... and more only as the square root: of a large catalogue the rarer terms are asked only
MAX_COUNT = 4095


@dataclass(frozen=True, slots=True)
class Change:
    """
    What may have been done to the reference: `shift` bands up, `tempos` times as fast.

    Terms are those of `tempo`; `tempos` are looked for with them.
    """

    shift: int = 0
    tempo: float = 1.0
    tempos: tuple[float, ...] = (1.0,)
    tolerance: int = 1  # bands by which the interval of a pair may be off


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


@dataclass(frozen=True, slots=True, eq=False)
class QueryPairs:
    """A query's landmark pairs: int64[n] each; `frames` are the first landmarks', less the query's middle."""

    params: AudioParams
    middle: int
    bands: NDArray[np.int64]
    rises: NDArray[np.int64]  # bands from the first landmark to the second
    intervals: NDArray[np.int64]  # frames
    frames: NDArray[np.int64]


def query_pairs(query: AudioPrint, n_frames: int) -> QueryPairs:
    """Return the pairs that a query of `n_frames` asks for."""
    bands, rises, intervals, frames = landmark_pairs(query, query.params.query_fanout)
    return QueryPairs(query.params, n_frames // 2, bands, rises, intervals, frames - n_frames // 2)


def propose(index: AudioIndex, query: QueryPairs, change: Change, hours: float, limit: int) -> Candidates:
    """
    Return at most `limit` places where the references have the most of the query's pairs, under this change.

    `hours` of references are searched in all, in this index and others: they bound the work.
    """
    p = query.params
    first, stop, frames = _stretches(
        index.starts, query.bands - change.shift, query.rises, query.intervals, query.frames, change.tempo,
        change.tolerance, p.n_bands, p.max_pair_bands, p.min_pair_frames, p.max_pair_frames,
    )  # fmt: skip
    first, stop, frames = _within(first, stop, frames, _budget(index, p, hours))
    anchors = np.rint(change.tempo * frames).astype(np.int64)
    tempos = np.array(change.tempos)
    drifts = np.rint((tempos - change.tempo) * frames[:, None]).astype(np.int64)
    n_cells = (int(index.bases[-1]) >> CELL_BITS) + 2
    found = _propose(index.postings, first, stop, anchors, drifts, n_cells, PLACES, limit)
    poses = np.empty((len(found), 3))
    poses[:, 1] = tempos[found[:, 1]]
    poses[:, 0] = found[:, 0] - poses[:, 1] * query.middle
    poses[:, 2] = change.shift
    return Candidates(poses, found[:, 2])


def _budget(index: AudioIndex, params: AudioParams, hours: float) -> int:
    """Return this index's share of the votes that a catalogue of so many hours may take."""
    share = int(index.bases[-1]) / params.frames_per_s / 3600 / max(hours, VOTES_HOURS)
    return int(VOTES * math.sqrt(max(1.0, hours / VOTES_HOURS)) * min(share, 1.0)) + 1


@njit(cache=True, nogil=True)
def _stretches(  # type: ignore[no-untyped-def]
    starts, bands, rises, intervals, frames, tempo, tolerance, n_bands, max_df, min_dt, max_dt
):
    """Return the stretches of postings of each pair and its neighbours in time: first, stop, the pair's frame."""
    n_df, n_dt = 2 * max_df + 1, max_dt - min_dt + 1
    out = np.empty((3, len(bands) * (2 * tolerance + 1)), np.int64)
    count = 0
    for i in range(len(bands)):
        dt = round(intervals[i] * tempo)
        low, high = max(dt - 1, min_dt), min(dt + 1, max_dt)
        if bands[i] < 0 or bands[i] >= n_bands or low > high:
            continue
        for rise in range(max(rises[i] - tolerance, -max_df), min(rises[i] + tolerance, max_df) + 1):
            row = (bands[i] * n_df + rise + max_df) * n_dt
            first, stop = starts[row + low - min_dt], starts[row + high - min_dt + 1]
            if stop > first:
                out[0, count], out[1, count], out[2, count] = first, stop, frames[i]
                count += 1
    return out[0, :count], out[1, :count], out[2, :count]


def _within(
    first: NDArray[np.int64], stop: NDArray[np.int64], frames: NDArray[np.int64], budget: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Keep the shortest stretches: the rarer a term, the more its vote says."""
    lengths = stop - first
    if lengths.sum() <= budget:
        return first, stop, frames
    order = np.argsort(lengths, kind="stable")
    keep = order[: int(np.searchsorted(np.cumsum(lengths[order]), budget, side="right"))]
    return first[keep], stop[keep], frames[keep]


@njit(cache=True, nogil=True)
def _propose(postings, first, stop, anchors, drifts, n_cells, places, limit):  # type: ignore[no-untyped-def]
    """Return int64[k, 3]: frame of the axis at the query's middle, number of the tempo, votes."""
    counts = np.zeros(n_cells + 2, np.int32)
    for i in range(len(first)):
        anchor = anchors[i]
        for k in range(first[i], stop[i]):
            counts[(np.int64(postings[k]) - anchor) >> CELL_BITS] += np.int32(1)
    slots, n_slots = _slots(counts, places)
    n_tempos = drifts.shape[1]
    fine = np.zeros((n_slots + 1, n_tempos, FINE + 1), np.uint16)
    for i in range(len(first)):
        anchor = anchors[i]
        for k in range(first[i], stop[i]):
            place = np.int64(postings[k]) - anchor
            if slots[place >> CELL_BITS] == 0:
                continue
            for j in range(n_tempos):
                here = place - drifts[i, j]
                slot = slots[here >> CELL_BITS]
                if slot:
                    fine[slot, j, (here >> FINE_BITS) & (FINE - 1)] += np.uint16(1)
    return _fullest(slots, n_slots, fine, limit)


@njit(cache=True, nogil=True)
def _slots(counts, places):  # type: ignore[no-untyped-def]
    """Number the cells of the fullest pairs of neighbours, and the cell to each side of those."""
    least = _threshold(counts, places)
    slots = np.zeros(len(counts), np.int32)
    for cell in range(1, len(counts) - 2):
        if counts[cell] + counts[cell + 1] >= least:
            slots[cell - 1 : cell + 3] = 1
    n_slots = 0
    for cell in range(len(slots)):
        if slots[cell]:
            n_slots += 1
            slots[cell] = n_slots
    return slots, n_slots


@njit(cache=True, nogil=True)
def _threshold(counts, places):  # type: ignore[no-untyped-def]
    """Return how many votes a pair of neighbours needs to be among the `places` fullest; at least 2."""
    histogram = np.zeros(MAX_COUNT + 1, np.int64)
    for cell in range(len(counts) - 1):
        histogram[min(counts[cell] + counts[cell + 1], MAX_COUNT)] += 1
    least, found = MAX_COUNT, histogram[MAX_COUNT]
    while least > 2 and found + histogram[least - 1] <= places:
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
    order = np.argsort(-best[:, 2])[:limit]
    return best[np.sort(order[best[order, 2] >= 2])]
