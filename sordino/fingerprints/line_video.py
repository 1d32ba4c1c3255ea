"""What was seen of a reference to a line and a map that most of it agrees with: a copy lies where it lies."""

import math

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.chain_video import Hits, Limits, Line
from sordino.fingerprints.compare_video import (
    AROUND_S,
    BESIDE_S,
    beside_line,
    best_of_each_frame,
    clear,
    compared,
    evidence,
    nearest,
    poses,
    some,
)
from sordino.fingerprints.index_video import VideoIndex
from sordino.fingerprints.propose_video import Look
from sordino.fingerprints.verify_video import Views, verify_as_mapped

MOMENTS = 12  # of a minute to each side that are compared
EXPECTED = 5  # and of one where a line is already known
NEAR_S = 0.5  # a view so far from a line speaks for it no more
OWN_SPEED = 1.08  # times as much another speed has to explain
MAPPED = 3  # landmarks of a view where the map is known, too ...
MAPPED_SPREAD = 0.02  # ... that span so much: an emblem in a corner spans less
STILL = 0.6  # of what is seen is seen some seconds off: the camera stands still, so ...
MINUTE_S = 60.0  # ... it is looked so far to each side ...
MANY = 400  # views of a long query that are compared with each other ...
MANY_MOMENTS = 120  # ... and moments of it by which lines are
CLEARLY = 1.03  # ... whether as much more is seen there
MODES = 4  # maps that are tried
ASTRAY = 0.04  # widths of the copy, by which maps of one copy differ
AGREES = 0.3
STEP_S = 0.5  # a picture that stays is looked for so often
LIMITS = Limits()


def agreement(seen: Views, their_height: float) -> tuple[list[int], NDArray[np.float64]]:
    """
    Return views of different maps that most agree with, and how well all agree with the first: float64[k], 0 to 1.

    A copy lies where it lies. Where the camera moves, frames at the wrong time look as much alike, but shifted; and
    what two films have in common alone, an emblem that flies past, has another map in each frame.
    """
    quarters = np.array([[x, y * their_height, 1.0] for x in (0.25, 0.75) for y in (0.25, 0.75)])
    placed = (seen.maps @ quarters.T).reshape(len(seen.maps), -1)
    size = np.sqrt(np.abs(np.linalg.det(seen.maps[:, :, :2])))
    few = some(np.arange(len(placed)), MANY)

    def close(rows: NDArray[np.int64], to: NDArray[np.int64]) -> NDArray[np.float64]:
        apart = np.zeros((len(rows), len(to)))
        for along in placed.T:
            np.maximum(apart, np.abs(along[to] - along[rows, None]), out=apart)
        return np.asarray(np.exp(-((apart / (ASTRAY * size[to])) ** 2)))

    each = close(few, few)
    together = each @ evidence(seen)[few]
    modes: list[int] = []
    while len(modes) < MODES and together.max() > 0:
        modes.append(int(together.argmax()))
        together[each[modes[-1]] > AGREES] = 0.0
    return few[modes].tolist(), close(few[modes[:1]], np.arange(len(placed)))[0]


def common_map(seen: Views, their_height: float) -> NDArray[np.float64]:
    """Return the map that views agree with most, float64[2, 3]."""
    return np.asarray(seen.maps[agreement(seen, their_height)[0][0]])


def mapped(look: Look, index: VideoIndex, pairs: NDArray[np.int64], map_: NDArray[np.float64]) -> Views:
    """Return what is seen with a map that is known, in a stretch without a gap."""
    views = verify_as_mapped(index, look, pairs, map_)
    return _longest_run(look, views.at((views.found >= MAPPED) & (views.spread >= MAPPED_SPREAD)))


def as_mapped(
    ordinal: int, look: Look, index: VideoIndex, frames: NDArray[np.int64], line: Line, seen: Views
) -> tuple[Line, Views]:
    """
    Look once more beside a line, at frames with the same map, and fit the line to what is seen so.

    That tells times more sharply, and finds frames of which little can be seen. Of the maps that views agree with, the
    one that shows most is the right one. Where the camera that recorded it moved, each shows less than half of what was
    seen, which then is left as it is.
    """
    most, best = shows(seen) / 2, (line, seen)
    for mode in agreement(seen, float(index.heights[ordinal]))[0]:
        pairs, _ = beside_line(look, index, ordinal, frames, line, BESIDE_S)
        there = mapped(look, index, pairs, seen.maps[mode])
        if shows(there) > most:
            most, best = shows(there), (line_of(hits_of(look, index, there)[0], line), there)
    return best


def looked_for(
    ordinal: int, look: Look, index: VideoIndex, frames: NDArray[np.int64], line: Line, seen: Views
) -> Views:
    """Compare frames beside a line, in the pose seen next to them, and keep the longest run of those that are seen."""
    near = nearest(look.query.landmarks, frames, seen)
    views = compared(look, index, ordinal, frames, line, poses(seen.maps[near]), BESIDE_S)
    return _longest_run(look, views.at(clear(views, EXPECTED)))


