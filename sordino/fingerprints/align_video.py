"""
Pictures of a query to alignments: which stretch of it is which stretch of a reference, and where in the picture.

A few frames of each window propose and are compared (`search_video`); only references of which one is seen are
compared with all frames (`line_video`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sordino.fingerprints import chain_video
from sordino.fingerprints.chain_video import Line
from sordino.fingerprints.compare_video import BESIDE_S, beside_line, best_of_each_frame, best_of_each_pair, clearness
from sordino.fingerprints.index_video import VideoIndex
from sordino.fingerprints.line_video import (
    AGREES,
    LIMITS,
    agreement,
    as_mapped,
    beside,
    common_map,
    elsewhere,
    hits_of,
    line_of,
    looked_for,
    mapped,
    shows,
)
from sordino.fingerprints.model import Region, Span, VideoPrint, VideoQuery
from sordino.fingerprints.propose_video import Look, looks
from sordino.fingerprints.retime_video import retimed
from sordino.fingerprints.search_video import Expected, awaited, candidates, glimpses, seen_of, windows
from sordino.fingerprints.verify_video import Views, distinct, joined

SMALL = 0.06  # of a picture: what spans less in the middle one of the frames proves less
FITS = 0.8  # of what two pieces show is shown by one line and map: they are one
MAX_LOG10_FALSE_POSITIVE = -3.0
SHORTEST_S = 0.5  # less is a cut's other side as often as a copy
CONTINUED = 2.0  # decades that going on where the stream's last segment had it is worth, ...
CONTINUES_S = 1.5  # ... if the reference's time is as near to that
CHANCE = (6.0, 3.0)  # distinct landmarks that one in one, and for each decade fewer, unrelated queries reach
LEAST_LOG10 = -12.0  # what was counted does not reach so far; beyond, nothing is claimed
MOVING = 1.3  # times what one frame shows is shown by all of them; else it is a still picture, ...
STILL_LOG10 = -3.5  # ... which is told, and no surer: a slate or a test card has nothing to do with chance
SEARCHED_HOURS = 2.0  # of references, when this was fitted


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


def find(query: VideoQuery, indexes: Sequence[VideoIndex], expected: Sequence[Expected] = ()) -> list[VideoAlignment]:
    """
    Find what the query shows of the references in some indexes, the surest first.

    What is `expected` is looked for where it should be, and less evidence is enough.
    """
    both = looks(query)
    hours = sum(float(index.durations_s.sum()) for index in indexes) / 3600
    seen: dict[tuple[int, int, bool], list[Views]] = {}

    def note(number: int, ordinal: int, mirrored: bool, views: Views) -> None:
        if len(views.found):
            seen.setdefault((number, ordinal, mirrored), []).append(views)

    for start_s, frames in windows(query.landmarks):
        for e in expected:
            note(e.number, e.ordinal, e.mirrored, awaited(both[e.mirrored], frames, e, indexes[e.number]))
        for c in candidates(both, frames, start_s, indexes):
            note(c.number, c.ordinal, c.mirrored, seen_of(both[c.mirrored], frames, start_s, c, indexes[c.number]))
    found: list[VideoAlignment] = []
    for (number, ordinal, mirrored), several in seen.items():
        lines = [e.line for e in expected if (e.number, e.ordinal, e.mirrored) == (number, ordinal, mirrored)]
        found += _aligned(
            number, ordinal, both[mirrored], indexes[number], best_of_each_pair(joined(several)), hours, lines
        )
    return sorted(found, key=lambda a: (a.log10_false_positive, -a.score))


def clearest_glimpse(query: VideoQuery, indexes: Sequence[VideoIndex]) -> float:
    """Return how many landmarks a few frames show of any reference, in the clearest view of one; 0 for none."""
    both, most = looks(query), 0.0
    for start_s, frames in windows(query.landmarks):
        for c in candidates(both, frames, start_s, indexes):
            views = glimpses(both[c.mirrored], frames, start_s, c, indexes[c.number])
            most = max(most, float(clearness(views).max(initial=0.0)))
    return most


def _aligned(
    number: int, ordinal: int, look: Look, index: VideoIndex, seen: Views, hours: float, expected: Sequence[Line]
) -> list[VideoAlignment]:
    """Return the lines through what was seen, beginning with the most; each frame of the query is explained once."""
    p, height = look.query.landmarks, float(index.heights[ordinal])
    free, pieces = np.arange(len(p.times_s)), list[tuple[Line, Views]]()

    def told(line: Line, mine: Views) -> VideoAlignment:
        return _alignment(number, ordinal, look, index, line, mine, hours, expected)

    while len(seen.found):
        hits, of = hits_of(look, index, seen)
        chain = chain_video.best_chain(hits, LIMITS)[1]
        if len(np.unique(chain.query_s)) < 2:
            break
        line = chain_video.consensus(chain, LIMITS)
        tried, n_free = np.unique(of[beside(hits, line)]), len(free)
        mine = seen.at(tried)
        for _ in range(2):
            mine = looked_for(ordinal, look, index, free, line, mine)
            if not len(mine.found):
                break
            line = line_of(hits_of(look, index, mine, agreement(mine, height)[1])[0], line)
        else:
            line, mine = as_mapped(ordinal, look, index, free, line, mine)
            if (better := elsewhere(ordinal, look, index, line, mine)) != line:
                line, mine = as_mapped(ordinal, look, index, free, better, mine)
        if len(mine.found):
            exact = retimed(look, index, ordinal, line, np.unique(mine.frames[:, 0]), common_map(mine, height))
            line, mine = _joined(ordinal, look, index, (exact, mine), pieces)
            found = told(line, mine)
            if found.log10_false_positive <= MAX_LOG10_FALSE_POSITIVE and found.query.duration_s >= SHORTEST_S:
                pieces.append((line, mine))
                shown = _span(p, mine)
                free = free[(p.until_s[free] < shown.start_s) | (p.times_s[free] > shown.end_s)]
        left = np.isin(seen.frames[:, 0], free)
        left[of[beside(hits, line)]] = False
        if len(free) == n_free:
            left[tried] = False  # nothing came of them, and would again
        left[of[0]] = False  # so that it ends
        seen = seen.at(left)
    return [told(line, mine) for line, mine in pieces]


def _continues(line: Line, query: Span, expected: Sequence[Line]) -> bool:
    """Tell whether a finding goes on where it was expected."""
    middle_s = (query.start_s + query.end_s) / 2
    return any(abs(line.at(middle_s) - e.at(middle_s)) <= CONTINUES_S for e in expected)


def _joined(
    ordinal: int, look: Look, index: VideoIndex, piece: tuple[Line, Views], pieces: list[tuple[Line, Views]]
) -> tuple[Line, Views]:
    """
    Return a piece together with one of the others, which is taken out, if the line and the map of either fit both.

    In a crop of a slow pan, a shot alone lies as well a second off, in another part of the picture; the next one tells.
    """
    for k, other in enumerate(pieces):
        frames = np.union1d(piece[1].frames[:, 0], other[1].frames[:, 0])
        for line, seen in sorted((piece, other), key=lambda each: -shows(each[1])):
            pairs, _ = beside_line(look, index, ordinal, frames, line, BESIDE_S)
            there = mapped(look, index, pairs, common_map(seen, float(index.heights[ordinal])))
            if shows(there) >= FITS * (shows(piece[1]) + shows(other[1])):
                del pieces[k]
                return line, there
    return piece


def _span(query: VideoPrint, seen: Views) -> Span:
    """Place the ends half way to the next frame that does not show it."""
    first, last = int(seen.frames[:, 0].min()), int(seen.frames[:, 0].max())
    start_s = (query.until_s[first - 1] + query.times_s[first]) / 2 if first else 0.0
    end_s = (query.until_s[last] + query.times_s[last + 1]) / 2 if last + 1 < len(query.times_s) else query.duration_s
    return Span(float(start_s), float(max(start_s, end_s)))


def _alignment(
    number: int,
    ordinal: int,
    look: Look,
    index: VideoIndex,
    line: Line,
    seen: Views,
    hours: float,
    expected: Sequence[Line],
) -> VideoAlignment:
    span = _inside(_span(look.query.landmarks, seen), line, float(index.durations_s[ordinal]))
    mapped = Span(float(max(0.0, line.at(span.start_s))), float(max(0.0, line.at(span.end_s))))
    height = float(index.heights[ordinal])
    agreeing = seen.at(agreement(seen, height)[1] > AGREES)
    best = agreeing.at(best_of_each_frame(agreeing))
    # Something small that moves is seen all over the picture in the end, but not in any frame.
    score = distinct(index, look, best) * min(1.0, float(np.median(best.spread)) / SMALL) ** 2
    log10, one = _log10_chance(score, hours), best.at(np.array([best.found.argmax()]))
    if _continues(line, span, expected):
        log10 = min(log10, max(LEAST_LOG10, log10 - CONTINUED))
    if score < MOVING * distinct(index, look, one):
        log10 = max(log10, STILL_LOG10)
    region = _region(look, agreeing, height)
    return VideoAlignment(number, ordinal, span, mapped, line.speed, look.mirrored, region, float(score), log10)


def _inside(span: Span, line: Line, lasts_s: float) -> Span:
    """Leave out what would lie before the reference's beginning or behind its end: it looks like it, and is not it."""
    begins_s, ends_s = -line.offset_s / line.speed, (lasts_s - line.offset_s) / line.speed
    start_s = min(max(span.start_s, begins_s), span.end_s)
    return Span(start_s, max(start_s, min(span.end_s, ends_s)))


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
