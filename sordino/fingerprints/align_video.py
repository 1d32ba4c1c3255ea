"""
Pictures of a query to alignments: which stretch of it is which stretch of a reference, and where in the picture.

A few frames of each window propose and are compared; only references of which one is seen are compared with all frames.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints import chain_video
from sordino.fingerprints.chain_video import Hits, Limits, Line
from sordino.fingerprints.index_video import GAP_S, VideoIndex
from sordino.fingerprints.model import Region, Span, VideoPrint, VideoQuery
from sordino.fingerprints.propose_video import Look, looks, propose
from sordino.fingerprints.retime_video import retimed
from sordino.fingerprints.verify_video import Views, distinct, joined, verify, verify_as_mapped
from sordino.fingerprints.video import STILL_S

WINDOW_S = 10.0
HOP_S = 5.0
GLIMPSES = 12  # frames of a window that propose, and are compared first
CANDIDATES = 20  # of a window that are compared ...
OF_ONE = 4  # ... of one reference
AGREEING = 4  # pairs of landmarks that a candidate has
AROUND_S = 2.0  # of the reference to each side, with which a frame is compared
FOUND = 6  # landmarks of a view, where they span so much of a picture: few of unrelated pictures are
EXPECTED = 5  # and of one where a line is already known
BESIDE_S = 1.5  # that line
NEAR_S = 0.5  # a view so far from a line speaks for it no more
OWN_SPEED = 1.08  # times as much another speed has to explain
SPREAD = 0.08  # of the reference's or of the query's picture: a logo is smaller in both
SMALL = 0.06  # and what spans less in the middle one of the frames proves less
CLEAR = 8.0  # evidence of a frame that is seen as well as it ever is ...
SHARP = 4.0  # ... and less by this power of how well others are
MAPPED = 3  # landmarks of a view where the map is known, too ...
MAPPED_SPREAD = 0.02  # ... that span so much: an emblem in a corner spans less
STILL = 0.6  # of what is seen is seen some seconds off: the camera stands still, so ...
MINUTE_S = 60.0  # ... it is looked so far to each side ...
MANY = 400  # views of a long query that are compared with each other ...
MANY_MOMENTS = 120  # ... and moments of it by which lines are
FITS = 0.8  # of what two pieces show is shown by one line and map: they are one
CLEARLY = 1.03  # ... whether as much more is seen there
MODES = 4  # maps that are tried
ASTRAY = 0.04  # widths of the copy, by which maps of one copy differ
AGREES = 0.3
STEP_S = 0.5  # a picture that stays is looked for so often
MAX_LOG10_FALSE_POSITIVE = -3.0
CONTINUED = 2.0  # decades that going on where the stream's last segment had it is worth, ...
CONTINUES_S = 1.5  # ... if the reference's time is as near to that
CHANCE = (6.0, 3.0)  # distinct landmarks that one in one, and for each decade fewer, unrelated queries reach
LEAST_LOG10 = -12.0  # what was counted does not reach so far; beyond, nothing is claimed
MOVING = 1.3  # times what one frame shows is shown by all of them; else it is a still picture, ...
STILL_LOG10 = -3.5  # ... which is told, and no surer: a slate or a test card has nothing to do with chance
SEARCHED_HOURS = 2.0  # of references, when this was fitted
LIMITS = Limits()

Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True, slots=True)
class VideoAlignment:
    """
    A verified finding: as `model.Match`, with the number of the index and the reference's ordinal in it.

    `score`: landmarks that were found, what is alike counted once.
    """

    number: int
    ordinal: int
    query: Span
    reference: Span
    speed: float
    mirrored: bool
    region: Region
    score: float
    log10_false_positive: float


@dataclass(frozen=True, slots=True)
class Expected:
    """Where a reference is likely to be in this query: the last segment of its stream had it on this line."""

    number: int
    ordinal: int
    mirrored: bool
    line: Line
    region: Region


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A reference of an index whose second `second` of the axis may be where a window begins, in this pose."""

    number: int
    ordinal: int
    mirrored: bool
    second: int
    pose: NDArray[np.float64]


