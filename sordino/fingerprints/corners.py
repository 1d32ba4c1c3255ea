"""
Corners of a picture: FAST's, the clearest of them, spread over the picture.

A corner is a pixel with nine neighbours in a row, on a circle of sixteen, that are all brighter or all darker than it,
and its score is by how much (Rosten and Drummond, "Machine learning for high-speed corner detection", ECCV 2006). They
are ranked by the smaller eigenvalue of their gradients (Shi and Tomasi, "Good features to track", CVPR 1994). Both are
computed for whole rows: the compiler does many pixels at once then, which is faster than leaving most of them out.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

MARGIN = 12  # pixels from the edge
CONTRAST = 8  # grey levels by which a corner differs from its circle
WINDOW = 3  # pixels to each side whose gradients tell how much of a corner it is
GRID = (8, 5)  # along the longer and the shorter side: corners are spread over the picture


def corners(picture: NDArray[np.uint8], n: int, crowd: float) -> NDArray[np.float32]:
    """
    Return x and y of at most `n` corners of a picture, float32[k, 2] in pixels, the clearest first.

    No cell of the grid has more than `crowd` times its share of them.
    """
    picture = np.require(picture, requirements=("C", "W"))  # kernels are compiled anew for what may not be written
    height, width = picture.shape
    columns, rows = GRID if width >= height else GRID[::-1]
    in_cell = math.ceil(crowd * n / (columns * rows))
    strengths, places = _clearest(picture, scores(picture), columns, rows, in_cell)
    order = np.lexsort((places, -strengths))[:n]
    return np.stack([places[order] % width, places[order] // width], axis=1).astype(np.float32)


@njit(cache=True, nogil=True)
def scores(picture):  # type: ignore[no-untyped-def]
    """Return by how many grey levels nine neighbours in a row differ from each pixel, at least; 0 at the edges."""
    height, width = picture.shape
    found = np.zeros((height, width), np.uint8)
    for p in (picture, ~picture):  # what is darker is brighter in the negative
        for y in range(3, height - 3):
            _score(p[y - 3], p[y - 2], p[y - 1], p[y], p[y + 1], p[y + 2], p[y + 3], found[y, 3 : width - 3])
    return found


@njit(cache=True, nogil=True)
def _score(a, b, c, d, e, f, g, found):  # type: ignore[no-untyped-def]
    """Raise the scores of a row, from its fourth pixel on, to those of what is brighter around: of seven rows."""
    for x in range(len(found)):
        circle = _nine(
            a[x + 3], a[x + 4], b[x + 5], c[x + 6], d[x + 6], e[x + 6], f[x + 5], g[x + 4],
            g[x + 3], g[x + 2], f[x + 1], e[x], d[x], c[x], b[x + 1], a[x + 2],
        )  # fmt: skip
        found[x] = max(found[x], np.uint8(circle - d[x + 3]) if circle > d[x + 3] else np.uint8(0))


@njit(cache=True, nogil=True)
def _nine(p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15):  # type: ignore[no-untyped-def]
    """Return the most that nine in a row of a circle all have: eight, and the one before or behind them."""
    a1, a3, a5, a7 = min(p1, p2), min(p3, p4), min(p5, p6), min(p7, p8)
    a9, a11, a13, a15 = min(p9, p10), min(p11, p12), min(p13, p14), min(p15, p0)
    b1, b3, b5, b7 = min(a1, a3), min(a3, a5), min(a5, a7), min(a7, a9)
    b9, b11, b13, b15 = min(a9, a11), min(a11, a13), min(a13, a15), min(a15, a1)
    return max(
        min(b1, b5, max(p0, p9)), min(b3, b7, max(p2, p11)), min(b5, b9, max(p4, p13)), min(b7, b11, max(p6, p15)),
        min(b9, b13, max(p8, p1)), min(b11, b15, max(p10, p3)), min(b13, b1, max(p12, p5)), min(b15, b3, max(p14, p7)),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _clearest(picture, score, columns, rows, in_cell):  # type: ignore[no-untyped-def]
    """Return the clearest corners of each cell: their strengths, float32[k], and places, int64[k]: y x width + x."""
    height, width = picture.shape
    strengths = np.full((columns * rows, in_cell), -np.inf, np.float32)
    places = np.zeros((columns * rows, in_cell), np.int64)
    sums, peaks = np.zeros((3, width), np.int32), np.empty(max(0, width - 2 * MARGIN), np.bool_)
    for y in range(MARGIN - WINDOW, min(MARGIN + WINDOW, height - MARGIN)):
        _add_gradients(picture[y - 1], picture[y], picture[y + 1], 1, sums)
    for y in range(MARGIN, height - MARGIN):
        _add_gradients(picture[y + WINDOW - 1], picture[y + WINDOW], picture[y + WINDOW + 1], 1, sums)
        _find_peaks(score[y - 1, MARGIN - 1 :], score[y, MARGIN - 1 :], score[y + 1, MARGIN - 1 :], peaks)
        for x in range(MARGIN, width - MARGIN):
            if peaks[x - MARGIN]:
                cell = int(y * (rows / height)) * columns + int(x * (columns / width))
                _insert(_strength(sums, x), y * width + x, strengths[cell], places[cell])
        _add_gradients(picture[y - WINDOW - 1], picture[y - WINDOW], picture[y - WINDOW + 1], -1, sums)
    kept = strengths.ravel() > -np.inf
    return strengths.ravel()[kept], places.ravel()[kept]


@njit(cache=True, nogil=True)
def _add_gradients(above, row, below, sign, sums):  # type: ignore[no-untyped-def]
    """Add the products of a row's gradients to the sums by column, or take them off again."""
    xx, yy, xy = sums[0, 1:], sums[1, 1:], sums[2, 1:]
    for x in range(len(row) - 2):
        gx, gy = np.int32(row[x + 2]) - np.int32(row[x]), np.int32(below[x + 1]) - np.int32(above[x + 1])
        xx[x] += sign * gx * gx
        yy[x] += sign * gy * gy
        xy[x] += sign * gx * gy


@njit(cache=True, nogil=True)
def _find_peaks(above, row, below, peaks):  # type: ignore[no-untyped-def]
    """Tell which scores are a corner's and higher than all eight around them; rows begin a pixel earlier."""
    for x in range(len(peaks)):
        around = max(above[x], above[x + 1], above[x + 2], row[x], row[x + 2], below[x], below[x + 1], below[x + 2])
        peaks[x] = row[x + 1] > max(around, np.uint8(CONTRAST))


@njit(cache=True, nogil=True)
def _strength(sums, x):  # type: ignore[no-untyped-def]
    """Return the smaller eigenvalue of the gradients about a column."""
    window = sums[:, x - WINDOW : x + WINDOW + 1]
    xx, yy, xy = np.float32(window[0].sum()), np.float32(window[1].sum()), np.float32(window[2].sum())
    return np.float32((xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy * xy))


@njit(cache=True, nogil=True)
def _insert(strength, place, strengths, places):  # type: ignore[no-untyped-def]
    """Put a corner among a cell's, behind those that are as strong; the weakest drops out."""
    k = len(strengths)
    while k > 0 and strength > strengths[k - 1]:
        k -= 1
        if k + 1 < len(strengths):
            strengths[k + 1], places[k + 1] = strengths[k], places[k]
    if k < len(strengths):
        strengths[k], places[k] = strength, place
