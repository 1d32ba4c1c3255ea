"""
The inverted index of sound: term -> postings, and the landmarks themselves.

A term names a pair of landmarks: the band of the first, the interval to the second in bands and in frames. A posting is
where a reference has such a pair, and how many bands further a third landmark is. All references of an index stand one
after the other on one axis of frames, so a posting is one number. Landmarks are kept by pages of that axis, two bytes
each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.model import AudioPrint
from sordino.fingerprints.params import AudioParams

GAP_FRAMES = 1024  # between references on the axis: a query may begin so long before the reference does
PAGE_BITS = 8  # 256 frames: a landmark's place in its page is one byte
FRAME_BITS = 26  # of a posting: an index holds 372 hours; the bits above are those of the third landmark
FRAMES = (1 << FRAME_BITS) - 1
MAX_FRAMES = FRAMES - 2 * GAP_FRAMES  # of all references together, as `length` counts them
NO_THIRD = (1 << (32 - FRAME_BITS)) - 1


@dataclass(frozen=True, slots=True, eq=False)
class AudioIndex:
    """
    References' landmarks and the postings of their pairs; every array may be a read-only memory map.

    `starts` uint32[n_terms + 1] into `postings` uint32[n]: the frame on the common axis and, above `FRAME_BITS`, the
    interval in bands to the third landmark (`pairs`); ascending within a term.
    `bases` int64[n_references + 1]: where each reference begins on the axis. `pages` uint32[n_pages + 1] into `within`
    uint8 (frames from the page's beginning) and `bands` uint8: the landmarks of 256 frames of the axis.
    `durations_s` float64[n_references].
    """

    starts: NDArray[np.uint32]
    postings: NDArray[np.uint32]
    bases: NDArray[np.int64]
    pages: NDArray[np.uint32]
    within: NDArray[np.uint8]
    bands: NDArray[np.uint8]
    durations_s: NDArray[np.float64]

    def print_of(self, reference: int, params: AudioParams) -> AudioPrint:
        """Return the print that was indexed as `reference` (its ordinal)."""
        base, stop = int(self.bases[reference]), int(self.bases[reference + 1])
        first, last = base >> PAGE_BITS, (stop - 1) >> PAGE_BITS
        low, high = int(self.pages[first]), int(self.pages[last + 1])
        pages = self.pages[first : last + 2].astype(np.int64)
        frames = (np.repeat(np.arange(first, last + 1), pages[1:] - pages[:-1]) << PAGE_BITS) + self.within[low:high]
        mine = slice(*np.searchsorted(frames, [base, stop]))
        bands = self.bands[low:high][mine].astype(np.int16)
        return AudioPrint(params, float(self.durations_s[reference]), (frames[mine] - base).astype(np.int32), bands)


def n_terms(params: AudioParams) -> int:
    """Size of the vocabulary (378,810 with the default parameters)."""
    return params.n_bands * (2 * params.max_pair_bands + 1) * (params.max_pair_frames - params.min_pair_frames + 1)


def build(prints: Sequence[AudioPrint], params: AudioParams) -> AudioIndex:
    """
    Index the prints; the place of each in `prints` is its ordinal.

    Each print is asked for twice, so that a sequence that makes them when asked needs no more memory than the index.
    Raises ValueError if they are too long for one index.
    """
    durations_s = np.empty(len(prints), np.float64)
    bases = np.full(len(prints) + 1, GAP_FRAMES, np.int64)
    counts = np.zeros(n_terms(params) + 1, np.int64)
    n_landmarks = 0
    for k, p in enumerate(prints):
        durations_s[k] = p.duration_s
        bases[k + 1] = bases[k] + length(p)
        _count(pairs(p, params.reference_fanout)[0], counts)
        n_landmarks += len(p.frames)
    starts = np.cumsum(counts)
    if bases[-1] - GAP_FRAMES > MAX_FRAMES or n_landmarks > np.iinfo(np.uint32).max:
        raise ValueError(f"too long for one index: {durations_s.sum() / 3600:.0f} hours")
    postings = np.empty(starts[-1], np.uint32)
    page_counts = np.zeros(((bases[-1] + GAP_FRAMES) >> PAGE_BITS) + 2, np.uint32)
    within, bands = np.empty(n_landmarks, np.uint8), np.empty(n_landmarks, np.uint8)
    cursor, filled = starts[:-1].copy(), 0
    for base, p in zip(bases, prints, strict=False):
        terms, anchors, thirds = pairs(p, params.reference_fanout)
        _place(terms, (thirds << FRAME_BITS) + anchors + base, cursor, postings)
        frames = base + p.frames.astype(np.int64)
        here, count = np.unique(frames >> PAGE_BITS, return_counts=True)
        page_counts[here + 1] += count.astype(np.uint32)
        within[filled : filled + len(frames)] = frames & ((1 << PAGE_BITS) - 1)
        bands[filled : filled + len(frames)] = p.bands
        filled += len(frames)
    _sort(starts, postings)
    pages = np.cumsum(page_counts, dtype=np.uint32)
    return AudioIndex(starts.astype(np.uint32), postings, bases, pages, within, bands, durations_s)


def length(p: AudioPrint) -> int:
    """Return how many frames of the axis a reference takes: whole pages, so that it lies in all indexes alike."""
    frames = int(p.duration_s * p.params.frames_per_s) + 1 + GAP_FRAMES
    return -(-frames >> PAGE_BITS) << PAGE_BITS


@njit(cache=True, nogil=True)
def _count(terms: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
    for term in terms:
        counts[term + 1] += 1


@njit(cache=True, nogil=True)
def _place(
    terms: NDArray[np.int64], postings: NDArray[np.int64], cursor: NDArray[np.int64], out: NDArray[np.uint32]
) -> None:
    for k in range(len(terms)):
        out[cursor[terms[k]]] = postings[k]
        cursor[terms[k]] += 1


@njit(cache=True, nogil=True)
def _sort(starts: NDArray[np.int64], postings: NDArray[np.uint32]) -> None:
    for term in range(len(starts) - 1):
        if starts[term + 1] - starts[term] > 1:
            postings[starts[term] : starts[term + 1]].sort()


def pairs(
    p: AudioPrint, fanout: int, tempo: float = 1.0
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """
    Pair each landmark of a print with the next ones, at most `fanout`, that are near enough in time and in frequency.

    Returns the terms of the pairs, the frame of each pair's first landmark, and the third landmark: how many bands the
    first one's next partner is above it, plus `max_pair_bands` (`NO_THIRD` if this partner is its last). For a copy
    that is played `tempo` times as fast as the reference, the terms are those that the reference has.
    """
    a = p.params
    return _pairs(p.frames, p.bands, fanout, tempo, a.min_pair_frames, a.max_pair_frames, a.max_pair_bands)


@njit(cache=True, nogil=True)
def _pairs(
    frames: NDArray[np.int32],
    bands: NDArray[np.int16],
    fanout: int,
    tempo: float,
    min_dt: int,
    max_dt: int,
    max_df: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    n = len(frames)
    terms, anchors = np.empty(n * fanout, np.int64), np.empty(n * fanout, np.int64)
    thirds = np.full(n * fanout, NO_THIRD, np.int64)
    count = 0
    for i in range(n):
        taken = 0
        for j in range(i + 1, n):
            dt = round((frames[j] - frames[i]) * tempo)
            if dt > max_dt or taken == fanout:
                break
            df = np.int64(bands[j]) - bands[i]
            if dt < min_dt or abs(df) > max_df:
                continue
            row = np.int64(bands[i]) * (2 * max_df + 1) + df + max_df
            terms[count] = row * (max_dt - min_dt + 1) + dt - min_dt
            anchors[count] = frames[i]
            if taken > 0:
                thirds[count - 1] = df + max_df
            count += 1
            taken += 1
    return terms[:count], anchors[:count], thirds[:count]
