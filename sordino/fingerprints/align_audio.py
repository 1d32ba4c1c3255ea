"""
Postings to verified, calibrated, localised alignments of sound.

The query is searched in windows (`search_audio`); what they say of one reference is put together, its pose is refined,
and its ends are looked for beyond the windows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.model import AudioPrint, AudioQuery, Span
from sordino.fingerprints.params import AudioParams
from sordino.fingerprints.refine_audio import COARSE, FINE, WIDE, Piece, between, refine, strengths
from sordino.fingerprints.search_audio import HOP_S, Hypothesis, Pose, References, search, windows
from sordino.fingerprints.verify_audio import MIN_LANDMARKS, salience, standardised

MIN_RUN_S = 1.5  # a shorter run is not what its window was judged by
AS_WELL = 3.0  # deviations: a pose that fits the whole stretch so much worse than another is not the strongest
THIRDS = 3  # of the bands: a voice drowns the low ones
LEAST = 0.25  # of the mean evidence, that a landmark adds to a run if it has more
DOUBT = 6.0  # nats against the song that a last stretch must hold ...
DOUBT_S = 3.0  # ... to be left out, if it is no longer than this and reaches the query's end


@dataclass(frozen=True, slots=True)
class AudioAlignment:
    """
    A verified finding, as `model.Match` but with the reference's ordinal among those searched.

    `score` is in standard deviations of the query's own chance.
    """

    ordinal: int
    query: Span
    reference: Span
    speed: float  # query over reference, as in `model.Match`
    pitch_semitones: float  # positive: the copy is higher
    score: float
    log10_false_positive: float


def find(query: AudioQuery, references: References, expected: Sequence[Pose] = ()) -> list[AudioAlignment]:
    """
    Find the references that sound in the query, with their spans, strongest first.

    `expected` are poses in which a reference is likely to be here (the stream's last segment had it there): they are
    tested one by one, and less evidence is enough.
    """
    hypotheses = [h for window in windows(query, references) for h in search(window, references, expected)]
    found = [a for group in _groups(hypotheses) for a in _localise(query, references, group)]
    return sorted(_distinct(found), key=lambda a: a.log10_false_positive)


def _groups(hypotheses: Iterable[Hypothesis]) -> Iterator[list[Hypothesis]]:
    """
    Put together what windows say of one reference without a break, strongest first.

    Where they disagree on the pose (loops and repeats fit in several places) the strongest is the group's.
    """
    by_reference = sorted(hypotheses, key=lambda h: (h.pose.reference, h.first_frame))
    for _, mine in groupby(by_reference, key=lambda h: h.pose.reference):
        group: list[Hypothesis] = []
        for h in mine:
            if group and h.first_frame > max(g.stop_frame for g in group):
                yield group
                group = []
            group.append(h)
        yield group


def _localise(query: AudioQuery, references: References, group: list[Hypothesis]) -> Iterator[AudioAlignment]:
    """
    Place the group's strongest pose, then those of windows that lie outside of what was placed.

    These are placed where nothing is yet: wherever a song skips, its loudest stretch would be found again. In a loop
    every window fits in many places, some of them too near the reference's end for the others: those fit worse.
    """
    margin = round(HOP_S * query.landmarks.params.frames_per_s)
    start = max(0, min(h.window_first for h in group) - margin)
    stop = min(len(query.contrast), max(h.window_stop for h in group) + margin)
    contrast = query.contrast[start:stop]
    piece = Piece(len(query.contrast), start, standardised(contrast), salience(contrast))
    number, ordinal = references.place(group[0].pose.reference)
    reference = references.indexes[number].print_of(ordinal, query.landmarks.params)
    fits = strengths(reference, piece, [h.pose for h in group]).tolist()
    rest, runs = list(zip(group, fits, strict=True)), list[tuple[float, float]]()
    while rest:
        most = max(fit for _, fit in rest)
        best = max((h for h, fit in rest if fit > most - AS_WELL), key=lambda h: h.score)
        rest = [(h, fit) for h, fit in rest if h is not best]
        placed = _place(query.landmarks, reference, best, piece.around(_middle(best), runs, query.landmarks.params))
        if placed is not None:
            alignment, run = placed
            inside = [h for h, _ in rest if run[0] <= _middle(h) <= run[1]]
            surest = min([best, *inside], key=lambda h: h.log10_false_positive)
            yield replace(alignment, score=surest.score, log10_false_positive=surest.log10_false_positive)
            runs.append(run)
            rest = [(h, fit) for h, fit in rest if h not in inside]


def _middle(h: Hypothesis) -> float:
    return (h.first_frame + h.stop_frame) / 2


def _place(
    query: AudioPrint, reference: AudioPrint, best: Hypothesis, piece: Piece
) -> tuple[AudioAlignment, tuple[float, float]] | None:
    """Refine a pose and find its ends in a piece of the query; return the run of frames as well."""
    params = query.params
    middle, pose = _middle(best), best.pose
    run: tuple[float, float] | None = best.window_first, best.window_stop
    for steps in (WIDE, COARSE, FINE):
        if run is not None:
            pose = refine(reference, piece, pose, middle, run, steps)
            pose = between(reference, piece, pose, middle, run) if steps is FINE else pose
            run = _loudest_run(*_evidence(reference, piece, pose), piece, params)
            middle = (run[0] + run[1]) / 2 if run else middle
    to_s = params.hop_length / params.sample_rate
    if run is None or (run[1] - run[0]) * to_s < MIN_RUN_S:
        return None
    centre_s = params.n_fft / params.sample_rate / 2  # a frame speaks of its window's middle
    offset_s = pose.start_frame * to_s + centre_s * (1 - pose.speed)
    begins_s, ends_s = -offset_s / pose.speed, (reference.duration_s - offset_s) / pose.speed
    begin_s, end_s = np.clip(np.array(run) * to_s + centre_s, begins_s, ends_s).tolist()
    query_span = _snapped(begin_s, end_s, query.duration_s)
    ends = np.clip([offset_s + pose.speed * s for s in query_span], 0, reference.duration_s).tolist()
    alignment = AudioAlignment(
        pose.reference,
        Span(*query_span),
        Span(*ends),
        pose.speed,
        12 * pose.shift / params.bands_per_octave,
        best.score,
        best.log10_false_positive,
    )
    return alignment, run


def _snapped(begin_s: float, end_s: float, duration_s: float) -> tuple[float, float]:
    """Move ends that lie within half a second of the query's own ends onto them: there is nothing there to say no."""
    return (0.0 if begin_s < 0.5 else begin_s), (duration_s if end_s > duration_s - 0.5 else min(end_s, duration_s))


def _evidence(
    reference: AudioPrint, piece: Piece, pose: Pose
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float32]]:
    """Return where each of the reference's landmarks should be, query frame and band, and the contrast found there."""
    frames = (reference.frames - pose.start_frame) / pose.speed
    row = np.floor(frames + 0.5).astype(np.int64) - piece.start
    band = reference.bands.astype(np.int64) + round(pose.shift)
    here = (row >= 0) & (row < len(piece.contrast)) & (band >= 0) & (band < piece.contrast.shape[1])
    return frames[here], band[here], piece.contrast[row[here], band[here]]


