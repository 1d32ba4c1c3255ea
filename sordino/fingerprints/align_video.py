"""Which stretch of a query is which stretch of a reference: hits to verified, calibrated, localised alignments."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints import chain_video, hamming, null_video
from sordino.fingerprints.chain_video import Floats, Hits, Limits, Line
from sordino.fingerprints.hamming import Hashes
from sordino.fingerprints.model import Span, VideoPrint


@dataclass(frozen=True, slots=True)
class Search:
    """How matches are looked for; none of it changes a print."""

    radius: int = 60  # bits; unrelated frames are hardly ever within 76
    hits_per_frame: int = 400  # the nearest: a picture that stands in thousands of references must not swamp the rest
    wide_radius: int = 88  # beside a line that is already known only a few frames are compared
    min_frames: int = 3  # of the query: a single frame alike is chance or quotation
    max_log10_false_positive: float = -6.0
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class VideoAlignment:
    """
    A verified finding: as `model.Match`, with the reference's ordinal in the table.

    `speed` is query over reference; `score` is the evidence: minus log10 of the chance that frames are so near, summed
    over new pictures.
    """

    ordinal: int
    query: Span
    reference: Span
    speed: float
    mirrored: bool
    score: float
    log10_false_positive: float


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The query straight or in the mirror, and the number of comparisons that the search over all its views makes."""

    query: VideoPrint
    hashes: Hashes
    mirrored: bool
    comparisons: int


@dataclass(frozen=True, slots=True, eq=False)
class _Reference:
    ordinal: int
    times_s: Floats
    hashes: Hashes


def find(
    query: VideoPrint,
    hashes: Hashes,
    times_s: NDArray[np.float32],
    starts: NDArray[np.int64],
    search: Search | None = None,
) -> list[VideoAlignment]:
    """
    Find what the query shows of the references in a table, surest first.

    The table may be memory-mapped and may be empty: `hashes` uint64[m, 4] and `times_s` float32[m], the rows of each
    reference together and in order of time; `starts` int64[references + 1]: rows starts[r] to starts[r + 1] belong to
    reference r. The query's mirror image is searched as well where the print has it. Raises ValueError for arrays that
    do not fit together.
    """
    search = search or Search()
    if len(times_s) != len(hashes) or len(starts) == 0 or starts[-1] != len(hashes):
        raise ValueError(
            f"{len(hashes)} hashes, {len(times_s)} times and starts up to {starts[-1:]} do not fit together"
        )
    views = _views(query, len(hashes))
    found: list[VideoAlignment] = []
    for ordinal, hits in _by_reference(views, hashes, times_s, starts, search):
        rows = slice(starts[ordinal], starts[ordinal + 1])
        reference = _Reference(ordinal, np.asarray(times_s[rows], dtype=np.float64), np.asarray(hashes[rows]))
        found += _align(views, reference, hits, search)
    return sorted(found, key=lambda alignment: (alignment.log10_false_positive, -alignment.score))


def _views(query: VideoPrint, index_rows: int) -> list[_View]:
    hashes = [query.hashes] if query.mirrored is None else [query.hashes, query.mirrored]
    comparisons = len(hashes) * len(query.times_s) * index_rows
    return [_View(query, own, mirrored, comparisons) for own, mirrored in zip(hashes, (False, True), strict=False)]


def _by_reference(
    views: list[_View], hashes: Hashes, times_s: NDArray[np.float32], starts: NDArray[np.int64], search: Search
) -> Iterator[tuple[int, list[Hits]]]:
    """Yield the ordinal and the hits, of one view after the other, of each reference that has enough of them."""
    hits = [hamming.search(hashes, view.hashes, search.radius, search.hits_per_frame) for view in views]
    owners = [np.searchsorted(starts, hit.index_rows, side="right") - 1 for hit in hits]
    ordinals, counts = np.unique(np.concatenate(owners), return_counts=True)
    for ordinal in ordinals[counts >= search.min_frames]:
        own = [owner == ordinal for owner in owners]
        yield (
            int(ordinal),
            [
                Hits(
                    view.query.times_s[hit.query_rows[mask]],
                    times_s[hit.index_rows[mask]].astype(np.float64),
                    -null_video.log10_tail(hit.distances[mask]),
                )
                for view, hit, mask in zip(views, hits, own, strict=True)
            ],
        )


