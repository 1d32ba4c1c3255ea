"""Which stretch of a query is which stretch of a reference, and where in the picture: views to verified alignments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints import chain_video
from sordino.fingerprints.chain_video import Hits, Limits, Line
from sordino.fingerprints.index_video import VideoIndex
from sordino.fingerprints.model import Region, Span, VideoPrint, VideoQuery
from sordino.fingerprints.propose_video import propose
from sordino.fingerprints.verify_video import Views, verify
from sordino.fingerprints.video import MIRRORED

WINDOW_S = 10.0
HOP_S = 5.0
CANDIDATES = 8  # of a window that are verified ...
OF_ONE = 3  # ... of one reference
AGREEING = 4  # pairs of landmarks that a candidate has
AROUND_S = 2  # seconds of the reference to each side that a frame is compared with
FOUND = 8  # landmarks of a view: unrelated pictures have seven at most, where they span so much
EXPECTED = 7  # and of one where a line is already known
BESIDE_S = 1.0  # that line
OWN_SPEED = 1.05  # times as much another speed has to explain
SPREAD = 0.08  # of the reference's or of the query's picture: a logo is smaller in both
CLEAR = 8.0  # evidence of a frame that is seen as well as it ever is ...
SHARP = 4.0  # ... and less by this power of how well others are
LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class VideoAlignment:
    """
    A verified finding: as `model.Match`, with the reference's ordinal in the index.

    `score`: landmarks found, summed over the frames.
    """

    ordinal: int
    query: Span
    reference: Span
    speed: float
    mirrored: bool
    region: Region
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The query straight or in the mirror."""

    query: VideoQuery
    words: NDArray[np.uint64]
    places: NDArray[np.float64]
    mirrored: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Sightings:
    """Views that are accepted: `frames` int64[k, 2] of the query and of the index, and what was seen."""

    frames: NDArray[np.int64]
    views: Views

    def at(self, rows: NDArray[np.int64]) -> "_Sightings":
        """Return some of them."""
        v = self.views
        return _Sightings(self.frames[rows], Views(v.found[rows], v.visible[rows], v.maps[rows], v.spread[rows]))


def find(query: VideoQuery, index: VideoIndex) -> list[VideoAlignment]:
    """Find what the query shows of the references in an index, the most seen first."""
    found: list[VideoAlignment] = []
    for ordinal, view, sightings in _sighted(query, index):
        found += _aligned(ordinal, view, index, sightings)
    return sorted(found, key=lambda a: -a.score)


def _views_of(query: VideoQuery) -> list[_View]:
    p = query.landmarks
    places = p.places.astype(np.float64)
    return [
        _View(query, p.words, places, False),
        _View(query, p.words ^ MIRRORED, places * [-1, 1, 1] + [1, 0, 0], True),
    ]


def _sighted(query: VideoQuery, index: VideoIndex) -> Iterator[tuple[int, _View, _Sightings]]:
    """Yield each reference that is seen, straight or mirrored, with all that was seen of it."""
    views = _views_of(query)
    seen: dict[tuple[int, bool], list[_Sightings]] = {}
    order = np.argsort(index.cells, kind="stable")
    cells = np.asarray(index.cells)[order]
    for first, window in _windows(query):
        for mirrored, second, pose in _candidates(window, index):
            ordinal = int(np.searchsorted(index.bases, second + AROUND_S, side="right")) - 1
            pairs = _pairs(window, first, second, cells, order)
            if not len(pairs):
                continue
            v = views[mirrored]
            compared = verify(index, query, v.words, v.places, pairs, np.tile(pose, (len(pairs), 1)))
            good = np.flatnonzero(_clear(compared, FOUND))
            if len(good):
                seen.setdefault((ordinal, mirrored), []).append(_Sightings(pairs, compared).at(good))
    for (ordinal, mirrored), several in seen.items():
        yield ordinal, views[mirrored], _together(several)


def _clear(views: Views, least: int) -> NDArray[np.bool_]:
    """Tell which views are of the reference's picture, and not of something small that both show."""
    return np.asarray(views.found * np.minimum(1.0, views.spread / SPREAD) >= least)


def _together(several: Sequence[_Sightings]) -> _Sightings:
    """Return all sightings as one, of each pair of frames the best, in order of the query's time."""
    views = [s.views for s in several]
    frames = np.concatenate([s.frames for s in several])
    all_ = _Sightings(
        frames,
        Views(
            np.concatenate([v.found for v in views]),
            np.concatenate([v.visible for v in views]),
            np.concatenate([v.maps for v in views]),
            np.concatenate([v.spread for v in views]),
        ),
    )
    best = np.lexsort((-all_.views.found, frames[:, 1], frames[:, 0]))
    ordered = frames[best]
    new = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])
    return all_.at(best[new])