def _loudest_run(
    frames: NDArray[np.float64],
    bands: NDArray[np.int64],
    values: NDArray[np.float32],
    piece: Piece,
    params: AudioParams,
) -> tuple[float, float] | None:
    """
    Return first and last frame of the run of landmarks that is most likely the song.

    Each adds its log-likelihood ratio: mean * (value - LEAST * mean), with the mean that the run has in this third of
    the bands (1/2 would be right if all landmarks of a song stood out alike; quiet passages have less). The mean is
    that of the run itself, found in a few rounds. A short stretch to the end of the query stays in, if little speaks
    against it: songs seldom end there.
    """
    if len(values) < MIN_LANDMARKS:
        return None
    third = np.minimum(bands * THIRDS // params.n_bands, THIRDS - 1)
    means = np.full(THIRDS, max(float(np.sort(values)[len(values) // 4 :].mean()), 0.3))
    for _ in range(5):
        gains = (means[third] * (values - LEAST * means[third])).astype(np.float32)
        low, high = _max_subarray(gains)
        if high - low < MIN_LANDMARKS // 2:
            return None
        means = _means(values[low:high], third[low:high])
    doubt_frames = DOUBT_S * params.frames_per_s
    first, last = float(frames[low]), float(frames[high - 1])
    if piece.start == 0 and first < doubt_frames and gains[:low].sum() > -DOUBT:
        first = 0.0
    if piece.stop == piece.n_frames and last > piece.stop - doubt_frames and gains[high:].sum() > -DOUBT:
        last = float(piece.stop)
    return first, last


def _means(values: NDArray[np.float32], third: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean of each third, drawn to that of all where there are few; at least a little."""
    few = MIN_LANDMARKS // 2
    sums, counts = np.bincount(third, values, THIRDS), np.bincount(third, minlength=THIRDS)
    return np.maximum((sums + few * float(values.mean())) / (counts + few), 0.05)


@njit(cache=True, nogil=True)
def _max_subarray(values: NDArray[np.float32]) -> tuple[int, int]:
    """Kadane's algorithm: the half-open range with the largest sum."""
    best, best_low, best_high, low, sum_ = 0.0, 0, 0, 0, 0.0
    for i in range(len(values)):
        if sum_ <= 0:
            low, sum_ = i, 0.0
        sum_ += values[i]
        if sum_ > best:
            best, best_low, best_high = sum_, low, i + 1
    return best_low, best_high


def _distinct(alignments: Iterable[AudioAlignment]) -> list[AudioAlignment]:
    """Keep the strongest of several poses of one reference over the same stretch (loops, repeats)."""
    kept: list[AudioAlignment] = []
    for a in sorted(alignments, key=lambda a: -a.score):
        mine = [k.query for k in kept if k.ordinal == a.ordinal]
        covered_s = sum(span.overlap_s(a.query) for span in mine)
        if covered_s < 0.5 * a.query.duration_s and not any(share_stretch(span, a.query) for span in mine):
            kept.append(a)
    return kept


def share_stretch(one: Span, other: Span) -> bool:
    """Tell whether the shorter of two spans lies at least half in the other."""
    return one.overlap_s(other) >= 0.5 * min(one.duration_s, other.duration_s)