def find(query: VideoQuery, indexes: Sequence[VideoIndex], expected: Sequence[Expected] = ()) -> list[VideoAlignment]:
    """
    Find what the query shows of the references in some indexes, the surest first.

    What is `expected` is looked for where it should be, and less evidence is enough.
    """
    both = looks(query)
    hours = sum(float(index.durations_s.sum()) for index in indexes) / 3600
    seen: dict[tuple[int, int, bool], list[Views]] = {}
    for start_s, frames in _windows(query.landmarks):
        likely = [_likely(e, query.landmarks.height, start_s, indexes[e.number]) for e in expected]
        for c in [*likely, *_candidates(both, frames, start_s, indexes)]:
            views = _seen(both[c.mirrored], frames, start_s, c, indexes[c.number])
            if len(views.found):
                seen.setdefault((c.number, c.ordinal, c.mirrored), []).append(views)
    found: list[VideoAlignment] = []
    for (number, ordinal, mirrored), several in seen.items():
        lines = [e.line for e in expected if (e.number, e.ordinal, e.mirrored) == (number, ordinal, mirrored)]
        found += _aligned(number, ordinal, both[mirrored], indexes[number], _best(joined(several)), hours, lines)
    return sorted(found, key=lambda a: (a.log10_false_positive, -a.score))


def clearest_glimpse(query: VideoQuery, indexes: Sequence[VideoIndex]) -> float:
    """Return how many landmarks a few frames show of any reference, in the clearest view of one; 0 for none."""
    both, most = looks(query), 0.0
    for start_s, frames in _windows(query.landmarks):
        for c in _candidates(both, frames, start_s, indexes):
            views = _glimpses(both[c.mirrored], frames, start_s, c, indexes[c.number])
            most = max(most, float(_clearness(views).max(initial=0.0)))
    return most


def _likely(e: Expected, height: float, start_s: float, index: VideoIndex) -> _Candidate:
    """Return where what is expected is in a window, if all of its picture is in the query's."""
    x = 1 - e.region.x - e.region.w if e.mirrored else e.region.x
    pose = np.array([e.region.w, x, e.region.y * height])
    second = int(index.bases[e.ordinal]) + round(e.line.at(start_s))
    return _Candidate(e.number, e.ordinal, e.mirrored, second, pose)


def _windows(p: VideoPrint) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """Yield overlapping windows: when each begins, and the frames that are shown in it."""
    has_any = np.diff(p.starts) > 0
    if not has_any.any():
        return
    last_s = float(p.until_s[has_any][-1])
    for start_s in np.arange(0.0, max(HOP_S, last_s - HOP_S + 1e-9), HOP_S):
        frames = np.flatnonzero(has_any & (p.until_s >= start_s) & (p.times_s < start_s + WINDOW_S))
        if len(frames):
            yield float(start_s), frames


def _some(things: NDArray[Number], n: int) -> NDArray[Number]:
    """Return at most so many, evenly."""
    return things[np.unique(np.linspace(0, len(things) - 1, n).astype(np.int64))]