def _windows(query: VideoQuery) -> Iterator[tuple[int, VideoQuery]]:
    """Yield overlapping windows, as queries whose times begin at 0, and the number of each one's first frame."""
    p = query.landmarks
    if not len(p.times_s):
        return
    last_s = float(p.times_s[-1])
    for start_s in np.arange(0.0, max(HOP_S, last_s - HOP_S + 1e-9), HOP_S):
        first, stop = np.searchsorted(p.times_s, [start_s, start_s + WINDOW_S])
        if stop > first:
            rows = slice(int(p.starts[first]), int(p.starts[stop]))
            times_s, starts = p.times_s[first:stop] - p.times_s[first], p.starts[first : stop + 1] - p.starts[first]
            part = VideoPrint(p.params, WINDOW_S, p.height, times_s, starts, p.places[rows], p.words[rows])
            yield int(first), VideoQuery(part, query.unsure[rows])


def _candidates(window: VideoQuery, index: VideoIndex) -> Iterator[tuple[bool, int, NDArray[np.float64]]]:
    """Yield whether mirrored, the second of the axis at the window's first frame, and the pose of the best candidates."""
    both = [propose(index, window, mirrored=mirrored) for mirrored in (False, True)]
    ranked = sorted(
        ((int(-n), mirrored, k) for mirrored, c in enumerate(both) for k, n in enumerate(c.agreeing) if n >= AGREEING)
    )
    taken: list[tuple[int, int, int]] = []
    for _, mirrored, k in ranked:
        second = int(both[mirrored].seconds[k])
        ordinal = int(np.searchsorted(index.bases, second + AROUND_S, side="right")) - 1
        alike = sum(o == ordinal for o, _, _ in taken)
        if alike < OF_ONE and all(m != mirrored or abs(s - second) > AROUND_S for _, m, s in taken):
            taken.append((ordinal, mirrored, second))
            yield bool(mirrored), second, both[mirrored].poses[k]
        if len(taken) == CANDIDATES:
            return


