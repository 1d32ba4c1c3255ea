"""
Postings to verified, calibrated, localised alignments of sound.

Votes only propose. What decides is the query's standardised contrast *at the places where the reference's landmarks
should be*, summed over sqrt(n): under a voice the peaks are maxima no longer, but they still stand out. How large that
sum gets by chance depends on the query (sustained notes coincide), so it is measured on the query itself, at random
poses, and the number of standard deviations above that is what was calibrated on real negatives.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.index import AudioIndex, candidates, vote
from sordino.fingerprints.model import AudioPrint, AudioQuery, Span

WINDOW_S = 10.0
HOP_S = 5.0
CANDIDATES = 200  # the right one was among so many in 97 % at -12 dB, 10 s, 3 h of references
JITTER = 3  # frames to each side of a candidate's cell
EXPECTED_JITTER = 12  # and of a pose that was expected: it was fitted elsewhere in the song
BINS = 10  # a song may play in a part of the window only: sums over runs of ...
MIN_BINS = 3  # ... at least so many tenths are weighed too
MIN_LANDMARKS = 30  # fewer say nothing: a second of most music
NULL_POSES = 600
MAX_LOG10_FALSE_POSITIVE = -3.0


@dataclass(frozen=True, slots=True)
class Tail:
    """The chance that a window without the work reaches `s` deviations: 10^-((s - `at`) / `decade`), at most 1."""

    at: float
    decade: float

    def log10(self, score: float) -> float:
        """Return the logarithm of the chance."""
        return -max(0.0, score - self.at) / self.decade


# For the sum over the whole window and for the best run: of the best of all candidates, and of one pose that was
# expected. Fitted to real music, alone and under speech, by `python -m benchmarks.audio --calibrate`.
SEARCHED = (Tail(3.69, 1.49), Tail(4.58, 1.78))
EXPECTED = (Tail(1.39, 1.03), Tail(1.45, 1.16))
SEARCHED_HOURS = 10.0  # of references when it was fitted; chance grows as their number

SPEEDS = 1 + np.arange(-10, 11) * 0.002  # what the terms' tolerance lets through
SHIFTS = np.array([0, -1, 1])  # bands


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a query lies on a reference: reference frame = `start_frame` + `speed` * query frame; bands `shift` up."""

    reference: int  # ordinal in the index
    start_frame: float
    speed: float = 1.0
    shift: int = 0


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


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """A stretch of the query: its standardised contrast, its first frame, and what chance reaches in it."""

    contrast: NDArray[np.float32]
    first: int
    index: AudioIndex
    chance: NDArray[np.float64]  # see `_chance`


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    """A pose that one window supports; frames are the query's."""

    pose: Pose
    first_frame: int
    stop_frame: int
    score: float
    log10_false_positive: float


def find(query: AudioQuery, index: AudioIndex, expected: Sequence[Pose] = ()) -> list[AudioAlignment]:
    """
    Find the references that sound in the query, with their spans, strongest first.

    `expected` are poses in which a reference is likely to be here (the stream's last segment had it there): they are
    tested one by one, and less evidence is enough.
    """
    hours = float(index.durations_s.sum()) / 3600
    hypotheses = [h for first, part in _windows(query) for h in _search(part, first, index, expected, hours)]
    found = [a for group in _groups(hypotheses) for a in _localise(query, index, group)]
    return sorted(_distinct(found), key=lambda a: a.log10_false_positive)


def _windows(query: AudioQuery) -> Iterator[tuple[int, AudioQuery]]:
    params = query.landmarks.params
    n, width, hop = len(query.contrast), round(WINDOW_S * params.frames_per_s), round(HOP_S * params.frames_per_s)
    for first in range(0, max(n - width, 0) + hop, hop):
        start = max(0, min(first, n - width))
        stop = min(n, start + width)
        p = query.landmarks
        mine = slice(*np.searchsorted(p.frames, [start, stop]))
        landmarks = AudioPrint(params, WINDOW_S, p.frames[mine] - np.int32(start), p.bands[mine])
        yield start, AudioQuery(landmarks, _standardised(query.contrast[start:stop]))


