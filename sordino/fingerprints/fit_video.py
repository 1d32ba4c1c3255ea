"""Pairs of landmarks to a map from the reference's picture into the query's, as a copy may have it."""

import numpy as np
from numba import njit

ASKEW = 0.35  # shear, in scales
SQUEEZED = 1.7
ON_A_LINE = 1e-12  # of what landmarks on a disc span


@njit(cache=True, nogil=True)
def fit(places, their_places, pairs, radius, affine, map_):  # type: ignore[no-untyped-def]
    """Fit the map to pairs, leaving out what lies far off it; say whether it is one that a copy may have."""
    kept = np.ones(len(pairs), np.bool_)
    off = np.empty(len(pairs))
    for _ in range(4):
        n = kept.sum()
        if n < 4:
            return False
        theirs, mine = np.empty((n, 2)), np.empty((n, 2))
        row = 0
        for k in range(len(pairs)):
            if kept[k]:
                theirs[row], mine[row] = their_places[pairs[k, 1], :2], places[pairs[k, 0], :2]
                row += 1
        if affine and not _affine(theirs, mine, map_):
            return False
        if not affine:
            _similar(theirs, mine, map_)
        for k in range(len(pairs)):
            x, y = their_places[pairs[k, 1], 0], their_places[pairs[k, 1], 1]
            off[k] = max(
                abs(map_[0, 0] * x + map_[0, 1] * y + map_[0, 2] - places[pairs[k, 0], 0]),
                abs(map_[1, 0] * x + map_[1, 1] * y + map_[1, 2] - places[pairs[k, 0], 1]),
            )
        before, kept = kept, off < max(radius / 2, 2 * np.median(off[kept]))
        if (kept == before).all():
            break  # it would be the same map again
    a, b, c, d = map_[0, 0], map_[0, 1], map_[1, 0], map_[1, 1]
    return 0.1 < a < 6 and 0.1 < d < 6 and abs(b) < ASKEW * a and abs(c) < ASKEW * d and 1 / SQUEEZED < a / d < SQUEEZED


@njit(cache=True, nogil=True)
def _similar(theirs, mine, map_):  # type: ignore[no-untyped-def]
    """Fit scale, rotation and shift by least squares (Umeyama, 1991)."""
    n, x, y, u, v = len(theirs), 0.0, 0.0, 0.0, 0.0
    for k in range(n):
        x, y, u, v = x + theirs[k, 0] / n, y + theirs[k, 1] / n, u + mine[k, 0] / n, v + mine[k, 1] / n
    along, across, spread = 0.0, 0.0, 1e-12
    for k in range(n):
        dx, dy, du, dv = theirs[k, 0] - x, theirs[k, 1] - y, mine[k, 0] - u, mine[k, 1] - v
        along, across, spread = along + dx * du + dy * dv, across + dx * dv - dy * du, spread + dx * dx + dy * dy
    a, b = along / spread, across / spread
    map_[0, 0], map_[0, 1], map_[0, 2] = a, -b, u - a * x + b * y
    map_[1, 0], map_[1, 1], map_[1, 2] = b, a, v - b * x - a * y


@njit(cache=True, nogil=True)
def _affine(theirs, mine, map_):  # type: ignore[no-untyped-def]
    """Fit an affine map by least squares; say whether it can be: not if all landmarks lie on a line."""
    n, x, y, u, v = len(theirs), 0.0, 0.0, 0.0, 0.0
    for k in range(n):
        x, y, u, v = x + theirs[k, 0] / n, y + theirs[k, 1] / n, u + mine[k, 0] / n, v + mine[k, 1] / n
    xx, xy, yy, xu, yu, xv, yv = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(n):
        dx, dy, du, dv = theirs[k, 0] - x, theirs[k, 1] - y, mine[k, 0] - u, mine[k, 1] - v
        xx, xy, yy = xx + dx * dx, xy + dx * dy, yy + dy * dy
        xu, yu, xv, yv = xu + dx * du, yu + dy * du, xv + dx * dv, yv + dy * dv
    area = xx * yy - xy * xy
    if area <= ON_A_LINE * (xx + yy) ** 2:
        return False
    map_[0, 0], map_[0, 1] = (xu * yy - yu * xy) / area, (yu * xx - xu * xy) / area
    map_[1, 0], map_[1, 1] = (xv * yy - yv * xy) / area, (yv * xx - xv * xy) / area
    map_[0, 2], map_[1, 2] = u - map_[0, 0] * x - map_[0, 1] * y, v - map_[1, 0] * x - map_[1, 1] * y
    return True
