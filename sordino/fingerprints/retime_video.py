"""
A line to its exact speed and offset: what moves tells the time between two frames.

References are described every half second only, and neighbouring frames look nearly as alike as the right ones. But a
corner that is here in one frame and there in the next is, in a frame of the other side, somewhere between; how far it
has got says when that frame is shown, to a few hundredths of a second.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from sordino.fingerprints.chain_video import Limits, Line
from sordino.fingerprints.hamming import ones
from sordino.fingerprints.index_video import VideoIndex
from sordino.fingerprints.propose_video import Look

FRAMES = 60  # of the query that are looked at, ...
PAIR_S = 1.1  # ... two by two, if so near in time ...
STILL_S = 0.6  # ... and not shown for longer
AROUND_S = 1.6  # of the line
ALIKE = 12  # bits of 63: the same corner a moment later, ...
CLEARLY = 3  # ... and so many fewer than the next best
REACH = 0.2  # widths a second that it moves at most ...
MOVES = 0.006  # ... and that it moves at least, to tell a time
ASIDE = 0.012  # widths beside its way
UNSURE = 0.003  # widths: where a corner is found
UNSURE_S = 0.04  # what it tells is no better than that: things do not move straight
SAME_SIZE = (1.3, 1.5)  # of the two frames, and of the third
BEYOND = 0.25  # of the way between them
LEAST = (30, 5)  # moments, and frames that they are of: fewer tell no speed
SPEEDS = np.linspace(0.75, 1.35, 121)  # times the line's
STEP_S, SMOOTH_S, MOST_S = 0.025, 0.08, 0.7
TOGETHER = 0.6  # of what the line would explain, were it free to go anywhere in each frame; else they tell nothing
CLEARER = (1.08, 1.0)  # times, and by how much, another speed explains more than a copy's own does


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """Landmarks in the reference's coordinates, float64[k, 3], from left to right, and when they are shown."""

    words: NDArray[np.uint64]
    places: NDArray[np.float64]
    from_s: float
    until_s: float

    @property
    def middle_s(self) -> float:
        return (self.from_s + self.until_s) / 2

    @property
    def still(self) -> bool:
        return self.until_s - self.from_s > STILL_S


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Which frame of either side int64[n], the times of both there, and how sure that is: float64[n] each."""

    frame: NDArray[np.int64]
    query_s: NDArray[np.float64]
    reference_s: NDArray[np.float64]
    unsure_s: NDArray[np.float64]


def retimed(
    look: Look, index: VideoIndex, ordinal: int, line: Line, frames: NDArray[np.int64], map_: NDArray[np.float64]
) -> Line:
    """
    Return the line as what moves in some frames of the query tells it, or as it was where hardly anything does.

    `map_` float64[2, 3] from the reference's picture into the query's.
    """
    mine = [_of_query(look, int(k), map_) for k in _some(frames, FRAMES)]
    theirs = _of_reference(index, ordinal, line, mine)
    back = Line(-line.offset_s / line.speed, 1 / line.speed)
    rows = [(k, query_s, at_s, unsure_s * line.speed) for k, query_s, at_s, unsure_s in _told(mine, theirs, line)]
    rows += [(-1 - k, at_s, there_s, unsure_s) for k, there_s, at_s, unsure_s in _told(theirs, mine, back)]
    columns = np.array(rows, np.float64).reshape(-1, 4).T
    moments = _Moments(columns[0].astype(np.int64), columns[1], columns[2], np.maximum(UNSURE_S, columns[3]))
    if len(moments.frame) < LEAST[0] or len(np.unique(moments.frame)) < LEAST[1]:
        return line
    return _best_line(moments, line)


def _some(frames: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return at most so many, two by two."""
    if len(frames) <= n:
        return frames
    firsts = np.linspace(0, len(frames) - 2, n // 2).astype(np.int64)
    return np.asarray(frames[np.unique(np.concatenate([firsts, firsts + 1]))])


def _of_query(look: Look, k: int, map_: NDArray[np.float64]) -> _Frame:
    p = look.query.landmarks
    rows = slice(int(p.starts[k]), int(p.starts[k + 1]))
    back = np.linalg.inv(map_[:, :2])
    places = look.places[rows].astype(np.float64)
    places[:, :2] = (places[:, :2] - map_[:, 2]) @ back.T
    places[:, 2] *= math.sqrt(abs(np.linalg.det(back)))
    return _ordered(look.words[rows], places, float(p.times_s[k]), float(p.until_s[k]))


def _of_reference(index: VideoIndex, ordinal: int, line: Line, mine: Sequence[_Frame]) -> list[_Frame]:
    """Return the reference's frames that are shown about when any of the query's should be."""
    first, stop = int(index.frames[ordinal]), int(index.frames[ordinal + 1])
    at_s = np.array([line.at(f.middle_s) for f in mine])
    here = np.zeros(stop - first, np.bool_)
    for low, high in zip(
        np.searchsorted(index.until_s[first:stop], at_s - AROUND_S),
        np.searchsorted(index.times_s[first:stop], at_s + AROUND_S),
        strict=True,
    ):
        here[max(0, low - 1) : high + 1] = True
    frames = first + np.flatnonzero(here)
    rows = [slice(int(index.rows[j]), int(index.rows[j + 1])) for j in frames]
    return [
        _ordered(np.asarray(index.words[r]), index.places(r), float(index.times_s[j]), float(index.until_s[j]))
        for j, r in zip(frames, rows, strict=True)
    ]


def _ordered(words: NDArray[np.uint64], places: NDArray[np.float64], from_s: float, until_s: float) -> _Frame:
    order = np.argsort(places[:, 0], kind="stable")
    return _Frame(words[order], np.ascontiguousarray(places[order]), from_s, until_s)


def _told(pairs: Sequence[_Frame], others: Sequence[_Frame], line: Line) -> Iterator[tuple[int, float, float, float]]:
    """
    Yield what pairs of neighbouring frames tell of the others: which, its time among the pairs', its own, and how sure.

    `line` leads from the times of the pairs to those of the others.
    """
    middles_s = np.array([f.middle_s for f in others])
    for one, next_ in pairwise(pairs):
        step_s = next_.from_s - one.until_s
        if not 0 < step_s <= PAIR_S or one.still or next_.still:
            continue
        near = (middles_s > line.at(one.until_s) - AROUND_S) & (middles_s < line.at(next_.from_s) + AROUND_S)
        tracks = _tracks(one.words, one.places, next_.words, next_.places, REACH * step_s)
        if not len(tracks):
            continue
        for k in np.flatnonzero(near).tolist():
            if others[k].still:
                continue
            there = others[k].words, others[k].places
            for share, unsure in _shares(one.words, one.places, next_.words, next_.places, tracks, *there):
                yield k, one.until_s + share * step_s, float(middles_s[k]), unsure * step_s


def _best_line(moments: _Moments, line: Line) -> Line:
    """Return the line at the speed that explains clearly more than its own does, or at its speed; the best offset."""
    middle_s = float(moments.query_s.min() + moments.query_s.max()) / 2
    speeds = np.concatenate([[1.0, line.speed], (line.speed * SPEEDS).clip(Limits().min_speed, Limits().max_speed)])
    moves_s = np.arange(-MOST_S, MOST_S + STEP_S / 2, STEP_S)
    explained, freely = _explained(moments, speeds, line.at(middle_s), middle_s, moves_s)
    most = explained.max(axis=1)
    row = int(most.argmax())
    if most[row] < max(CLEARER[0] * most[0], CLEARER[1] + most[0]):
        row = int(most[1] > most[0])
    if most[row] < TOGETHER * freely[row]:
        return line
    speed = float(speeds[row])
    return Line(float(line.at(middle_s) + moves_s[explained[row].argmax()] - speed * middle_s), speed)


def _explained(
    moments: _Moments, speeds: NDArray[np.float64], level_s: float, middle_s: float, moves_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return how much lines of some speeds explain, each moved by `moves_s`, float64[len(speeds), len(moves_s)].

    And how much they would, were they free to go anywhere in each frame: float64[len(speeds)]. Of a frame it is the
    root of the moments there, so that one in which all moves as one does not outweigh the others.
    """
    frames, of = np.unique(moments.frame, return_inverse=True)
    told = np.empty((len(speeds), len(frames) * len(moves_s)))
    for k, speed in enumerate(speeds):
        off_s = moments.reference_s - level_s - speed * (moments.query_s - middle_s)
        at = np.rint((off_s - moves_s[0]) / STEP_S).astype(np.int64)
        kept = (at >= 0) & (at < len(moves_s))
        cells = of[kept] * len(moves_s) + at[kept]
        told[k] = np.bincount(cells, UNSURE_S / moments.unsure_s[kept], minlength=told.shape[1])
    each = told.reshape(len(speeds), len(frames), len(moves_s))
    each = np.sqrt(gaussian_filter1d(each, SMOOTH_S / STEP_S, mode="constant"))
    return each.sum(axis=1), each.max(axis=2).sum(axis=1)


@njit(cache=True, nogil=True)
def _tracks(words, places, next_words, next_places, reach):  # type: ignore[no-untyped-def]
    """Return the rows of landmarks that are most alike of all near each other, both ways, and move: int64[n, 2]."""
    tracks, n = np.empty((len(words), 2), np.int64), 0
    for a in range(len(words)):
        b = _most_alike(words[a], places[a], next_words, next_places, reach, CLEARLY)
        if b < 0 or np.hypot(next_places[b, 0] - places[a, 0], next_places[b, 1] - places[a, 1]) < MOVES:
            continue
        if _most_alike(next_words[b], next_places[b], words, places, reach, 1) == a:
            tracks[n, 0], tracks[n, 1] = a, b
            n += 1
    return tracks[:n]


@njit(cache=True, nogil=True)
def _most_alike(word, place, words, places, reach, clearly):  # type: ignore[no-untyped-def]
    best, least, second = -1, ALIKE + 1, 64
    for k in range(np.searchsorted(places[:, 0], place[0] - reach), len(words)):
        if places[k, 0] > place[0] + reach:
            break
        ratio = places[k, 2] / place[2]
        if abs(places[k, 1] - place[1]) < reach and 1 / SAME_SIZE[0] < ratio < SAME_SIZE[0]:
            bits = ones(word ^ words[k])
            if bits < least:
                best, least, second = k, bits, least
            elif bits < second:
                second = bits
    return best if second - least >= clearly else -1


@njit(cache=True, nogil=True)
def _shares(words, places, next_words, next_places, tracks, their_words, their_places):  # type: ignore[no-untyped-def]
    """Return how far on its way each track's landmark is in another frame, and how unsure that is: float64[n, 2]."""
    shares, n = np.empty((len(tracks), 2)), 0
    for a, b in tracks:
        x, y = places[a, 0], places[a, 1]
        dx, dy = next_places[b, 0] - x, next_places[b, 1] - y
        way = np.hypot(dx, dy)
        best, least = -1, ALIKE + 1
        for k in range(np.searchsorted(their_places[:, 0], min(x, x + dx) - ASIDE), len(their_words)):
            u, v = their_places[k, 0] - x, their_places[k, 1] - y
            if u > max(0.0, dx) + ASIDE:
                break
            ratio = their_places[k, 2] / places[a, 2]
            if min(0.0, dy) - ASIDE < v < max(0.0, dy) + ASIDE and 1 / SAME_SIZE[1] < ratio < SAME_SIZE[1]:
                bits = min(ones(their_words[k] ^ words[a]), ones(their_words[k] ^ next_words[b]))
                if bits < least and abs(u * dy - v * dx) < ASIDE * way:
                    best, least = k, bits
        if best >= 0:
            share = ((their_places[best, 0] - x) * dx + (their_places[best, 1] - y) * dy) / way**2
            if -BEYOND < share < 1 + BEYOND:
                shares[n, 0], shares[n, 1] = share, UNSURE / way
                n += 1
    return shares[:n]
