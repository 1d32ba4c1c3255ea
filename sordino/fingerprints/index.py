"""
The inverted index of sound: term -> postings.

A term names a pair of landmarks: the band of the first, the interval to the second in bands and in frames. A posting is
where a reference has such a pair. All references of an index stand one after the other on one axis of frames, so a
posting is one number, and a vote for (reference, offset) is one addition in one array.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.model import AudioPrint
from sordino.fingerprints.params import AudioParams

GAP_FRAMES = 1024  # between references on the axis: a query may begin so long before the reference does
CELL_BITS = 1  # votes are counted in cells of 2 frames (40 ms)
MAX_VOTES = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True, eq=False)
class AudioIndex:
    """
    References' landmarks and the postings of their pairs; every array may be a read-only memory map.

    `starts` uint32[n_terms + 1] into `postings` uint32[n]: frames on the common axis, ascending within a term.
    `bases` int64[n_references + 1]: where each reference begins on the axis. `landmark_starts` int64[n_references + 1]
    into `frames` int32 and `bands` int16: each reference's landmarks. `durations_s` float64[n_references].
    """

    starts: NDArray[np.uint32]
    postings: NDArray[np.uint32]
    bases: NDArray[np.int64]
    landmark_starts: NDArray[np.int64]
    frames: NDArray[np.int32]
    bands: NDArray[np.int16]
    durations_s: NDArray[np.float64]

    def print_of(self, reference: int, params: AudioParams) -> AudioPrint:
        """Return the print that was indexed as `reference` (its ordinal)."""
        mine = slice(int(self.landmark_starts[reference]), int(self.landmark_starts[reference + 1]))
        return AudioPrint(params, float(self.durations_s[reference]), self.frames[mine], self.bands[mine])


def n_terms(params: AudioParams) -> int:
    """Size of the vocabulary (1,782,477 with the default parameters)."""
    return params.n_bands * (2 * params.max_pair_bands + 1) * (params.max_pair_frames - params.min_pair_frames + 1)


def build(prints: Sequence[AudioPrint], params: AudioParams) -> AudioIndex:
    """Index the prints; the place of each in `prints` is its ordinal."""
    lengths = [_length(p, params) for p in prints]
    bases = np.concatenate([[GAP_FRAMES], GAP_FRAMES + np.cumsum(lengths)]).astype(np.int64)
    if bases[-1] > np.iinfo(np.uint32).max - GAP_FRAMES:
        raise ValueError(f"too long for one index: {bases[-1] / params.frames_per_s / 3600:.0f} hours")
    if sum(len(p.frames) for p in prints) * params.reference_fanout > np.iinfo(np.uint32).max:
        raise ValueError("too many landmarks for one index")
    terms, anchors = [np.empty(0, np.int64)], [np.empty(0, np.uint32)]
    for base, p in zip(bases, prints, strict=False):
        term, anchor = pairs(p, params.reference_fanout)
        terms.append(term)
        anchors.append((anchor + base).astype(np.uint32))
    term, anchor = np.concatenate(terms), np.concatenate(anchors)
    return AudioIndex(
        starts=np.concatenate([[0], np.cumsum(np.bincount(term, minlength=n_terms(params)))]).astype(np.uint32),
        postings=anchor[np.argsort(term, kind="stable")].astype(np.uint32, copy=False),
        bases=bases,
        landmark_starts=np.concatenate([[0], np.cumsum([len(p.frames) for p in prints])]).astype(np.int64),
        frames=np.concatenate([np.empty(0, np.int32), *(p.frames for p in prints)]),
        bands=np.concatenate([np.empty(0, np.int16), *(p.bands for p in prints)]),
        durations_s=np.array([p.duration_s for p in prints], np.float64),
    )


def _length(p: AudioPrint, params: AudioParams) -> int:
    return int(p.duration_s * params.frames_per_s) + 1 + GAP_FRAMES


def pairs(p: AudioPrint, fanout: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the terms of a print's landmark pairs and the frame of each pair's first landmark."""
    params = p.params
    return _pairs(
        p.frames, p.bands, fanout, params.min_pair_frames, params.max_pair_frames, params.max_pair_bands
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _pairs(
    frames: NDArray[np.int32], bands: NDArray[np.int16], fanout: int, min_dt: int, max_dt: int, max_df: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    n = len(frames)
    terms = np.empty(n * fanout, np.int64)
    anchors = np.empty(n * fanout, np.int64)
    count = 0
    for i in range(n):
        taken = 0
        for j in range(i + 1, n):
            dt = frames[j] - frames[i]
            if dt > max_dt or taken == fanout:
                break
            df = np.int64(bands[j]) - bands[i]
            if dt < min_dt or abs(df) > max_df:
                continue
            row = np.int64(bands[i]) * (2 * max_df + 1) + df + max_df
            terms[count] = row * (max_dt - min_dt + 1) + dt - min_dt
            anchors[count] = frames[i]
            count += 1
            taken += 1
    return terms[:count], anchors[:count]


def vote(index: AudioIndex, query: AudioPrint) -> NDArray[np.uint16]:
    """
    Count, for every offset on the axis, the query's pairs that the references have there.

    Returns uint16[cells of 2^CELL_BITS frames]; offset = frame of the axis less frame of the query. Each pair also asks
    for its neighbours, one frame and one band further: a peak under speech is rarely where it was alone.
    """
    params = query.params
    votes = np.zeros((int(index.bases[-1]) + GAP_FRAMES >> CELL_BITS) + 2, np.uint16)
    if len(index.postings):
        terms, anchors = pairs(query, params.query_fanout)
        n_dt = params.max_pair_frames - params.min_pair_frames + 1
        _vote(index.starts, index.postings, terms, anchors, n_dt, 2 * params.max_pair_bands + 1, votes)
    return votes


@njit(cache=True, nogil=True)
def _vote(
    starts: NDArray[np.uint32],
    postings: NDArray[np.uint32],
    terms: NDArray[np.int64],
    anchors: NDArray[np.int64],
    n_dt: int,
    n_df: int,
    votes: NDArray[np.uint16],
) -> None:
    for i in range(len(terms)):
        dt = terms[i] % n_dt
        row = terms[i] // n_dt
        low, high = max(dt - 1, 0), min(dt + 1, n_dt - 1)
        for neighbour in range(max(row - 1, row - row % n_df), min(row + 1, row - row % n_df + n_df - 1) + 1):
            # the terms of neighbouring intervals in time lie side by side, so their postings are one stretch
            for k in range(starts[neighbour * n_dt + low], starts[neighbour * n_dt + high + 1]):
                offset = np.int64(postings[k]) - anchors[i]
                if offset >= 0:
                    cell = offset >> CELL_BITS
                    if votes[cell] < MAX_VOTES:
                        votes[cell] += np.uint16(1)


def candidates(votes: NDArray[np.uint16], limit: int) -> NDArray[np.int64]:
    """
    Return the offsets (in frames, ascending) of the fullest cells, at most `limit`, each counted with its neighbour.

    Cells of equal counts come all or none, so there may be fewer; only if more than `limit` tie for the fullest (a loop
    fits everywhere) the first of them are taken. Cells of a single vote are never candidates.
    """
    return _candidates(votes, limit)


@njit(cache=True, nogil=True)
def _candidates(votes: NDArray[np.uint16], limit: int) -> NDArray[np.int64]:
    histogram = np.zeros(4096, np.int64)
    for cell in range(len(votes) - 1):
        histogram[min(np.int64(votes[cell]) + votes[cell + 1], 4095)] += 1
    least, found = 4095, histogram[4095]
    while least > 2 and (found == 0 or found + histogram[least - 1] <= limit):
        least -= 1
        found += histogram[least]
    out = np.empty(min(found, limit), np.int64)
    count = 0
    for cell in range(len(votes) - 1):
        if count < len(out) and np.int64(votes[cell]) + votes[cell + 1] >= least:
            out[count] = cell << CELL_BITS
            count += 1
    return out[:count]
