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

from sordino.fingerprints.index import FRAME_BITS, FRAMES, NO_THIRD, AudioIndex, pairs
from sordino.fingerprints.model import AudioPrint
from sordino.fingerprints.params import AudioParams

CELL_BITS = 5  # 32 frames: two such cells hold a 10 s query whose tempo is 7 % off
FINE_BITS = 1  # 2 frames
FINE = 1 << (CELL_BITS - FINE_BITS)
ANY = np.uint64((1 << 64) - 1)  # third landmark
MANY = 512  # postings of a term, from which on looking some of them up is faster than going through all
MAX_COUNT = 4095  # votes of a pair of cells, beyond which they need no order


@dataclass(frozen=True, slots=True)
class Effort:
    """
    How much of the postings is read for each of the query's landmarks.

    Their pairs with the `fanout` next ones are looked up, and intervals that are `near` frames longer or shorter: a
    peak under speech is rarely at the frame where it was alone. With `thirds`, only those of a pair's postings vote of
    which the query has the third landmark, too. Without `halves`, of the changes of pitch only whole bands are tried.
    """

    fanout: int
    near: int = 1
    thirds: bool = True
    halves: bool = True


WHOLE = Effort(10, thirds=False)


@dataclass(frozen=True, slots=True)
class Change:
    """
    What may have been done to a reference: `shift` bands up, and one of `tempos` times as fast.

    All tempos are looked for with the terms of `tempo`: they must be within 7 % of it. The `places` fullest pairs of
    wide cells are looked at closely. `whole`: the postings are read without sparing any.
    """

    shift: float = 0.0
    tempo: float = 1.0
    tempos: tuple[float, ...] = (1.0,)
    places: int = 600
    whole: bool = False


def _sweep() -> tuple[Change, ...]:
    """
    Return the changes of pitch (-13 to +12 %) and tempo (-20 to +20 %) that are looked for.

    Small changes of tempo with every pitch; large ones with the pitch as it was, or changed as much (another speed). No
    change at all is looked for once more, thoroughly: in a large catalogue `PLAIN` is spared.
    """
    tempos = {centre: tuple(round(centre + k / 50, 2) for k in range(-3, 4)) for centre in (1.0, 0.86, 1.14)}
    shifts = {1.0: _halves(-14, 12), 0.86: [0.0, *_halves(-14, -8)], 1.14: [0.0, *_halves(8, 12)]}
    every = [(s, tempo) for tempo in tempos for s in shifts[tempo]]
    return tuple(Change(s, tempo, tempos[tempo], 100, whole=(s, tempo) == (0.0, 1.0)) for s, tempo in every)


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


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """
    What is looked up for a change, in whichever index.

    `terms` int64[n]; `thirds` uint64[n]: the third landmarks that each may have, as bits; `from_middle` int64[n]: the
    frames from the query's middle, which is its frame `middle`, to the pair.
    """

    change: Change
    effort: Effort
    params: AudioParams
    middle: int
    terms: NDArray[np.int64]
    thirds: NDArray[np.uint64]
    from_middle: NDArray[np.int64]


def lookup(query: Landmarks, change: Change, effort: Effort) -> Lookup:
    """Return what a query looks up under a change."""
    effort = WHOLE if change.whole else effort
    terms, frames, thirds = pairs(query.unshifted(change.shift), effort.fanout, change.tempo)
    right = _later(thirds) if effort.thirds else np.full(len(terms), ANY)
    middle = query.n_frames // 2
    return Lookup(change, effort, query.params, middle, terms, right, frames - middle)


def propose(index: AudioIndex, asked: Lookup, limit: int) -> Candidates:
    """Return at most `limit` places where the references have the most of the query's pairs, under this change."""
    params, change = asked.params, asked.change
    found = _propose(
        index.starts,
        index.postings,
        asked.terms,
        asked.thirds,
        asked.effort.near,
        params.max_pair_frames - params.min_pair_frames + 1,
        asked.from_middle,
        np.rint(change.tempo * asked.from_middle).astype(np.int64),
        np.array(change.tempos) - change.tempo,
        (int(index.bases[-1]) >> CELL_BITS) + 2,
        change.places,
        limit,
    )
    tempos = np.array(change.tempos)[found[:, 1]]
    starts = found[:, 0] - tempos * asked.middle
    return Candidates(np.stack([starts, tempos, np.full(len(found), change.shift)], axis=1), found[:, 2])


@njit(cache=True, nogil=True)
def _later(thirds):  # type: ignore[no-untyped-def]
    """
    Return the third landmarks that each pair may have, as the bits of a uint64: further partners of its first landmark.

    Or a band beside one: where the pitch was changed by a fraction of a band, each interval is rounded for itself.
    """
    sets, one = np.zeros(len(thirds) + 1, np.uint64), np.uint64(1)
    for k in range(len(thirds) - 1, -1, -1):
        if thirds[k] != NO_THIRD:
            sets[k] = sets[k + 1] | (one << np.uint64(thirds[k]))
    return (sets[:-1] | (sets[:-1] << one) | (sets[:-1] >> one)) & ~(one << np.uint64(NO_THIRD))