def _candidates(
    both: tuple[Look, Look], frames: NDArray[np.int64], start_s: float, indexes: Sequence[VideoIndex]
) -> Iterator[_Candidate]:
    """Yield the candidates with the most pairs that agree, a few places of each reference."""
    ranked = []
    for number, index in enumerate(indexes):
        for look in both:
            proposed = propose(index, look, _some(frames, GLIMPSES), start_s)
            ranked += [
                (int(n), number, look.mirrored, int(second), pose)
                for n, second, pose in zip(proposed.agreeing, proposed.seconds, proposed.poses, strict=True)
                if n >= AGREEING
            ]
    taken: list[_Candidate] = []
    for _, number, mirrored, second, pose in sorted(ranked, key=lambda c: -c[0]):
        ordinal = int(np.searchsorted(indexes[number].bases, second + GAP_S // 2, side="right")) - 1
        same = [c for c in taken if (c.number, c.ordinal) == (number, ordinal)]
        if len(same) < OF_ONE and all(c.mirrored != mirrored or abs(c.second - second) > AROUND_S for c in same):
            taken.append(_Candidate(number, ordinal, mirrored, second, pose))
            yield taken[-1]
        if len(taken) == CANDIDATES:
            return


def _seen(look: Look, frames: NDArray[np.int64], start_s: float, c: _Candidate, index: VideoIndex) -> Views:
    """Compare a window's frames with a candidate's: some first and, if one of those is seen, all beside it."""
    glimpses = _glimpses(look, frames, start_s, c, index)
    if not len(glimpses.found):
        return glimpses
    near = _nearest(look.query.landmarks, frames, glimpses)
    here, there = glimpses.frames[near].T
    line = Line(index.times_s[there] - look.query.landmarks.times_s[here], 1.0)
    views = _compared(look, index, c.ordinal, frames, line, _poses(glimpses.maps[near]), BESIDE_S)
    return views.at(_clear(views, FOUND))


def _glimpses(look: Look, frames: NDArray[np.int64], start_s: float, c: _Candidate, index: VideoIndex) -> Views:
    """Compare some of a window's frames with a candidate's, and return what is seen."""
    some = _some(frames, GLIMPSES // 2)
    offsets_s = np.full(len(some), c.second - int(index.bases[c.ordinal]) - start_s)
    views = _compared(look, index, c.ordinal, some, Line(offsets_s, 1.0), np.tile(c.pose, (len(some), 1)), AROUND_S)
    return views.at(_clear(views, FOUND))


def _nearest(p: VideoPrint, frames: NDArray[np.int64], seen: Views) -> NDArray[np.int64]:
    """Return for each frame the view nearest in time, and among those the one that shows most."""
    apart_s = np.abs(p.times_s[seen.frames[:, 0]] - p.times_s[frames][:, None])
    return np.asarray(np.argmin(apart_s - 1e-3 * seen.found, axis=1))


def _poses(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([maps[:, 0, 0], maps[:, 0, 2], maps[:, 1, 2]], axis=1)


def _compared(
    look: Look,
    index: VideoIndex,
    ordinal: int,
    frames: NDArray[np.int64],
    line: Line,
    poses: NDArray[np.float64],
    around_s: float,
) -> Views:
    """Compare frames, each in its pose, with those of the reference that are shown when they should be."""
    pairs, of = _beside_line(look, index, ordinal, frames, line, around_s)
    return verify(index, look, pairs, poses[of])


def _beside_line(
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


def _clear(views: Views, least: int) -> NDArray[np.bool_]:
    """Tell which views are of the reference's picture, and not of something small that both show."""
    return _clearness(views) >= least


def _clearness(views: Views) -> NDArray[np.float64]:
    return np.asarray(views.found * np.minimum(1.0, views.spread / SPREAD))


def _best(views: Views) -> Views:
    """Return of each pair of frames the best view, in order of the query's time."""
    order = np.lexsort((-views.found, views.frames[:, 1], views.frames[:, 0]))
    ordered = views.frames[order]
    return views.at(order[np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])])


def _aligned(
    number: int, ordinal: int, look: Look, index: VideoIndex, seen: Views, hours: float, expected: Sequence[Line]
) -> list[VideoAlignment]:
    """Return the lines through what was seen, beginning with the most; each frame of the query is explained once."""
    p, height = look.query.landmarks, float(index.heights[ordinal])
    free, pieces = np.arange(len(p.times_s)), list[tuple[Line, Views]]()

    def told(line: Line, mine: Views) -> VideoAlignment:
        return _continued(_alignment(number, ordinal, look, index, line, mine, hours), line, expected)

    while len(seen.found):
        hits, of = _hits(look, index, seen)
        chain = chain_video.best_chain(hits, LIMITS)[1]
        if len(np.unique(chain.query_s)) < 2:
            break
        line = chain_video.consensus(chain, LIMITS)
        mine = seen.at(np.unique(of[_beside(hits, line)]))
        for _ in range(2):
            mine = _looked_for(ordinal, look, index, free, line, mine)
            if not len(mine.found):
                break
            line = _line(_hits(look, index, mine, _agreement(mine, height)[1])[0], line)
        else:
            line, mine = _as_mapped(ordinal, look, index, free, line, mine)
            if (better := _elsewhere(ordinal, look, index, line, mine)) != line:
                line, mine = _as_mapped(ordinal, look, index, free, better, mine)
        if len(mine.found):
            exact = retimed(look, index, ordinal, line, np.unique(mine.frames[:, 0]), _map(mine, height))
            line, mine = _joined(ordinal, look, index, (exact, mine), pieces)
            found = told(line, mine)
            if found.log10_false_positive <= MAX_LOG10_FALSE_POSITIVE:
                pieces.append((line, mine))
                free = free[(p.until_s[free] < found.query.start_s) | (p.times_s[free] > found.query.end_s)]
        left = np.isin(seen.frames[:, 0], free)
        left[of[_beside(hits, line)]] = False
        left[of[0]] = False  # so that it ends
        seen = seen.at(left)
    return [told(line, mine) for line, mine in pieces]


def _continued(found: VideoAlignment, line: Line, expected: Sequence[Line]) -> VideoAlignment:
    """Return the finding as surer by what is known, if it goes on where it was expected."""
    middle_s = (found.query.start_s + found.query.end_s) / 2
    if all(abs(line.at(middle_s) - e.at(middle_s)) > CONTINUES_S for e in expected):
        return found
    log10 = max(LEAST_LOG10, found.log10_false_positive - CONTINUED)
    return replace(found, log10_false_positive=min(found.log10_false_positive, log10))


def _joined(
    ordinal: int, look: Look, index: VideoIndex, piece: tuple[Line, Views], pieces: list[tuple[Line, Views]]
) -> tuple[Line, Views]:
    """
    Return a piece together with one of the others, which is taken out, if the line and the map of either fit both.

    In a crop of a slow pan, a shot alone lies as well a second off, in another part of the picture; the next one tells.
    """
    for k, other in enumerate(pieces):
        frames = np.union1d(piece[1].frames[:, 0], other[1].frames[:, 0])
        for line, seen in (piece, other):
            pairs, _ = _beside_line(look, index, ordinal, frames, line, BESIDE_S)
            there = _mapped(look, index, pairs, _map(seen, float(index.heights[ordinal])))
            if _shows(there) >= FITS * (_shows(piece[1]) + _shows(other[1])):
                del pieces[k]
                return line, there
    return piece


def _mapped(look: Look, index: VideoIndex, pairs: NDArray[np.int64], map_: NDArray[np.float64]) -> Views:
    """Return what is seen with a map that is known, in a stretch without a gap."""
    views = verify_as_mapped(index, look, pairs, map_)
    return _longest_run(look, views.at((views.found >= MAPPED) & (views.spread >= MAPPED_SPREAD)))


def _agreement(seen: Views, their_height: float) -> tuple[list[int], NDArray[np.float64]]:
    """
    Return views of different maps that most agree with, and how well all agree with the first: float64[k], 0 to 1.

    A copy lies where it lies. Where the camera moves, frames at the wrong time look as much alike, but shifted; and
    what two films have in common alone, an emblem that flies past, has another map in each frame.
    """
    quarters = np.array([[x, y * their_height, 1.0] for x in (0.25, 0.75) for y in (0.25, 0.75)])
    placed = (seen.maps @ quarters.T).reshape(len(seen.maps), -1)
    size = np.sqrt(np.abs(np.linalg.det(seen.maps[:, :, :2])))
    some = _some(np.arange(len(placed)), MANY)

    def close(k: int) -> NDArray[np.float64]:
        return np.asarray(np.exp(-((np.abs(placed - placed[k]).max(axis=1) / (ASTRAY * size)) ** 2)))

    evidence = _evidence(seen)[some]
    together = np.array([close(k)[some] @ evidence for k in some])
    modes: list[int] = []
    while len(modes) < MODES and together.max() > 0:
        modes.append(int(some[together.argmax()]))
        together[close(modes[-1])[some] > AGREES] = 0.0
    return modes, close(modes[0])


def _map(seen: Views, their_height: float) -> NDArray[np.float64]:
    """Return the map that views agree with most, float64[2, 3]."""
    return np.asarray(seen.maps[_agreement(seen, their_height)[0][0]])


def _as_mapped(
    ordinal: int, look: Look, index: VideoIndex, frames: NDArray[np.int64], line: Line, seen: Views
) -> tuple[Line, Views]:
    """
    Look once more beside a line, at frames with the same map, and fit the line to what is seen so.

    That tells times more sharply, and finds frames of which little can be seen. Of the maps that views agree with, the
    one that shows most is the right one. Where the camera that recorded it moved, each shows less than half of what was
    seen, which then is left as it is.
    """
    most, best = _shows(seen) / 2, (line, seen)
    for mode in _agreement(seen, float(index.heights[ordinal]))[0]:
        pairs, _ = _beside_line(look, index, ordinal, frames, line, BESIDE_S)
        there = _mapped(look, index, pairs, seen.maps[mode])
        if _shows(there) > most:
            most, best = _shows(there), (_line(_hits(look, index, there)[0], line), there)
    return best


def _elsewhere(ordinal: int, look: Look, index: VideoIndex, line: Line, seen: Views) -> Line:
    """
    Return the line moved to where most is seen, at its own speed.

    Where a camera stands still, all seconds look alike but for what walks by: then those of a minute to each side are
    compared, with a few frames.
    """
    map_ = _map(seen, float(index.heights[ordinal]))
    frames = _some(np.unique(seen.frames[:, 0]), GLIMPSES)
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


def _shows(seen: Views) -> float:
    """Count the landmarks found in each frame of the query where most are."""
    return float(seen.found[_one_each(seen)].sum())


def _hits(
    look: Look, index: VideoIndex, seen: Views, weights: NDArray[np.float64] | None = None
) -> tuple[Hits, NDArray[np.int64]]:
    """Return when what was seen is shown here and there, by the query's time, and the view that each hit is of."""
    p, evidence = look.query.landmarks, _evidence(seen) * (1.0 if weights is None else weights)
    rows, mine_s, theirs_s = [], [], []
    for row, (frame, other) in enumerate(seen.frames):
        here = _steps(float(p.times_s[frame]), float(p.until_s[frame]))
        there = _steps(float(index.times_s[other]), float(index.until_s[other]))
        rows.append(np.full(len(here) * len(there), row))
        mine_s.append(np.repeat(here, len(there)))
        theirs_s.append(np.tile(there, len(here)))
    of, query_s, reference_s = np.concatenate(rows), np.concatenate(mine_s), np.concatenate(theirs_s)
    order = np.lexsort((reference_s, query_s))
    return Hits(query_s[order], reference_s[order], evidence[of[order]]), of[order]


def _steps(first_s: float, last_s: float) -> NDArray[np.float64]:
    return np.linspace(first_s, last_s, 1 + math.ceil((last_s - first_s) / STEP_S - 1e-6))


def _line(hits: Hits, about: Line) -> Line:
    """
    Return the line that most of what was seen lies beside, near another one.

    Where hardly anything moves, frames beside the right one look nearly as alike: its own speed is the rule for a copy,
    and another is believed where it explains clearly more.
    """
    hits = hits.at(np.isin(hits.query_s, _some(np.unique(hits.query_s), MANY_MOMENTS)))
    middle_s = float(np.mean(hits.query_s))
    speeds = np.concatenate([[1.0], about.speed * np.linspace(0.9, 1.1, 41)])[:, None, None]
    offsets_s = about.at(middle_s) + np.linspace(-BESIDE_S, BESIDE_S, 61)[None, :, None] - speeds * middle_s
    off_s = np.abs(offsets_s + speeds * hits.query_s - hits.reference_s)
    near = hits.evidence * np.maximum(0.0, 1 - off_s / NEAR_S)
    firsts = np.flatnonzero(np.diff(hits.query_s, prepend=-np.inf) > 0)
    explained = np.maximum.reduceat(near, firsts, axis=2).sum(axis=2)
    explained[0] *= OWN_SPEED
    speed, offset = np.unravel_index(int(np.argmax(explained)), explained.shape)
    return Line(float(offsets_s[speed, offset, 0]), float(speeds[speed, 0, 0]))


def _beside(hits: Hits, line: Line) -> NDArray[np.bool_]:
    return np.asarray(np.abs(hits.reference_s - line.at(hits.query_s)) <= 2 * LIMITS.tolerance_s)


def _looked_for(
    ordinal: int, look: Look, index: VideoIndex, frames: NDArray[np.int64], line: Line, seen: Views
) -> Views:
    """Compare frames beside a line, in the pose seen next to them, and keep the longest run of those that are seen."""
    near = _nearest(look.query.landmarks, frames, seen)
    views = _compared(look, index, ordinal, frames, line, _poses(seen.maps[near]), BESIDE_S)
    return _longest_run(look, views.at(_clear(views, EXPECTED)))


def _longest_run(look: Look, seen: Views) -> Views:
    """Return the views of a stretch of the query without a gap: of that which shows most."""
    if not len(seen.found):
        return seen
    p = look.query.landmarks
    gap_s = p.times_s[seen.frames[1:, 0]] - p.until_s[seen.frames[:-1, 0]]
    run = np.cumsum(np.concatenate([[False], gap_s > LIMITS.max_gap_s]))
    return seen.at(run == np.bincount(run, seen.found).argmax())


def _evidence(seen: Views) -> NDArray[np.float64]:
    """Weigh each view: a frame of the query counts alike everywhere, and most for the frame that shows most of it."""
    most = np.zeros(int(seen.frames[:, 0].max()) + 1)
    np.maximum.at(most, seen.frames[:, 0], seen.found)
    return np.asarray(CLEAR * (seen.found / most[seen.frames[:, 0]]) ** SHARP)


def _span(query: VideoPrint, seen: Views) -> Span:
    """Place the ends half way to the next frame that does not show it."""
    first, last = int(seen.frames[:, 0].min()), int(seen.frames[:, 0].max())
    start_s = (query.until_s[first - 1] + query.times_s[first]) / 2 if first else 0.0
    end_s = (query.until_s[last] + query.times_s[last + 1]) / 2 if last + 1 < len(query.times_s) else query.duration_s
    return Span(float(start_s), float(max(start_s, end_s)))


def _alignment(
    number: int, ordinal: int, look: Look, index: VideoIndex, line: Line, seen: Views, hours: float
) -> VideoAlignment:
    span = _span(look.query.landmarks, seen)
    mapped = Span(float(max(0.0, line.at(span.start_s))), float(max(0.0, line.at(span.end_s))))
    height = float(index.heights[ordinal])
    agreeing = seen.at(_agreement(seen, height)[1] > AGREES)
    best = agreeing.at(_one_each(agreeing))
    # Something small that moves is seen all over the picture in the end, but not in any frame.
    score = distinct(index, look, best) * min(1.0, float(np.median(best.spread)) / SMALL) ** 2
    log10, one = _log10_chance(score, hours), best.at(np.array([best.found.argmax()]))
    if score < MOVING * distinct(index, look, one):
        log10 = max(log10, STILL_LOG10)
    region = _region(look, agreeing, height)
    return VideoAlignment(number, ordinal, span, mapped, line.speed, look.mirrored, region, float(score), log10)


def _one_each(seen: Views) -> NDArray[np.int64]:
    """Return for each frame of the query the view that shows most of it."""
    order = np.lexsort((-seen.found, seen.frames[:, 0]))
    return order[np.unique(seen.frames[order, 0], return_index=True)[1]]


def _log10_chance(score: float, hours: float) -> float:
    """Return log10 of the chance that a query without the work has such a score: the more hours, the more."""
    at, decade = CHANCE
    more = max(0.0, math.log10(max(hours, 1e-9) / SEARCHED_HOURS))
    return min(0.0, max(LEAST_LOG10, -(score - at) / decade) + more)


def _region(look: Look, seen: Views, their_height: float) -> Region:
    """Return where the reference's picture lies in the query's: the middle of what the clearest views say."""
    clear = seen.found >= np.median(seen.found)
    height = look.query.landmarks.height
    corners = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]], np.float64)
    corners[:, 1] *= their_height
    placed = seen.maps[clear] @ corners.T  # [k, 2, 4]
    left, right = np.median(placed[:, 0].min(axis=1)), np.median(placed[:, 0].max(axis=1))
    top, bottom = np.median(placed[:, 1].min(axis=1)) / height, np.median(placed[:, 1].max(axis=1)) / height
    if look.mirrored:
        left, right = 1 - right, 1 - left
    left, right, top, bottom = (float(np.clip(v, 0, 1)) for v in (left, right, top, bottom))
    return Region(left, top, right - left, bottom - top)