def _longest_run(look: Look, seen: Views) -> Views:
    """Return the views of a stretch of the query without a gap: of that which shows most."""
    if not len(seen.found):
        return seen
    p = look.query.landmarks
    gap_s = p.times_s[seen.frames[1:, 0]] - p.until_s[seen.frames[:-1, 0]]
    run = np.cumsum(np.concatenate([[False], gap_s > LIMITS.max_gap_s]))
    return seen.at(run == np.bincount(run, seen.found).argmax())


def shows(seen: Views) -> float:
    """Count the landmarks found in each frame of the query where most are."""
    return float(seen.found[best_of_each_frame(seen)].sum())


def elsewhere(ordinal: int, look: Look, index: VideoIndex, line: Line, seen: Views) -> Line:
    """
    Return the line moved to where most is seen, at its own speed.

    Where a camera stands still, all seconds look alike but for what walks by: then those of a minute to each side are
    compared, with a few frames.
    """
    map_ = common_map(seen, float(index.heights[ordinal]))
    frames = some(np.unique(seen.frames[:, 0]), MOMENTS)
    times_s = look.query.landmarks.times_s[frames]
    middle_s = float(times_s.mean())
    straight = Line(line.at(middle_s) - middle_s, 1.0)
    here = slice(int(index.frames[ordinal]), int(index.frames[ordinal + 1]))

    def shown(about: Line, moves_s: NDArray[np.float64]) -> NDArray[np.float64]:
        at_s = about.at(times_s) + moves_s[:, None]
        others = here.start + np.searchsorted(index.until_s[here], at_s.ravel() - STEP_S / 2)
        pairs = np.stack([np.tile(frames, len(moves_s)), others.clip(here.start, here.stop - 1)], axis=1)
        found = verify_as_mapped(index, look, pairs, map_).found.reshape(at_s.shape)
        outside = (at_s < index.times_s[here.start] - STEP_S) | (at_s > index.until_s[here.stop - 1] + STEP_S)
        return np.asarray(np.where(outside, 0, found).sum(axis=1))

    aside, own, other = shown(line, np.array([-AROUND_S, 0.0, AROUND_S]))
    if max(aside, other) < STILL * own:
        return line
    moves_s = np.arange(-MINUTE_S, MINUTE_S + STEP_S, STEP_S)
    most = shown(straight, moves_s)
    enough = CLEARLY * own if line.speed == 1 else own / OWN_SPEED
    return Line(float(straight.offset_s + moves_s[most.argmax()]), 1.0) if most.max() > enough else line


def hits_of(
    look: Look, index: VideoIndex, seen: Views, weights: NDArray[np.float64] | None = None
) -> tuple[Hits, NDArray[np.int64]]:
    """Return when what was seen is shown here and there, by the query's time, and the view that each hit is of."""
    p, each = look.query.landmarks, evidence(seen) * (1.0 if weights is None else weights)
    rows, mine_s, theirs_s = [], [], []
    for row, (frame, other) in enumerate(seen.frames):
        here = _steps(float(p.times_s[frame]), float(p.until_s[frame]))
        there = _steps(float(index.times_s[other]), float(index.until_s[other]))
        rows.append(np.full(len(here) * len(there), row))
        mine_s.append(np.repeat(here, len(there)))
        theirs_s.append(np.tile(there, len(here)))
    of, query_s, reference_s = np.concatenate(rows), np.concatenate(mine_s), np.concatenate(theirs_s)
    order = np.lexsort((reference_s, query_s))
    return Hits(query_s[order], reference_s[order], each[of[order]]), of[order]


def _steps(first_s: float, last_s: float) -> NDArray[np.float64]:
    return np.linspace(first_s, last_s, 1 + math.ceil((last_s - first_s) / STEP_S - 1e-6))


def line_of(hits: Hits, about: Line) -> Line:
    """
    Return the line that most of what was seen lies beside, near another one.

    Where hardly anything moves, frames beside the right one look nearly as alike: its own speed is the rule for a copy,
    and another is believed where it explains clearly more.
    """
    hits = hits.at(np.isin(hits.query_s, some(np.unique(hits.query_s), MANY_MOMENTS)))
    middle_s = float(np.mean(hits.query_s))
    others = (about.speed * np.linspace(0.9, 1.1, 41)).clip(LIMITS.min_speed, LIMITS.max_speed)
    speeds = np.concatenate([[1.0], others])[:, None, None]
    offsets_s = about.at(middle_s) + np.linspace(-BESIDE_S, BESIDE_S, 61)[None, :, None] - speeds * middle_s
    off_s = np.abs(offsets_s + speeds * hits.query_s - hits.reference_s)
    near = hits.evidence * np.maximum(0.0, 1 - off_s / NEAR_S)
    firsts = np.flatnonzero(np.diff(hits.query_s, prepend=-np.inf) > 0)
    explained = np.maximum.reduceat(near, firsts, axis=2).sum(axis=2)
    explained[0] *= OWN_SPEED
    speed, offset = np.unravel_index(int(np.argmax(explained)), explained.shape)
    return Line(float(offsets_s[speed, offset, 0]), float(speeds[speed, 0, 0]))


def beside(hits: Hits, line: Line) -> NDArray[np.bool_]:
    """Tell which hits a line explains."""
    return np.asarray(np.abs(hits.reference_s - line.at(hits.query_s)) <= 2 * LIMITS.tolerance_s)
