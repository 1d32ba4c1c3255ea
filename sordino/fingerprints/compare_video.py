"""Frames of a query against those of a reference beside a line: what is seen of it, and which views count."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.chain_video import Line
from sordino.fingerprints.index_video import VideoIndex
from sordino.fingerprints.model import VideoPrint
from sordino.fingerprints.propose_video import Look
from sordino.fingerprints.verify_video import Views, verify
from sordino.fingerprints.video import STILL_S

AROUND_S = 2.0  # of the reference to each side, with which a frame is compared
BESIDE_S = 1.5  # that line
SPREAD = 0.08  # of the reference's or of the query's picture: a logo is smaller in both
CLEAR = 8.0  # evidence of a frame that is seen as well as it ever is ...
SHARP = 4.0  # ... and less by this power of how well others are

Number = TypeVar("Number", np.int64, np.float64)


def some(things: NDArray[Number], n: int) -> NDArray[Number]:
    """Return at most so many, evenly."""
    return things[np.unique(np.linspace(0, len(things) - 1, n).astype(np.int64))]


def nearest(p: VideoPrint, frames: NDArray[np.int64], seen: Views) -> NDArray[np.int64]:
    """Return for each frame the view nearest in time, and among those the one that shows most."""
    apart_s = np.abs(p.times_s[seen.frames[:, 0]] - p.times_s[frames][:, None])
    return np.asarray(np.argmin(apart_s - 1e-3 * seen.found, axis=1))


def poses(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return maps float64[k, 2, 3] as poses float64[k, 3] (`propose_video.Candidates`)."""
    return np.stack([maps[:, 0, 0], maps[:, 0, 2], maps[:, 1, 2]], axis=1)


def compared(
    look: Look,
    index: VideoIndex,
    ordinal: int,
    frames: NDArray[np.int64],
    line: Line,
    poses: NDArray[np.float64],
    around_s: float,
) -> Views:
    """Compare frames, each in its pose, with those of the reference that are shown when they should be."""
    pairs, of = beside_line(look, index, ordinal, frames, line, around_s)
    return verify(index, look, pairs, poses[of])


def beside_line(
    look: Look, index: VideoIndex, ordinal: int, frames: NDArray[np.int64], line: Line, around_s: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair frames with those of the reference shown when they should be, int64[k, 2], and tell which frame each has."""
    p = look.query.landmarks
    others = [
        _shown(index, ordinal, from_s - around_s, until_s + around_s)
        for from_s, until_s in zip(line.at(p.times_s[frames]), line.at(p.until_s[frames]), strict=True)
    ]
    of = np.repeat(np.arange(len(frames)), [len(o) for o in others])
    return np.stack([frames[of], np.concatenate([np.empty(0, np.int64), *others])], axis=1), of


def _shown(index: VideoIndex, ordinal: int, from_s: float, until_s: float) -> NDArray[np.int64]:
    """Return the frames of a reference that are shown at some time of a stretch."""
    first, stop = int(index.frames[ordinal]), int(index.frames[ordinal + 1])
    low, high = np.searchsorted(index.times_s[first:stop], [from_s - STILL_S - 1, until_s])
    return np.asarray(first + low + np.flatnonzero(index.until_s[first + low : first + high] >= from_s))


def clear(views: Views, least: int) -> NDArray[np.bool_]:
    """Tell which views are of the reference's picture, and not of something small that both show."""
    return clearness(views) >= least


def clearness(views: Views) -> NDArray[np.float64]:
    """Count the landmarks of each view, those of something small for less."""
    return np.asarray(views.found * np.minimum(1.0, views.spread / SPREAD))


def best_of_each_pair(views: Views) -> Views:
    """Return of each pair of frames the best view, in order of the query's time."""
    order = np.lexsort((-views.found, views.frames[:, 1], views.frames[:, 0]))
    ordered = views.frames[order]
    return views.at(order[np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])])


def best_of_each_frame(seen: Views) -> NDArray[np.int64]:
    """Return for each frame of the query the view that shows most of it."""
    order = np.lexsort((-seen.found, seen.frames[:, 0]))
    return order[np.unique(seen.frames[order, 0], return_index=True)[1]]


def evidence(seen: Views) -> NDArray[np.float64]:
    """Weigh each view: a frame of the query counts alike everywhere, and most for the frame that shows most of it."""
    most = np.zeros(int(seen.frames[:, 0].max()) + 1)
    np.maximum.at(most, seen.frames[:, 0], seen.found)
    return np.asarray(CLEAR * (seen.found / most[seen.frames[:, 0]]) ** SHARP)