def _standardised(contrast: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give every band mean 0 and deviation 1 over this stretch: a band that is always loud says nothing."""
    if not len(contrast):
        return contrast
    return np.asarray((contrast - contrast.mean(axis=0)) / (contrast.std(axis=0) + np.float32(1e-3)), np.float32)


def _search(
    part: AudioQuery, first: int, index: AudioIndex, expected: Sequence[Pose], hours: float
) -> list[_Hypothesis]:
    """Return the best pose of every reference that is beyond chance in this window."""
    if not len(part.landmarks.frames) or not len(index.postings):
        return []
    window = _Window(part.contrast, first, index, _chance(part.contrast, index))
    # Fewer hours do not make chance rarer in proportion: as many candidates are verified in any case.
    more = max(0.0, math.log10(hours / SEARCHED_HOURS)) if hours else 0.0
    proposed = candidates(vote(index, part.landmarks), CANDIDATES)
    hypotheses = [_judge(row, window, SEARCHED, more) for row in _verify(part.contrast, index, proposed, JITTER, 0)]
    for pose in expected:
        here = np.array([round(index.bases[pose.reference] + pose.start_frame + pose.speed * first)])
        rows = _verify(part.contrast, index, here, EXPECTED_JITTER, pose.shift)
        hypotheses += [_judge(row, window, EXPECTED, 0.0) for row in rows if row[0] == pose.reference]
    best: dict[int, _Hypothesis] = {}
    for h in sorted(hypotheses, key=lambda h: h.score):
        if h.log10_false_positive <= MAX_LOG10_FALSE_POSITIVE:
            best[h.pose.reference] = h
    return list(best.values())


def _judge(row: NDArray[np.float64], window: _Window, tails: tuple[Tail, Tail], more: float) -> _Hypothesis:
    """Take the more surprising of the two sums of a verified row: the whole window, or its best run."""
    reference, whole_offset, whole, run_offset, run, run_first, run_stop = row
    scores = (np.array([whole, run]) - window.chance[:, 0]) / window.chance[:, 1]
    log10 = [tail.log10(score) for tail, score in zip(tails, scores, strict=True)]
    which = int(np.argmin(log10))
    offset = (whole_offset, run_offset)[which] - window.index.bases[int(reference)]
    start, stop = (0.0, 1.0) if which == 0 else (run_first / BINS, run_stop / BINS)
    n_frames = len(window.contrast)
    return _Hypothesis(
        Pose(int(reference), offset - window.first),
        window.first + int(start * n_frames),
        window.first + int(stop * n_frames),
        float(scores[which]),
        min(0.0, float(log10[which]) + math.log10(2) + more),  # the better of two sums
    )


def _chance(contrast: NDArray[np.float32], index: AudioIndex) -> NDArray[np.float64]:
    """
    Return float64[2, 2]: middle and deviation of the whole-window sum and of the best run, at random poses.

    Middle and deviation are quantiles: in a small catalogue some of the random poses are true ones.
    """
    poses = np.random.default_rng(0).integers(0, int(index.bases[-1]), NULL_POSES)
    rows = _verify(contrast, index, poses, 0, 0)
    if len(rows) < NULL_POSES // 20:
        return np.array([[0.0, 1.0], [1.5, 1.0]])
    low, middle, high = np.quantile(rows[:, [2, 4]], [0.16, 0.5, 0.84], axis=0)
    return np.stack([middle, np.maximum((high - low) / 2, 0.8)], axis=1)


def _verify(
    contrast: NDArray[np.float32], index: AudioIndex, offsets: NDArray[np.int64], jitter: int, shift: int
) -> NDArray[np.float64]:
    """
    Sum the contrast at the references' landmarks for each offset on the index's axis (best of +-`jitter` frames).

    Returns float64[k, 7]: reference, offset and sum / sqrt(n) over the window; offset and sum / sqrt(n) of the best
    run of tenths, first tenth, stop tenth. Offsets with too few landmarks are left out.
    """
    rows = _verify_offsets(
        contrast, index.frames, index.bands, index.landmark_starts, index.bases, offsets, jitter, shift
    )  # fmt: skip
    return rows[rows[:, 2] > -np.inf]


@njit(cache=True, nogil=True)
def _verify_offsets(  # noqa: C901 - one pass over the landmarks; taken apart it would make several
    contrast: NDArray[np.float32],
    frames: NDArray[np.int32],
    bands: NDArray[np.int16],
    landmark_starts: NDArray[np.int64],
    bases: NDArray[np.int64],
    offsets: NDArray[np.int64],
    jitter: int,
    shift: int,
) -> NDArray[np.float64]:
    n_frames, n_bands = contrast.shape
    out = np.full((len(offsets), 7), -np.inf)
    sums, counts = np.empty(BINS + 1), np.empty(BINS + 1)
    for i in range(len(offsets)):
        reference = np.searchsorted(bases, offsets[i] + n_frames // 2, side="right") - 1
        if reference < 0 or reference >= len(bases) - 1:
            continue
        out[i, 0] = reference
        mine = frames[landmark_starts[reference] : landmark_starts[reference + 1]]
        my_bands = bands[landmark_starts[reference] : landmark_starts[reference + 1]]
        for offset in range(offsets[i] - jitter, offsets[i] + jitter + 1):
            start = offset - bases[reference]
            sums[:] = 0
            counts[:] = 0
            for k in range(np.searchsorted(mine, start), len(mine)):
                frame = mine[k] - start
                if frame >= n_frames:
                    break
                band = my_bands[k] + shift
                if 0 <= band < n_bands:
                    tenth = frame * BINS // n_frames + 1
                    sums[tenth] += contrast[frame, band]
                    counts[tenth] += 1
            for tenth in range(BINS):
                sums[tenth + 1] += sums[tenth]
                counts[tenth + 1] += counts[tenth]
            for first in range(BINS - MIN_BINS + 1):
                for stop in range(first + MIN_BINS, BINS + 1):
                    n = counts[stop] - counts[first]
                    if n < MIN_LANDMARKS:
                        continue
                    z = (sums[stop] - sums[first]) / np.sqrt(n)
                    if z > out[i, 4]:
                        out[i, 3], out[i, 4], out[i, 5], out[i, 6] = offset, z, first, stop
                    if stop - first == BINS and z > out[i, 2]:
                        out[i, 1], out[i, 2] = offset, z
    return out


def _groups(hypotheses: Iterable[_Hypothesis]) -> Iterator[list[_Hypothesis]]:
    """
    Put together what windows say of one reference without a break, strongest first.

    Where they disagree on the pose (loops and repeats fit in several places) the strongest is the group's.
    """
    by_reference = sorted(hypotheses, key=lambda h: (h.pose.reference, h.first_frame))
    for _, mine in groupby(by_reference, key=lambda h: h.pose.reference):
        group: list[_Hypothesis] = []
        for h in mine:
            if group and h.first_frame > max(g.stop_frame for g in group):
                yield group
                group = []
            group.append(h)
        yield group


def _localise(query: AudioQuery, index: AudioIndex, group: list[_Hypothesis]) -> Iterator[AudioAlignment]:
    """Refine the group's best pose, find where it begins and ends, and go on with the poses of what lies outside."""
    params = query.landmarks.params
    margin = round(HOP_S * params.frames_per_s)
    start = max(0, min(h.first_frame for h in group) - margin)
    stop = min(len(query.contrast), max(h.stop_frame for h in group) + margin)
    contrast = _standardised(query.contrast[start:stop])
    best = max(group, key=lambda h: h.score)
    reference = index.print_of(best.pose.reference, params)
    pose = _refine(reference, contrast[best.first_frame - start : best.stop_frame - start], best)
    found = _loudest_run(*_evidence(reference, contrast, pose, start))
    if found is None:
        return
    to_s = params.hop_length / params.sample_rate
    centre_s = params.n_fft / params.sample_rate / 2  # a frame speaks of its window's middle
    query_span = _snapped(found[0] * to_s + centre_s, found[1] * to_s + centre_s, query.landmarks.duration_s)
    offset_s = pose.start_frame * to_s + centre_s * (1 - pose.speed)
    ends = np.clip([offset_s + pose.speed * s for s in query_span], 0, reference.duration_s).tolist()
    yield AudioAlignment(
        pose.reference,
        Span(*query_span),
        Span(*ends),
        pose.speed,
        12 * pose.shift / params.bands_per_octave,
        best.score,
        best.log10_false_positive,
    )
    outside = [h for h in group if (h.first_frame + h.stop_frame) / 2 > found[1] or h.stop_frame <= found[0]]
    outside = [h for h in outside if h is not best]
    if outside:
        yield from _localise(query, index, outside)


def _snapped(begin_s: float, end_s: float, duration_s: float) -> tuple[float, float]:
    """Move ends that lie within half a second of the query's own ends onto them: there is nothing there to say no."""
    return (0.0 if begin_s < 0.5 else begin_s), (duration_s if end_s > duration_s - 0.5 else min(end_s, duration_s))


def _refine(reference: AudioPrint, contrast: NDArray[np.float32], best: _Hypothesis) -> Pose:
    """Try small dilations and translations of the pose around the middle of its window; keep the best."""
    middle = best.first_frame + len(contrast) / 2
    tries = [
        Pose(best.pose.reference, best.pose.start_frame + jitter + (1 - speed) * middle, speed, shift)
        for speed in SPEEDS.tolist()
        for shift in SHIFTS.tolist()
        for jitter in (-1.0, 0.0, 1.0)
    ]

    def strength(pose: Pose) -> tuple[float, float]:
        _, values = _evidence(reference, contrast, pose, best.first_frame)
        return round(float(values.sum()) / math.sqrt(len(values) + 1), 1), -abs(pose.speed - 1)

    return max(tries, key=strength)


def _evidence(
    reference: AudioPrint, contrast: NDArray[np.float32], pose: Pose, first: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return the query frame at which each of the reference's landmarks should be, and the contrast found there."""
    frames = (reference.frames - pose.start_frame) / pose.speed
    row = np.rint(frames).astype(np.int64) - first
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
