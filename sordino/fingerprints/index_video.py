"""
The inverted index of pictures: word -> landmarks, and the landmarks themselves.

Landmarks are sorted by the lowest bits of their words, as many as spread them thinly. All references of an index stand
one after the other on one axis of seconds, as sound does on one of frames.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.model import VideoPrint
from sordino.fingerprints.params import VideoParams
from sordino.fingerprints.video import UNSURE_BITS

GAP_S = 64  # between references on the axis: a query may begin so long before the reference does
MIN_BITS = 24  # with fewer, words that are nothing alike share a term, and outvote those that are
SPARSE_BITS = 3  # in a large index, eight times as many terms as landmarks
BUCKET_BITS = 1  # half as many buckets as landmarks ...
MAX_BITS = UNSURE_BITS
MIN_BUCKET_BITS = 10  # ... and so many that a tag has at most 16 bits
CROWDED = 32  # postings of a bucket, from which on a search is faster than going through them
BLOCK_BITS = 6  # of every 64th landmark the frame is noted
UNITS = 1 << 15  # of a place: two widths of the picture are 65,536


@dataclass(frozen=True, slots=True, eq=False)
class VideoIndex:
    """
    References' landmarks, by word; every array may be a read-only memory map.

    A term is the lowest bits of a word. `starts` uint32[n_buckets + 1] into `postings` uint32[m], the rows of
    landmarks, and `tags` uint16[m]: the term's lowest bits, ascending within a bucket, which the others name (`run`).
    `words` uint64[m], `x`, `y` and `size` uint16[m] in `UNITS` of a width: the landmarks, frame by frame. `rows`
    uint32[n_frames + 1]: where the landmarks of each frame begin; `blocks` uint32[m / 64]: the frame of every 64th one.
    `times_s` and `until_s` float32[n_frames]: when each was shown first and last; `cells` int32[n_frames]: the second
    of the axis at the first. `frames` int64[n_references + 1]: where each reference's frames begin; `bases`
    int64[n_references + 1]: where it begins on the axis, in seconds; `durations_s` and `heights` float64[n_references].
    """

    starts: NDArray[np.uint32]
    postings: NDArray[np.uint32]
    tags: NDArray[np.uint16]
    words: NDArray[np.uint64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    size: NDArray[np.uint16]
    rows: NDArray[np.uint32]
    blocks: NDArray[np.uint32]
    times_s: NDArray[np.float32]
    until_s: NDArray[np.float32]
    cells: NDArray[np.int32]
    frames: NDArray[np.int64]
    bases: NDArray[np.int64]
    durations_s: NDArray[np.float64]
    heights: NDArray[np.float64]

    @property
    def bits(self) -> int:
        """How many of a word's bits are a term."""
        return _bits(len(self.words))

    @property
    def tag_bits(self) -> int:
        """How many of these are a tag."""
        return self.bits - (len(self.starts) - 1).bit_length() + 1

    def places(self, rows: slice) -> NDArray[np.float64]:
        """Return x, y and size of some landmarks, in widths of the picture: float64[k, 3]."""
        return np.stack([self.x[rows], self.y[rows], self.size[rows]], axis=1) / UNITS

    def print_of(self, reference: int, params: VideoParams) -> VideoPrint:
        """Return the print that was indexed as `reference` (its ordinal), but for frames without landmarks."""
        first, stop = int(self.frames[reference]), int(self.frames[reference + 1])
        rows = self.rows[first : stop + 1].astype(np.int64)
        mine = slice(int(rows[0]), int(rows[-1]))
        return VideoPrint(
            params,
            float(self.durations_s[reference]),
            float(self.heights[reference]),
            self.times_s[first:stop].astype(np.float64),
            self.until_s[first:stop].astype(np.float64),
            rows - rows[0],
            self.places(mine).astype(np.float32),
            np.asarray(self.words[mine]),
        )


