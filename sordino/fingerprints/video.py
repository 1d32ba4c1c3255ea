"""
Pictures to landmarks: corners, each with a word of 63 bits that says how its surroundings look.

A word is the signs of the low frequencies of a square patch, as PDQ's hash is of a whole picture (Facebook, "The
TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm", 2019). The DCT makes them nearly independent, so
words spread evenly over an index, and its smallest coefficients tell which signs a copy may have otherwise. In a
mirror, the odd horizontal frequencies change their signs: mirrored pictures need no words of their own.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.corners import MARGIN, corners
from sordino.fingerprints.model import VideoPrint, VideoQuery
from sordino.fingerprints.params import VideoParams

STEP = 1.25  # from one level of the pyramid to the next
DEEPEST = 6  # times the last level is smaller than the first
CELL = 3  # pixels of a level that are one sample of a patch ...
CELLS = 11  # ... of so many a side: an odd number, so that a mirror has the very same ones ...
PATCH = CELLS * CELL
FREQUENCIES = 8  # ... of which so many frequencies are taken
UNSURE_BITS = 26  # the lowest: those that an index looks words up by, at most
COARSE = (40, 24)  # cells, across and down, by whose means pictures are compared: ...
SAME = 4  # ... where none differs by so many grey levels, the picture has not changed ...
STILL_S = 10.0  # ... but is described again after so long: a vote then is not far off
FLAT = 3  # grey levels within a pixel's reach: a surface drawn, or black
BARE = 0.85  # of a picture that is flat: colour bars, a slate, a title; of films, night and drawings alone
CARD_S = 1.5  # such a picture that stands so long shows nobody's work: it is not described
CROWDS = (1.5, 1.0)  # no cell of a reference's grid, or of a query's, has more landmarks than so many times its share


def _zigzag() -> NDArray[np.int64]:
    """Return the places of the 63 frequencies but the mean in a flattened square, the lowest first."""
    places = [(v, u) for v in range(FREQUENCIES) for u in range(FREQUENCIES) if v or u]
    return np.array([v * FREQUENCIES + u for v, u in sorted(places, key=lambda p: (p[0] ** 2 + p[1] ** 2, p))])


ZIGZAG = _zigzag()
N_BITS = len(ZIGZAG)
MIRRORED = np.uint64(sum(1 << k for k, place in enumerate(ZIGZAG) if place % FREQUENCIES % 2))  # bits that change


class Describer:
    """
    Describes frames as they come, so that they need not be in memory together.

    `finer`: as a query, in which what was copied may be a small part of the picture, and `hot`: a very small one. Of
    larger pictures than `side` pixels no more is seen.
    """

    def __init__(self, params: VideoParams | None = None, *, finer: bool, hot: bool = False) -> None:
        p = self._params = params or VideoParams()
        self._finer = finer
        self.side = p.reference_side if not finer else p.hot_side if hot else p.query_side
        self._crowd = CROWDS[finer]
        self._last: NDArray[np.int16] | None = None  # what of the last picture others are compared with
        self._heights: list[float] = []
        self._times_s: list[float] = []
        self._until_s: list[float] = []
        self._shots: list[int] = []  # which picture it shows: one that stands for long is described again and again
        self._bare: list[bool] = []
        self._counts: list[int] = []
        self._places: list[NDArray[np.float32]] = [np.empty((0, 3), np.float32)]
        self._words: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
        self._unsure: list[NDArray[np.uint8]] = [np.empty((0, 4), np.uint8)]

    def add(self, time_s: float, frame: NDArray[np.uint8]) -> None:
        """
        Describe a luminance picture uint8[height, width] of any size, shown from `time_s` on.

        Raises ValueError for a time that is not finite or before the last one, and for frames that are other arrays.
        """
        if not math.isfinite(time_s) or (self._until_s and time_s < self._until_s[-1]):
            raise ValueError("frame times must be finite and ascending")
        picture = _reduced(frame, self.side)
        coarse = _resized_to(picture, *COARSE).astype(np.int16)
        stands = self._last is not None and np.abs(coarse - self._last).max() < SAME
        if stands and time_s < self._times_s[-1] + STILL_S:
            self._until_s[-1] = time_s
            return
        self._last = coarse
        places, patches = landmarks(picture, *self._fineness(max(picture.shape)), self._crowd)
        spectrum = _spectrum(patches)
        self._heights.append(picture.shape[0] / picture.shape[1])
        self._times_s.append(time_s)
        self._until_s.append(time_s)
        self._shots.append(self._shots[-1] if stands else len(self._shots))
        self._bare.append(not self._finer and _bare(picture))
        self._counts.append(len(places))
        self._places.append(places)
        self._words.append(_words(spectrum))
        self._unsure.append(np.argsort(np.abs(spectrum[:, :UNSURE_BITS]), axis=1)[:, :4].astype(np.uint8))

    def _fineness(self, side: int) -> tuple[int, float]:
        """Return how many landmarks a picture of this side has, and down to which level: more where it is larger."""
        p = self._params
        if not self._finer:
            return p.reference_landmarks, DEEPEST
        larger = max(0.0, (side - p.query_side) / (p.hot_side - p.query_side))
        n = p.query_landmarks + larger * (p.hot_landmarks - p.query_landmarks)
        return round(n), DEEPEST * max(1.0, side / p.query_side)

    def query(self, duration_s: float) -> VideoQuery:
        """Return what was described, of a video that lasts so long."""
        return VideoQuery(self._print(duration_s, np.array(self._counts, np.int64)), np.concatenate(self._unsure))

    def reference(self, duration_s: float) -> VideoPrint:
        """Return what was described, of a video that lasts so long; of test cards and slates nothing."""
        begins_s = dict(zip(reversed(self._shots), reversed(self._times_s), strict=True))
        ends_s = dict(zip(self._shots, self._until_s, strict=True))
        stands = np.array([ends_s[shot] - begins_s[shot] >= CARD_S for shot in self._shots], np.bool_)
        return self._print(
            duration_s, np.where(stands & np.array(self._bare, np.bool_), 0, np.array(self._counts, np.int64))
        )

    def _print(self, duration_s: float, kept: NDArray[np.int64]) -> VideoPrint:
        """Return a print that has `kept` landmarks of each frame: all of them, or none."""
        rows = np.repeat(kept > 0, np.array(self._counts, np.int64))
        return VideoPrint(
            self._params,
            float(duration_s),
            float(np.median(self._heights)) if self._heights else 1.0,
            np.array(self._times_s, np.float64),
            np.array(self._until_s, np.float64),
            np.concatenate([[0], np.cumsum(kept)]).astype(np.int64),
            np.concatenate(self._places)[rows],
            np.concatenate(self._words)[rows],
        )


def _bare(picture: NDArray[np.uint8]) -> bool:
    """Tell whether hardly anything of a picture is neither flat nor an edge between what is flat."""
    around = np.ones((3, 3), np.uint8)
    calm = cv2.medianBlur(picture, 5)  # without what a camera or an encoder adds
    return bool((cv2.subtract(cv2.dilate(calm, around), cv2.erode(calm, around)) <= FLAT).mean() >= BARE)


def reference_print(
    times_s: NDArray[np.float64],
    frames: Iterable[NDArray[np.uint8]],
    duration_s: float,
    params: VideoParams | None = None,
) -> VideoPrint:
    """Describe the frames of a reference, as `Describer` does; `times_s` float64[n] for n frames."""
    describer = Describer(params, finer=False)
    _add_all(describer, times_s, frames)
    return describer.reference(duration_s)


def query_print(
    times_s: NDArray[np.float64],
    frames: Iterable[NDArray[np.uint8]],
    duration_s: float,
    params: VideoParams | None = None,
) -> VideoQuery:
    """Describe the frames of a query, as `Describer` does; `times_s` float64[n] for n frames."""
    describer = Describer(params, finer=True)
    _add_all(describer, times_s, frames)
    return describer.query(duration_s)


def coarser(query: VideoQuery, side: int) -> VideoQuery:
    """Return a query without what only pictures of more than `side` pixels show."""
    p = query.landmarks
    kept = p.places[:, 2] >= (1 - 1e-3) * max(1.0, p.height) / side
    starts = np.concatenate([[0], np.cumsum(kept)])[p.starts]
    return VideoQuery(replace(p, starts=starts, places=p.places[kept], words=p.words[kept]), query.unsure[kept])


def _add_all(describer: Describer, times_s: NDArray[np.float64], frames: Iterable[NDArray[np.uint8]]) -> None:
    for time_s, frame in zip(times_s, frames, strict=True):
        describer.add(float(time_s), frame)


def _reduced(frame: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Make the longer side at most `side` pixels."""
    if frame.dtype != np.uint8 or frame.ndim != 2 or frame.size == 0:
        raise ValueError(f"a frame must be uint8[height, width], not {frame.dtype}{list(frame.shape)}")
    scale = side / max(frame.shape)
    return frame if scale >= 1 else _resized(frame, scale, cv2.INTER_AREA)


