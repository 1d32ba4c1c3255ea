"""
Postings to verified, calibrated, localised alignments of sound.

The query is verified in windows (`verify_audio`); what they say of one reference is put together, its pose is refined,
and its ends are looked for beyond the windows.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.index import AudioIndex
from sordino.fingerprints.model import AudioPrint, AudioQuery, Span
from sordino.fingerprints.verify_audio import HOP_S, MIN_LANDMARKS, Hypothesis, Pose, search, standardised, windows

MIN_RUN_S = 1.5  # a shorter run is not what its window was judged by
COARSE = tuple(0.002 * k for k in range(-10, 11))  # of speed: what the terms' tolerance lets through
FINE = tuple(0.0005 * k for k in range(-4, 5))
SHIFTS = (0, -1, 1)  # bands


@dataclass(frozen=True, slots=True)
class AudioAlignment:
    """
    A verified finding, as `model.Match` but with the reference's ordinal in the index searched.

    `score` is in standard deviations of the query's own chance.
    """

    ordinal: int
    query: Span
    reference: Span
    speed: float  # query over reference, as in `model.Match`
    pitch_semitones: float  # positive: the copy is higher
    score: float
    log10_false_positive: float


def find(query: AudioQuery, index: AudioIndex, expected: Sequence[Pose] = ()) -> list[AudioAlignment]:
    """
    Find the references that sound in the query, with their spans, strongest first.

    `expected` are poses in which a reference is likely to be here (the stream's last segment had it there): they are
    tested one by one, and less evidence is enough.
    """
    hours = float(index.durations_s.sum()) / 3600
    hypotheses = [h for first, part in windows(query) for h in search(part, first, index, expected, hours)]
    found = [a for group in _groups(hypotheses) for a in _localise(query, index, group)]
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


def _localise(query: AudioQuery, index: AudioIndex, group: list[Hypothesis]) -> Iterator[AudioAlignment]:
    """Place the group's strongest pose, then those of windows that lie outside of what was placed."""
    margin = round(HOP_S * query.landmarks.params.frames_per_s)
    start = max(0, min(h.first_frame for h in group) - margin)
    stop = min(len(query.contrast), max(h.stop_frame for h in group) + margin)
    contrast = standardised(query.contrast[start:stop])
    rest = list(group)
    while rest:
        best = max(rest, key=lambda h: h.score)
        rest.remove(best)
        placed = _place(query, index, best, contrast, start)
        if placed is not None:
            yield placed[0]
            low, high = placed[1]
            rest = [h for h in rest if not low <= (h.first_frame + h.stop_frame) / 2 <= high]


def _place(
    query: AudioQuery, index: AudioIndex, best: Hypothesis, contrast: NDArray[np.float32], start: int
) -> tuple[AudioAlignment, tuple[float, float]] | None:
    """Refine a pose and find its ends in `contrast`, which begins at frame `start`; return the frames as well."""
    params = query.landmarks.params
    reference = index.print_of(best.pose.reference, params)
    pose = _refine(reference, contrast, start, best.pose, (best.first_frame, best.stop_frame), COARSE)
    run = _loudest_run(*_evidence(reference, contrast, start, pose))
    if run is not None:
        pose = _refine(reference, contrast, start, pose, run, FINE)
        run = _loudest_run(*_evidence(reference, contrast, start, pose))
    to_s = params.hop_length / params.sample_rate
    if run is None or (run[1] - run[0]) * to_s < MIN_RUN_S:
        return None
    centre_s = params.n_fft / params.sample_rate / 2  # a frame speaks of its window's middle
    query_span = _snapped(run[0] * to_s + centre_s, run[1] * to_s + centre_s, query.landmarks.duration_s)
    offset_s = pose.start_frame * to_s + centre_s * (1 - pose.speed)
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


def _refine(
    reference: AudioPrint,
    contrast: NDArray[np.float32],
    start: int,
    pose: Pose,
    run: tuple[float, float],
    steps: tuple[float, ...],
) -> Pose:
    """Try small dilations and translations of the pose around the middle of a run of frames; keep the best."""
    middle = (run[0] + run[1]) / 2
    low, high = max(0, int(run[0]) - start), int(run[1]) - start + 1
    tries = [
        Pose(pose.reference, pose.start_frame + jitter - step * middle, pose.speed + step, pose.shift + shift)
        for step in steps
        for shift in SHIFTS
        for jitter in (-1.0, 0.0, 1.0)
    ]

    def strength(tried: Pose) -> tuple[float, float]:
        _, values = _evidence(reference, contrast[low:high], start + low, tried)
        return round(float(values.sum()) / math.sqrt(len(values) + 1), 1), -abs(tried.speed - pose.speed)

    return max(tries, key=strength)


def _evidence(
    reference: AudioPrint, contrast: NDArray[np.float32], start: int, pose: Pose
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return the query frame at which each of the reference's landmarks should be, and the contrast found there."""
    frames = (reference.frames - pose.start_frame) / pose.speed
    row = np.rint(frames).astype(np.int64) - start
    band = reference.bands.astype(np.int64) + pose.shift
    here = (row >= 0) & (row < len(contrast)) & (band >= 0) & (band < contrast.shape[1])
    return frames[here], contrast[row[here], band[here]]


def _loudest_run(frames: NDArray[np.float64], values: NDArray[np.float32]) -> tuple[float, float] | None:
    """
    Return first and last frame of the run of landmarks with the largest sum of evidence above a third of its mean.

    Half of the mean inside would be the likelihood-ratio threshold for Gaussian evidence; quiet passages have less,
    hence a third. The mean is that of the run itself, found in a few rounds.
    """
    if len(values) < MIN_LANDMARKS:
        return None
    mean = float(np.sort(values)[len(values) // 4 :].mean())
    low, high = 0, len(values)
    for _ in range(4):
        low, high = _max_subarray(values - np.float32(max(mean, 0.3) / 3))
        if high - low < MIN_LANDMARKS // 2:
            return None
        mean = float(values[low:high].mean())
    return float(frames[low]), float(frames[high - 1])


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
        if not any(k.ordinal == a.ordinal and share_stretch(k.query, a.query) for k in kept):
            kept.append(a)
    return kept


def share_stretch(one: Span, other: Span) -> bool:
    """Tell whether the shorter of two spans lies at least half in the other."""
    return one.overlap_s(other) >= 0.5 * min(one.duration_s, other.duration_s)