@njit(cache=True, nogil=True)
def _propose(  # type: ignore[no-untyped-def]
    starts, postings, terms, thirds, near, n_intervals, from_middle, anchors, faster, n_cells, places, limit
):
    """Return int64[k, 3]: frame of the axis at the query's middle, number of the tempo, votes."""
    places_of, stops = _read(starts, postings, terms, thirds, near, n_intervals, anchors)
    slots = np.zeros(n_cells + 2, np.uint16)  # first how many votes each cell has, then the number of those looked into
    for place in places_of:
        slots[place >> CELL_BITS] += np.uint16(1)
    cells = _slots(slots, places)
    first, fine = 0, np.zeros((len(cells) + 1, len(faster), FINE), np.uint16)
    for i in range(len(stops)):
        for place in places_of[first : stops[i]]:
            if slots[place >> CELL_BITS]:
                for j in range(len(faster)):
                    here = place - round(from_middle[i] * faster[j])
                    fine[slots[here >> CELL_BITS], j, (here >> FINE_BITS) & (FINE - 1)] += np.uint16(1)
        first = stops[i]
    fine[0] = 0  # what fell into no slot
    return _fullest(cells, slots, fine, limit)


@njit(cache=True, nogil=True)
def _read(starts, postings, terms, thirds, near, n_intervals, anchors):  # type: ignore[no-untyped-def]
    """
    Return the places that the pairs vote for, int32[n], and where in them each pair's end: int64[len(terms)].

    Postings are far from each other in memory: they are read once.
    """
    first, last = np.empty(len(terms), np.int64), np.empty(len(terms), np.int64)
    n = np.int64(0)
    for i in range(len(terms)):
        interval = terms[i] % n_intervals
        first[i], last[i] = terms[i] - min(interval, near), terms[i] + min(n_intervals - 1 - interval, near)
        n += np.int64(starts[last[i] + 1]) - np.int64(starts[first[i]])
    places, stops = np.empty(n + 1, np.int32), np.empty(len(terms), np.int64)
    n = np.int64(0)
    for i in range(len(terms)):
        if thirds[i] == ANY:  # terms of neighbouring intervals, and their postings, lie side by side
            n = _voted(postings[starts[first[i]] : starts[last[i] + 1]], anchors[i], places, n)
        else:
            for term in range(first[i], last[i] + 1):
                n = _matching(postings[starts[term] : starts[term + 1]], thirds[i], anchors[i], places, n)
        stops[i] = n
    return places[:n], stops


@njit(cache=True, nogil=True)
def _matching(postings, thirds, anchor, places, n):  # type: ignore[no-untyped-def]
    """
    Append the places of a term's postings whose third landmark is among `thirds`; return how many there are now.

    They are in order of their third landmarks: those of a run of neighbours lie side by side, and are looked up where
    that is faster than to go through all.
    """
    third, one = np.uint64(0), np.uint64(1)
    if len(postings) < MANY:
        for posting in postings:
            places[n] = np.int32(posting & FRAMES) - np.int32(anchor)
            n += np.int64((thirds >> np.uint64(posting >> FRAME_BITS)) & one)
        return n
    while thirds >> third:
        while not (thirds >> third) & one:
            third += one
        first = int(np.searchsorted(postings, np.uint32(third << np.uint64(FRAME_BITS))))
        while (thirds >> third) & one:
            third += one
        stop = int(np.searchsorted(postings, np.uint32(third << np.uint64(FRAME_BITS))))
        n = _voted(postings[first:stop], anchor, places, n)
    return n


@njit(cache=True, nogil=True)
def _voted(postings, anchor, places, n):  # type: ignore[no-untyped-def]
    for posting in postings:
        places[n] = np.int32(posting & FRAMES) - np.int32(anchor)
        n += 1
    return n


@njit(cache=True, nogil=True)
def _slots(counts, places):  # type: ignore[no-untyped-def]
    """
    Choose the cells of the fullest pairs of neighbours, and the cell to each side of those: int64[k], ascending.

    Fills `counts` with their numbers, from 1, and with 0. A pair has at least 2 votes; where more than `places` are the
    fullest, all alike (a long loop), they are the first.
    """
    histogram = np.zeros(MAX_COUNT + 1, np.int64)
    seen, votes_of = np.empty(len(counts), np.int32), np.empty(len(counts), np.int32)
    least, found, n = 2, 0, 0
    for cell in range(1, len(counts) - 2):
        votes = np.int64(counts[cell]) + np.int64(counts[cell + 1])
        if votes >= least:
            seen[n], votes_of[n] = cell, votes
            n += 1
            histogram[min(votes, np.int64(MAX_COUNT))] += 1
            found += 1
            while found > places and found > histogram[least]:
                found -= histogram[least]
                least += 1
    fullest = seen[:n][votes_of[:n] >= least][:places]
    counts[:] = 0
    cells, n = np.empty(4 * len(fullest), np.int64), 0
    for cell in fullest:
        for near in range(max(cell - 1, cells[n - 1] + 1 if n else 0), cell + 3):
            cells[n] = near
            n += 1
            counts[near] = n
    return cells[:n]


@njit(cache=True, nogil=True)
def _fullest(cells, slots, fine, limit):  # type: ignore[no-untyped-def]
    """Return the best narrow cell (with its neighbour) of each slot, of the slots that have the most."""
    best = np.zeros((len(cells), 3), np.int64)
    for k, cell in enumerate(cells):
        for j in range(fine.shape[1]):
            for at in range(FINE):
                beyond = fine[slots[cell + 1], j, 0] if at == FINE - 1 else fine[k + 1, j, at + 1]
                votes = np.int64(fine[k + 1, j, at]) + beyond
                if votes > best[k, 2]:
                    best[k, 0] = (cell << CELL_BITS) + ((at + 1) << FINE_BITS)
                    best[k, 1], best[k, 2] = j, votes
    order = np.argsort(-best[:, 2], kind="mergesort")[:limit]
    return best[np.sort(order[best[order, 2] >= 2])]
