"""
Candidates to evidence: how many of a reference frame's landmarks a query's frame shows where they should be.

A pose maps the reference's picture into the query's. It is refined on the landmarks that it explains, from one scale
and a shift to an affine map: a camera stands askew, a picture is squeezed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.fit_video import fit
from sordino.fingerprints.hamming import ones
from sordino.fingerprints.index_video import UNITS, VideoIndex
from sordino.fingerprints.propose_video import Look

ALIKE = 14  # bits of 63: the same corner; of unrelated ones one pair in ten thousand is
RADII = (0.06, 0.03, 0.015, 0.012, 0.012)  # widths of the copy's picture, from one refinement to the next
NARROW = 0.5  # scale, below which they get no smaller: the query's own pixels are too large
AFFINE = 2  # refinements from which on height and width may differ
LEVELS = (0.8, 8.0)  # pixels of the query's finest level that a pixel of a landmark's covers: else it can't be found
SAME_SIZE = 1.7
GRID = 32  # cells a side, in which the query's landmarks are looked up
SPOTS = 32  # places of the reference's picture that are told apart, from left to right
KINDS = 256  # of words that are counted: more say no more
EDGE = 0.02  # widths: landmarks so near the query's edge are not found


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """
    Pairs of a query's frame and an index's, rows of `frames` int64[k, 2], and what of the one is seen in the other.

    `found` int64[k] landmarks are where they should be; `maps` float64[k, 2, 3] from the reference's picture into the
    query's; `spread` float64[k]: what they span of the reference's picture or, if that is more, of the query's: an
    inset shows much of the one, a crop fills much of the other.
    """

    frames: NDArray[np.int64]
    found: NDArray[np.int64]
    maps: NDArray[np.float64]
    spread: NDArray[np.float64]

    def at(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Views":
        """Return some of them."""
        return Views(self.frames[rows], self.found[rows], self.maps[rows], self.spread[rows])


def joined(several: Sequence[Views]) -> Views:
    """Return the views of several as one."""
    return Views(
        np.concatenate([v.frames for v in several]),
        np.concatenate([v.found for v in several]),
        np.concatenate([v.maps for v in several]),
        np.concatenate([v.spread for v in several]),
    )


def verify(index: VideoIndex, look: Look, pairs: NDArray[np.int64], poses: NDArray[np.float64]) -> Views:
    """
    Compare pairs of frames, int64[k, 2]: the query's and the index's.

    Each begins at its pose, float64[k, 3]: scale, and x and y of the reference's corner (`propose_video.Candidates`).
    """
    maps = np.zeros((len(pairs), 2, 3))
    maps[:, 0, 0] = maps[:, 1, 1] = poses[:, 0]
    maps[:, :, 2] = poses[:, 1:]
    return _views(index, look, pairs, maps, refined=True)


def verify_as_mapped(index: VideoIndex, look: Look, pairs: NDArray[np.int64], map_: NDArray[np.float64]) -> Views:
    """Compare pairs of frames where the map is known, float64[2, 3]: chance hardly finds anything there."""
    return _views(index, look, pairs, np.tile(map_, (len(pairs), 1, 1)), refined=False)


def _views(
    index: VideoIndex, look: Look, pairs: NDArray[np.int64], maps: NDArray[np.float64], *, refined: bool
) -> Views:
    p = look.query.landmarks
    spread, found = np.zeros(len(pairs)), np.zeros(len(pairs), np.int64)
    heights = index.heights[np.searchsorted(index.frames, pairs[:, 1], side="right") - 1]
    _compare(
        look.words, look.places, p.starts, p.height, index.words, index.x, index.y, index.size, index.rows, heights,
        pairs, maps, found, spread, refined,
    )  # fmt: skip
    return Views(pairs, found, maps, spread)


def distinct(index: VideoIndex, look: Look, views: Views) -> int:
    """
    Count what is different among the landmarks that views found: places in the reference's picture, and words.

    What stands still is seen in frame after frame, and counts once; and so does what repeats within a picture.
    """
    p = look.query.landmarks
    return int(
        _distinct(
            look.words, look.places, p.starts, p.height, index.words, index.x, index.y, index.size, index.rows,
            views.frames, views.maps,
        )
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _compare(  # type: ignore[no-untyped-def]
    words, places, starts, height, their_words, x, y, size, rows, heights, pairs, maps, found, spread, refined
):
    before, mine = -1, _by_cell(words[:0], places[:0], height)
    for k in np.argsort(pairs[:, 0], kind="mergesort"):  # each frame is laid out once
        if pairs[k, 0] != before:
            before = pairs[k, 0]
            first, stop = starts[before], starts[before + 1]
            mine = _by_cell(words[first:stop], places[first:stop], height)
        low, high = np.int64(rows[pairs[k, 1]]), np.int64(rows[pairs[k, 1] + 1])
        theirs = their_words[low:high], _places(x, y, size, low, high)
        found[k], spread[k] = _refine(mine, height, theirs, heights[k], maps[k], refined)


@njit(cache=True, nogil=True)
def _places(x, y, size, low, high):  # type: ignore[no-untyped-def]
    places = np.empty((high - low, 3))
    for k in range(high - low):
        places[k, 0], places[k, 1], places[k, 2] = x[low + k] / UNITS, y[low + k] / UNITS, size[low + k] / UNITS
    return places


@njit(cache=True, nogil=True)
def _distinct(words, places, starts, height, their_words, x, y, size, rows, pairs, maps):  # type: ignore[no-untyped-def]
    spots, kinds = np.zeros((SPOTS, 4 * SPOTS), np.bool_), np.empty(KINDS, np.uint64)
    n_spots, n_kinds = 0, 0
    for k in range(len(pairs)):
        first, stop = starts[pairs[k, 0]], starts[pairs[k, 0] + 1]
        low, high = np.int64(rows[pairs[k, 1]]), np.int64(rows[pairs[k, 1] + 1])
        there, at = their_words[low:high], _places(x, y, size, low, high)
        mine, of = _by_cell(words[first:stop], places[first:stop], height), np.empty((high - low, 2), np.int64)
        n = _seen(mine, height, (there, at), maps[k], _radius(maps[k], -1), of)
        for j in of[:n, 1]:
            column, row = min(int(at[j, 0] * SPOTS), SPOTS - 1), min(int(at[j, 1] * SPOTS), 4 * SPOTS - 1)
            n_spots += not spots[column, row]
            spots[column, row] = True
            if n_kinds < KINDS and _is_new(there[j], kinds[:n_kinds]):
                kinds[n_kinds] = there[j]
                n_kinds += 1
    return min(n_spots, n_kinds)


@njit(cache=True, nogil=True)
def _is_new(word, kinds):  # type: ignore[no-untyped-def]
    for kind in kinds:  # noqa: SIM110 -- kernels know no generators
        if ones(word ^ kind) <= ALIKE:
            return False
    return True


@njit(cache=True, nogil=True)
def _refine(mine, height, theirs, their_height, map_, refined):  # type: ignore[no-untyped-def]
    """Return how many landmarks of the query a map explains, refined in place if so wished, and what they span."""
    pairs = np.empty((len(theirs[0]), 2), np.int64)
    found, last = 0, len(RADII) - 1
    for step in range(0 if refined else last, len(RADII)):
        radius = _radius(map_, step)
        found = _seen(mine, height, theirs, map_, radius, pairs)
        if found < (4 if refined else 1):
            return 0, 0.0
        affine = step >= AFFINE and found >= 8
        if step < last and not fit(mine[2], theirs[1], pairs[:found], radius, affine, map_):
            return 0, 0.0
    span = 1.0
    for axis in range(2):
        along = np.sort(theirs[1][pairs[:found, 1], axis])
        span *= along[int(0.95 * (found - 1))] - along[int(0.05 * (found - 1))]
    enlarged = abs(map_[0, 0] * map_[1, 1] - map_[0, 1] * map_[1, 0])
    return _n_different(pairs[:found, 0], len(mine[1])), max(span / their_height, enlarged * span / height)


@njit(cache=True, nogil=True)
def _n_different(rows, n):  # type: ignore[no-untyped-def]
    """Count rows of `n` once each."""
    there = np.zeros(n, np.bool_)
    for row in rows:
        there[row] = True
    return there.sum()


@njit(cache=True, nogil=True)
def _radius(map_, step):  # type: ignore[no-untyped-def]
    return RADII[step] * max(NARROW, np.sqrt(abs(map_[0, 0] * map_[1, 1] - map_[0, 1] * map_[1, 0])))


@njit(cache=True, nogil=True)
def _by_cell(words, places, height):  # type: ignore[no-untyped-def]
    """Return the query's landmarks cell by cell of a grid: where each cell's begin, their words and their places."""
    starts, cell = np.zeros(GRID * GRID + 1, np.int64), np.empty(len(places), np.int64)
    for k in range(len(places)):
        column, row = int(places[k, 0] * GRID), int(places[k, 1] / height * GRID)
        cell[k] = min(max(row, 0), GRID - 1) * GRID + min(max(column, 0), GRID - 1)
        starts[cell[k] + 1] += 1
    starts = np.cumsum(starts)
    cursor = starts[:-1].copy()
    their_words, their_places = np.empty(len(words), np.uint64), np.empty((len(places), 3), np.float32)
    for k in range(len(places)):
        at = cursor[cell[k]]
        their_words[at], their_places[at] = words[k], places[k]
        cursor[cell[k]] += 1
    return starts, their_words, their_places


@njit(cache=True, nogil=True)
def _seen(mine, height, theirs, map_, radius, pairs):  # type: ignore[no-untyped-def]
    """Pair each reference landmark in view with the query's most alike within a radius; return how many there are."""
    starts, words, places = mine
    their_words, their_places = theirs
    scale = np.sqrt(abs(map_[0, 0] * map_[1, 1] - map_[0, 1] * map_[1, 0]))
    finest = places[:, 2].min() if len(places) else 1.0
    n = 0
    for j in range(len(their_words)):
        x = map_[0, 0] * their_places[j, 0] + map_[0, 1] * their_places[j, 1] + map_[0, 2]
        y = map_[1, 0] * their_places[j, 0] + map_[1, 1] * their_places[j, 1] + map_[1, 2]
        size = scale * their_places[j, 2]
        if not (EDGE < x < 1 - EDGE and EDGE < y < height - EDGE and LEVELS[0] * finest < size < LEVELS[1] * finest):
            continue
        best, least = -1, ALIKE + 1
        left, right = max(0, int((x - radius) * GRID)), min(GRID - 1, int((x + radius) * GRID))
        top, bottom = max(0, int((y - radius) / height * GRID)), min(GRID - 1, int((y + radius) / height * GRID))
        for row in range(top, bottom + 1):
            for k in range(starts[row * GRID + left], starts[row * GRID + right + 1]):
                bits = ones(words[k] ^ their_words[j])
                if (
                    bits < least  # few are: the rest is rarely asked
                    and abs(places[k, 0] - x) < radius
                    and abs(places[k, 1] - y) < radius
                    and 1 / SAME_SIZE < places[k, 2] / size < SAME_SIZE
                ):
                    best, least = k, bits
        if best >= 0:
            pairs[n, 0], pairs[n, 1] = best, j
            n += 1
    return n