def build(prints: Sequence[VideoPrint]) -> VideoIndex:
    """
    Index the prints; the place of each in `prints` is its ordinal.

    Each print is asked for twice, so that a sequence that makes them when asked needs no more memory than the index.
    Raises ValueError if they are too many for one index.
    """
    n_landmarks, n_frames = 0, 0
    frames, bases = np.zeros(len(prints) + 1, np.int64), np.full(len(prints) + 1, GAP_S, np.int64)
    durations_s, heights = np.empty(len(prints)), np.empty(len(prints))
    for k, p in enumerate(prints):
        durations_s[k], heights[k] = p.duration_s, p.height
        n_frames += int((np.diff(p.starts) > 0).sum())
        n_landmarks += len(p.words)
        frames[k + 1], bases[k + 1] = n_frames, bases[k] + length_s(p)
    if n_landmarks > np.iinfo(np.uint32).max:
        raise ValueError(f"too much for one index: {durations_s.sum() / 3600:.0f} hours")
    words, (x, y, size) = np.empty(n_landmarks, np.uint64), np.empty((3, n_landmarks), np.uint16)
    times_s, until_s = np.empty(n_frames, np.float32), np.empty(n_frames, np.float32)
    cells = np.empty(n_frames, np.int32)
    rows = np.zeros(n_frames + 1, np.uint32)
    filled = 0
    for k, p in enumerate(prints):
        mine, there = slice(filled, filled + len(p.words)), np.diff(p.starts) > 0
        words[mine] = p.words
        x[mine], y[mine], size[mine] = np.rint(p.places.T * UNITS).clip(0, np.iinfo(np.uint16).max)
        here = slice(int(frames[k]), int(frames[k + 1]))
        times_s[here], until_s[here] = p.times_s[there], p.until_s[there]
        cells[here] = bases[k] + p.times_s[there].astype(np.int64)
        rows[here.start + 1 : here.stop + 1] = filled + p.starts[1:][there]
        filled = mine.stop
    buckets = max(MIN_BUCKET_BITS, math.ceil(math.log2(max(1, n_landmarks))) - BUCKET_BITS)
    starts, postings, tags = _sorted(words, min(buckets, MAX_BITS), _bits(n_landmarks) - min(buckets, MAX_BITS))
    blocks = np.searchsorted(rows, np.arange(0, n_landmarks, 1 << BLOCK_BITS), side="right") - 1
    return VideoIndex(
        starts, postings, tags, words, x, y, size, rows, blocks.astype(np.uint32), times_s, until_s, cells, frames,
        bases, durations_s, heights,
    )  # fmt: skip


def _bits(n_landmarks: int) -> int:
    """Return how many bits of a word are a term, in an index of so many."""
    return min(MAX_BITS, max(MIN_BITS, math.ceil(math.log2(max(1, n_landmarks))) + SPARSE_BITS))


def length_s(p: VideoPrint) -> int:
    """Return how many seconds of the axis a reference takes."""
    return math.ceil(p.duration_s) + 1 + GAP_S


@njit(cache=True, nogil=True)
def _sorted(words, bucket_bits, tag_bits):  # type: ignore[no-untyped-def]
    """Return where the buckets begin, the postings and their tags: two counting sorts, by tag and then by bucket."""
    by_tag, starts = np.zeros((1 << tag_bits) + 1, np.int64), np.zeros((1 << bucket_bits) + 1, np.uint32)
    for word in words:
        by_tag[_tag(word, tag_bits) + 1] += 1
        starts[_bucket(word, bucket_bits, tag_bits) + 1] += np.uint32(1)
    by_tag = np.cumsum(by_tag)
    for bucket in range(1 << bucket_bits):
        starts[bucket + 1] += starts[bucket]
    tagged, cursor = np.empty(len(words), np.uint32), starts[:-1].copy()
    for row in range(len(words)):
        tag = _tag(words[row], tag_bits)
        tagged[by_tag[tag]] = row
        by_tag[tag] += 1
    postings, tags = np.empty(len(words), np.uint32), np.empty(len(words), np.uint16)
    for row in tagged:  # type: ignore[assignment]
        bucket = _bucket(words[row], bucket_bits, tag_bits)
        postings[cursor[bucket]], tags[cursor[bucket]] = row, _tag(words[row], tag_bits)
        cursor[bucket] += np.uint32(1)
    return starts, postings, tags


@njit(cache=True, nogil=True)
def _bucket(word, bucket_bits, tag_bits):  # type: ignore[no-untyped-def]
    return np.int64((word >> np.uint64(tag_bits)) & np.uint64((1 << bucket_bits) - 1))


@njit(cache=True, nogil=True)
def _tag(word, tag_bits):  # type: ignore[no-untyped-def]
    return np.int64(word & np.uint64((1 << tag_bits) - 1))


@njit(cache=True, nogil=True)
def run(starts, tags, tag_bits, term):  # type: ignore[no-untyped-def]
    """Return where a term's postings begin and end."""
    bucket, tag = term >> tag_bits, np.uint16(term & ((1 << tag_bits) - 1))
    first, end = np.int64(starts[bucket]), np.int64(starts[bucket + 1])
    if end - first > CROWDED:
        within = tags[first:end]
        return first + np.searchsorted(within, tag), first + np.searchsorted(within, tag, side="right")
    while first < end and tags[first] < tag:
        first += 1
    stop = first
    while stop < end and tags[stop] == tag:
        stop += 1
    return first, stop