def _align(views: list[_View], reference: _Reference, hits: list[Hits], search: Search) -> Iterator[VideoAlignment]:
    """Yield the matches with one reference, best chain first; each frame of the query is explained once."""
    times_s = views[0].query.times_s
    free = np.ones(len(times_s), dtype=np.bool_)
    while True:
        chains = [chain_video.best_chain(of_view, search.limits) for of_view in hits]
        best = max(range(len(views)), key=lambda view: chains[view][0])
        chain = chains[best][1]
        if len(chain.query_s) < search.min_frames:
            return
        alignment = _verify(views[best], reference, chain, free, search)
        explained = Span(chain.query_s[0], chain.query_s[-1])
        if alignment is not None:
            yield alignment
            explained = alignment.query
        free &= (times_s < explained.start_s) | (times_s > explained.end_s)
        hits = [of_view.at(free[np.searchsorted(times_s, of_view.query_s)]) for of_view in hits]


def _verify(
    view: _View, reference: _Reference, chain: Hits, free: NDArray[np.bool_], search: Search
) -> VideoAlignment | None:
    """Compare all free frames beside the chain's line, and keep the alignment where chance does not explain it."""
    times_s = view.query.times_s
    line = chain_video.consensus(chain, search.limits)
    for _ in range(2):  # the first line goes through times of frames, the next ones between them
        beside = chain_video.compare(
            view.hashes, line.at(times_s), reference.hashes, reference.times_s, search.limits.tolerance_s
        )
        alike = _longest_run(
            times_s, free & (beside.bits <= search.wide_radius), beside.sharpness, search.limits.max_gap_s
        )
        if len(alike) < search.min_frames:
            return None
        line = chain_video.fit(Hits(times_s[alike], beside.reference_s[alike], beside.sharpness[alike]), search.limits)
    inside = slice(alike[0], alike[-1] + 1)
    bits = np.where(beside.bits <= search.wide_radius, beside.bits, 256)[inside]
    evidence = null_video.combine(null_video.log10_tail(bits, beside.compared[inside]), view.hashes[inside])
    trials = null_video.log10_trials(view.comparisons, len(times_s), evidence.pictures)
    log10_false_positive = min(0.0, evidence.log10_chance + trials)
    if log10_false_positive > search.max_log10_false_positive:
        return None
    span = _ends(view.query, inside, line, reference)
    mapped = Span(float(max(0.0, line.at(span.start_s))), float(line.at(span.end_s)))
    return VideoAlignment(
        reference.ordinal, span, mapped, line.speed, view.mirrored, evidence.score, log10_false_positive
    )


def _longest_run(times_s: Floats, alike: NDArray[np.bool_], weights: Floats, max_gap_s: float) -> NDArray[np.int64]:
    """Return the rows of the weightiest run of frames alike in which no two neighbours are more than a gap apart."""
    rows: NDArray[np.int64] = np.flatnonzero(alike)
    if len(rows) == 0:
        return rows
    run = np.cumsum(np.diff(times_s[rows], prepend=times_s[rows[0]]) > max_gap_s)
    longest: NDArray[np.int64] = rows[run == np.bincount(run, weights[rows] + 1).argmax()]
    return longest


def _ends(query: VideoPrint, inside: slice, line: Line, reference: _Reference) -> Span:
    """
    Place the ends half way to the next frame that is not alike; where the query or the reference ends, just there.

    A frame stands for `1 / frames_per_s` at most: where frames were left out, nothing is known.
    """
    step_s = 1 / query.params.frames_per_s
    times_s = np.concatenate([[-np.inf], query.times_s, [np.inf]])  # so row r stands at r + 1
    first_s, last_s = times_s[inside.start + 1], times_s[inside.stop]
    start_s = first_s - min(step_s, (first_s - times_s[inside.start]) / 2)
    end_s = last_s + min(step_s, (times_s[inside.stop + 1] - last_s) / 2)
    start_s = max(
        0.0, start_s, (reference.times_s[0] - step_s - line.offset_s) / line.speed, -line.offset_s / line.speed
    )
    end_s = min(query.duration_s, end_s, (reference.times_s[-1] + step_s - line.offset_s) / line.speed)
    return Span(float(min(start_s, first_s)), float(max(end_s, last_s)))
