"""Where references may be in a query: candidates of its windows, and what a few frames show of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.chain_video import Line
from sordino.fingerprints.compare_video import AROUND_S, BESIDE_S, clear, compared, nearest, poses, some
from sordino.fingerprints.index_video import GAP_S, VideoIndex
from sordino.fingerprints.model import Region, VideoPrint
from sordino.fingerprints.propose_video import Look, propose
from sordino.fingerprints.verify_video import Views

WINDOW_S = 10.0
HOP_S = 5.0
GLIMPSES = 12  # frames of a window that propose, and are compared first
CANDIDATES = 20  # of a window that are compared ...
OF_ONE = 4  # ... of one reference
AGREEING = 4  # pairs of landmarks that a candidate has
AWAITED = 4  # landmarks of a view, where a reference is expected
FOUND = 6  # landmarks of a view, where they span so much of a picture: few of unrelated pictures are


@dataclass(frozen=True, slots=True)
class Expected:
    """Where a reference is likely to be in this query: the last segment of its stream had it on this line."""

    number: int
    ordinal: int
    mirrored: bool
    line: Line
    region: Region


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reference of an index whose second `second` of the axis may be where a window begins, in this pose."""

    number: int
    ordinal: int
    mirrored: bool
    second: int
    pose: NDArray[np.float64]


def windows(p: VideoPrint) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """Yield overlapping windows: when each begins, and the frames that are shown in it."""
    has_any = np.diff(p.starts) > 0
    if not has_any.any():
        return
    last_s = float(p.until_s[has_any][-1])
    for start_s in np.arange(0.0, max(HOP_S, last_s - HOP_S + 1e-9), HOP_S):
        frames = np.flatnonzero(has_any & (p.until_s >= start_s) & (p.times_s < start_s + WINDOW_S))
        if len(frames):
            yield float(start_s), frames


def candidates(
    both: tuple[Look, Look], frames: NDArray[np.int64], start_s: float, indexes: Sequence[VideoIndex]
) -> Iterator[Candidate]:
    """Yield the candidates with the most pairs that agree, a few places of each reference."""
    ranked = []
    for number, index in enumerate(indexes):
        for look in both:
            proposed = propose(index, look, some(frames, GLIMPSES), start_s)
            ranked += [
                (int(n), number, look.mirrored, int(second), pose)
                for n, second, pose in zip(proposed.agreeing, proposed.seconds, proposed.poses, strict=True)
                if n >= AGREEING
            ]
    taken: list[Candidate] = []
    for _, number, mirrored, second, pose in sorted(ranked, key=lambda c: -c[0]):
        ordinal = int(np.searchsorted(indexes[number].bases, second + GAP_S // 2, side="right")) - 1
        same = [c for c in taken if (c.number, c.ordinal) == (number, ordinal)]
        if len(same) < OF_ONE and all(c.mirrored != mirrored or abs(c.second - second) > AROUND_S for c in same):
            taken.append(Candidate(number, ordinal, mirrored, second, pose))
            yield taken[-1]
        if len(taken) == CANDIDATES:
            return


def awaited(look: Look, frames: NDArray[np.int64], e: Expected, index: VideoIndex) -> Views:
    """Compare a window's frames with what is expected: where it was, if all of its picture is in the query's."""
    x = 1 - e.region.x - e.region.w if e.mirrored else e.region.x
    pose = np.array([e.region.w, x, e.region.y * look.query.landmarks.height])
    views = compared(look, index, e.ordinal, frames, e.line, np.tile(pose, (len(frames), 1)), BESIDE_S)
    return views.at(clear(views, AWAITED))


def seen_of(look: Look, frames: NDArray[np.int64], start_s: float, c: Candidate, index: VideoIndex) -> Views:
    """Compare a window's frames with a candidate's: some first and, if one of those is seen, all beside it."""
    glimpsed = glimpses(look, frames, start_s, c, index)
    if not len(glimpsed.found):
        return glimpsed
    near = nearest(look.query.landmarks, frames, glimpsed)
    here, there = glimpsed.frames[near].T
    line = Line(index.times_s[there] - look.query.landmarks.times_s[here], 1.0)
    views = compared(look, index, c.ordinal, frames, line, poses(glimpsed.maps[near]), BESIDE_S)
    return views.at(clear(views, FOUND))


def glimpses(look: Look, frames: NDArray[np.int64], start_s: float, c: Candidate, index: VideoIndex) -> Views:
    """Compare some of a window's frames with a candidate's, and return what is seen."""
    few = some(frames, GLIMPSES // 2)
    offsets_s = np.full(len(few), c.second - int(index.bases[c.ordinal]) - start_s)
    views = compared(look, index, c.ordinal, few, Line(offsets_s, 1.0), np.tile(c.pose, (len(few), 1)), AROUND_S)
    return views.at(clear(views, FOUND))