def _pairs(
    window: VideoQuery, first: int, second: int, cells: NDArray[np.int32], order: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Pair the window's frames with those of the index about the second where each should be: int64[k, 2]."""
    pairs = []
    for k, time_s in enumerate(window.landmarks.times_s):
        here = second + round(time_s)
        low, high = np.searchsorted(cells, [here - AROUND_S, here + AROUND_S + 1])
        pairs += [(first + k, int(frame)) for frame in order[low:high]]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _aligned(ordinal: int, view: _View, index: VideoIndex, seen: _Sightings) -> Iterator[VideoAlignment]:
    """Yield the lines through what was seen, the one with the most first; each frame of the query is explained once."""
    while len(seen.frames):
        hits = _hits(view, index, seen)
        chain = chain_video.best_chain(hits, LIMITS)[1]
        if len(chain.query_s) < 2:
            return
        line = chain_video.consensus(chain, LIMITS)
        mine = seen.at(np.flatnonzero(_beside(hits, line)))
        for _ in range(2):
            mine = _looked_for(ordinal, view, index, line, mine)
            if len(mine.frames) == 0:
                break
            line = _line(_hits(view, index, mine), line)
        explained = _beside(hits, line)
        if len(np.unique(mine.frames[:, 0])) >= 2:
            span = _span(view.query.landmarks, mine)
            yield _alignment(ordinal, view, line, span, mine, float(index.heights[ordinal]))
            explained |= (hits.query_s >= span.start_s) & (hits.query_s <= span.end_s)
        explained[0] |= not explained.any()
        seen = seen.at(np.flatnonzero(~explained))


def _line(hits: Hits, about: Line) -> Line:
    """
    Return the line that most of what was seen lies beside, near another one.

    Where hardly anything moves, frames beside the right one look nearly as alike: its own speed is the rule for a copy,
    and another is believed where it explains clearly more.
    """
    middle_s = float(np.mean(hits.query_s))
    speeds = np.concatenate([[1.0], about.speed * np.linspace(0.9, 1.1, 41)])
    offsets_s = np.linspace(-1.0, 1.0, 41)
    lines = [Line(float(about.at(middle_s) + o - v * middle_s), float(v)) for v in speeds for o in offsets_s]
    at_s = np.array([line.at(hits.query_s) for line in lines])
    near = hits.evidence * np.maximum(0.0, 1 - np.abs(at_s - hits.reference_s) / BESIDE_S)
    firsts = np.flatnonzero(np.diff(hits.query_s, prepend=-np.inf) > 0)
    explained = np.maximum.reduceat(near, firsts, axis=1).sum(axis=1)
    explained[: len(offsets_s)] *= OWN_SPEED
    return lines[int(np.argmax(explained))]


def _hits(view: _View, index: VideoIndex, seen: _Sightings) -> Hits:
    times_s = view.query.landmarks.times_s
    return Hits(times_s[seen.frames[:, 0]], index.times_s[seen.frames[:, 1]].astype(np.float64), _evidence(seen))


def _beside(hits: Hits, line: Line) -> NDArray[np.bool_]:
    return np.asarray(np.abs(hits.reference_s - line.at(hits.query_s)) <= 2 * LIMITS.tolerance_s)


def _looked_for(ordinal: int, view: _View, index: VideoIndex, line: Line, seen: _Sightings) -> _Sightings:
    """Compare all frames beside a line, at the pose that was seen next to them, and keep the longest run of those seen."""
    times_s = view.query.landmarks.times_s
    rows = slice(int(index.frames[ordinal]), int(index.frames[ordinal + 1]))
    theirs_s = index.times_s[rows].astype(np.float64)
    pairs, poses = [], []
    for frame, time_s in enumerate(times_s):
        low, high = np.searchsorted(theirs_s, line.at(time_s) + np.array([-BESIDE_S, BESIDE_S]))
        near = int(np.argmin(np.abs(times_s[seen.frames[:, 0]] - time_s) - 1e-3 * seen.views.found))
        map_ = seen.views.maps[near]
        pairs += [(frame, rows.start + other) for other in range(low, high)]
        poses += [(map_[0, 0], map_[0, 2], map_[1, 2])] * (high - low)
    if not pairs:
        return seen.at(np.empty(0, np.int64))
    frames = np.array(pairs, np.int64)
    views = verify(index, view.query, view.words, view.places, frames, np.array(poses))
    there = _Sightings(frames, views).at(np.flatnonzero(_clear(views, EXPECTED)))
    if not len(there.frames):
        return there
    run = np.cumsum(np.diff(times_s[there.frames[:, 0]], prepend=times_s[there.frames[0, 0]]) > LIMITS.max_gap_s)
    return there.at(np.flatnonzero(run == np.bincount(run, there.views.found).argmax()))


def _evidence(seen: _Sightings) -> NDArray[np.float64]:
    """Weigh each view: a frame of the query counts alike wherever it is, and most for the frame that shows most of it."""
    most = np.zeros(int(seen.frames[:, 0].max()) + 1)
    np.maximum.at(most, seen.frames[:, 0], seen.views.found)
    return np.asarray(CLEAR * (seen.views.found / most[seen.frames[:, 0]]) ** SHARP)


def _span(query: VideoPrint, seen: _Sightings) -> Span:
    """Place the ends half way to the next frame that does not show it."""
    times_s = query.times_s
    first, last = int(seen.frames[:, 0].min()), int(seen.frames[:, 0].max())
    start_s = (times_s[first - 1] + times_s[first]) / 2 if first else 0.0
    end_s = (times_s[last] + times_s[last + 1]) / 2 if last + 1 < len(times_s) else query.duration_s
    return Span(float(start_s), float(max(start_s, end_s)))


def _alignment(ordinal: int, view: _View, line: Line, span: Span, seen: _Sightings, their_height: float) -> VideoAlignment:
    mapped = Span(float(max(0.0, line.at(span.start_s))), float(max(0.0, line.at(span.end_s))))
    frames, which = np.unique(seen.frames[:, 0], return_inverse=True)
    most = np.zeros(len(frames), np.int64)
    np.maximum.at(most, which, seen.views.found)
    region = _region(view, seen, their_height)
    return VideoAlignment(ordinal, span, mapped, line.speed, view.mirrored, region, float(most.sum()))


def _region(view: _View, seen: _Sightings, their_height: float) -> Region:
    """Return where the reference's picture lies in the query's: the middle of what the clearest views say."""
    clear = seen.views.found >= np.median(seen.views.found)
    height = view.query.landmarks.height
    corners = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]], np.float64)
    corners[:, 1] *= their_height
    placed = seen.views.maps[clear] @ corners.T  # [k, 2, 4]
    left, right = np.median(placed[:, 0].min(axis=1)), np.median(placed[:, 0].max(axis=1))
    top, bottom = np.median(placed[:, 1].min(axis=1)) / height, np.median(placed[:, 1].max(axis=1)) / height
    if view.mirrored:
        left, right = 1 - right, 1 - left
    left, right, top, bottom = (float(np.clip(v, 0, 1)) for v in (left, right, top, bottom))
    return Region(left, top, right - left, bottom - top)