def _resized(picture: NDArray[np.uint8], scale: float, how: int) -> NDArray[np.uint8]:
    height, width = (max(1, round(n * scale)) for n in picture.shape)
    return _resized_to(picture, width, height, how)


def _resized_to(picture: NDArray[np.uint8], width: int, height: int, how: int = cv2.INTER_AREA) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), dtype=np.uint8)


def landmarks(
    picture: NDArray[np.uint8], n: int, deepest: float, crowd: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Find at most `n` corners of a picture, at several scales and spread over it.

    Returns their places float32[k, 3] (x, y and the size of a pixel of their level, all in widths of the picture) and
    the patches around them, float32[k, CELLS, CELLS].
    """
    levels = list(_levels(picture, deepest))
    shares = np.array([STEP**-k for k in range(len(levels))])
    places, patches = [np.empty((0, 3), np.float32)], [np.empty((0, CELLS, CELLS), np.float32)]
    for level, share in zip(levels, (n * shares / shares.sum()).astype(int), strict=True):
        at = corners(level, share, crowd)
        size = 1 / level.shape[1]
        places.append(np.column_stack([at * size, np.full(len(at), size)]).astype(np.float32))
        patches.append(_patches(level, at))
    return np.concatenate(places), np.concatenate(patches)


def _levels(picture: NDArray[np.uint8], deepest: float) -> Iterable[NDArray[np.uint8]]:
    """Yield the picture, smaller and smaller, while a patch fits into it."""
    level = picture
    while min(level.shape) >= PATCH and max(picture.shape) <= deepest * max(level.shape):
        yield level
        level = _resized(level, 1 / STEP, cv2.INTER_LINEAR)  # the step is small; the mean over areas takes long


def _patches(level: NDArray[np.uint8], at: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means of the cells of the patch around each corner; beyond the edge, the edge goes on."""
    over = PATCH // 2 + 1 - MARGIN
    return np.asarray(_means(cv2.copyMakeBorder(level, over, over, over, over, cv2.BORDER_REPLICATE), at, over))


@njit(cache=True, nogil=True)
def _means(wider, at, over):  # type: ignore[no-untyped-def]
    """Return the means of the cells, float32[k, CELLS, CELLS], in a picture that is wider by so much on each side."""
    means, sums = np.empty((len(at), CELLS, CELLS), np.float32), np.empty(PATCH, np.int32)
    for i in range(len(at)):
        left, top = int(at[i, 0]) - PATCH // 2 + over, int(at[i, 1]) - PATCH // 2 + over
        for row in range(CELLS):
            y = top + CELL * row
            a, b, c = wider[y, left:], wider[y + 1, left:], wider[y + 2, left:]
            for x in range(PATCH):
                sums[x] = a[x] + b[x] + c[x]
            for column in range(CELLS):
                x = CELL * column
                means[i, row, column] = (sums[x] + sums[x + 1] + sums[x + 2]) / CELL**2
    return means


@lru_cache(maxsize=1)
def _cosines() -> NDArray[np.float32]:
    """Return the DCT-II's cosines: float32[FREQUENCIES, CELLS]."""
    frequency, place = np.mgrid[0:FREQUENCIES, 0:CELLS]
    return np.asarray(np.cos(np.pi * frequency * (place + 0.5) / CELLS), dtype=np.float32)


def _spectrum(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the low frequencies of each patch but the mean, the lowest first: float32[k, N_BITS]."""
    square = _cosines() @ patches @ _cosines().T
    return np.asarray(square.reshape(len(patches), FREQUENCIES**2)[:, ZIGZAG], dtype=np.float32)


def _words(spectrum: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return the signs as bits, the lowest frequency's the lowest: uint64[k]."""
    bits = np.uint64(1) << np.arange(N_BITS, dtype=np.uint64)
    return np.asarray((spectrum > 0) @ bits, dtype=np.uint64)
