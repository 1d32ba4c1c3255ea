"""
Postings to verified, calibrated, localised alignments of sound.

The query is searched in windows (`search_audio`); what they say of one reference is put together, its pose is refined,
and its ends are looked for beyond the windows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.model import AudioPrint, AudioQuery, Span
from sordino.fingerprints.params import AudioParams
from sordino.fingerprints.search_audio import HOP_S, Hypothesis, Pose, References, search, windows
from sordino.fingerprints.verify_audio import MIN_LANDMARKS, salience, standardised

MIN_RUN_S = 1.5  # a shorter run is not what its window was judged by
Steps = tuple[Iterable[float], Iterable[float], Iterable[float]]  # of speed, of shift (bands), of start (frames)
WIDE: Steps = (0.01 * np.arange(-20, 21), (0.0,), np.arange(-48.0, 49.0, 3.0))  # held notes fit at a wrong speed too
COARSE: Steps = (0.002 * np.arange(-4, 5), (-1.0, 0.0, 1.0), (-2.0, -1.0, 0.0, 1.0, 2.0))
FINE: Steps = (0.0004 * np.arange(-8, 9), (-1.0, 0.0, 1.0), (-1.0, -0.5, 0.0, 0.5, 1.0))
NEARLY = 1.0  # standard deviations: poses so near to the best are averaged, as places are known to a frame only
UNCHANGED = 0.3  # and another speed than 1 must gain so much
UNSHIFTED = 0.25  # bands of pitch that are none
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
    """Place the group's strongest pose, then those of windows that lie outside of what was placed."""
    margin = round(HOP_S * query.landmarks.params.frames_per_s)
    start = max(0, min(h.first_frame for h in group) - margin)
    stop = min(len(query.contrast), max(h.stop_frame for h in group) + margin)
    piece = _Piece(start, standardised(query.contrast[start:stop]), salience(query.contrast[start:stop]))
    number, ordinal = references.place(group[0].pose.reference)
    reference = references.indexes[number].print_of(ordinal, query.landmarks.params)
    rest = list(group)
    while rest:
        best = max(rest, key=lambda h: h.score)
        rest.remove(best)
        placed = _place(query.landmarks, reference, best, piece)
        if placed is not None:
            yield placed[0]
            low, high = placed[1]
            rest = [h for h in rest if not low <= (h.first_frame + h.stop_frame) / 2 <= high]


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A piece of a query, from frame `start` on: poses are compared by what is salient, ends found by all contrast."""

    start: int
    contrast: NDArray[np.float32]
    salient: NDArray[np.float32]


def _place(
    query: AudioPrint, reference: AudioPrint, best: Hypothesis, piece: _Piece
) -> tuple[AudioAlignment, tuple[float, float]] | None:
    """Refine a pose and find its ends in a piece of the query; return the run of frames as well."""
    params = query.params
    middle, pose = (best.first_frame + best.stop_frame) / 2, best.pose
    run: tuple[float, float] | None = best.window_first, best.window_stop
    for steps in (WIDE, COARSE, FINE):
        if run is not None:
            pose = _refine(reference, piece, pose, middle, run, steps)
            pose = _between(reference, piece, pose, middle, run) if steps is FINE else pose
            run = _loudest_run(*_evidence(reference, piece, pose), len(piece.contrast) + piece.start, params)
            middle = (run[0] + run[1]) / 2 if run else middle
    to_s = params.hop_length / params.sample_rate
    if run is None or (run[1] - run[0]) * to_s < MIN_RUN_S:
        return None
    centre_s = params.n_fft / params.sample_rate / 2  # a frame speaks of its window's middle
    query_span = _snapped(run[0] * to_s + centre_s, run[1] * to_s + centre_s, query.duration_s)
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
    reference: AudioPrint, piece: _Piece, pose: Pose, middle: float, run: tuple[float, float], steps: Steps
) -> Pose:
    """Try changes of a pose, about the frame in the middle of where it fits, on a run of frames; return the best."""
    tries = np.array(list(product(*steps)))
    poses, strengths = _tried(reference, piece, pose, middle, run, tries)
    return Pose(pose.reference, *poses[int((strengths - UNCHANGED * (poses[:, 1] != 1.0)).argmax())].tolist())


def _between(reference: AudioPrint, piece: _Piece, pose: Pose, middle: float, run: tuple[float, float]) -> Pose:
    """Return the pose with its speed and shift between those that were tried."""
    speeds = np.array(list(product(FINE[0], (0.0,), FINE[2])))
    poses, strengths = _tried(reference, piece, pose, middle, run, speeds)
    weights = np.maximum(0.0, strengths - strengths.max() + NEARLY)
    start, speed, _ = weights @ poses / weights.sum()
    if pose.speed == 1.0:
        start, speed = pose.start_frame, 1.0
    below, here, above = _tried(reference, piece, pose, middle, run, np.array([[0, k, 0] for k in (-1.0, 0.0, 1.0)]))[1]
    bend = min(below - 2 * here + above, -1e-6)
    shift = pose.shift + float(np.clip((below - above) / (2 * bend), -0.5, 0.5))
    return Pose(pose.reference, float(start), float(speed), 0.0 if abs(shift) < UNSHIFTED else shift)


def _tried(
    reference: AudioPrint,
    piece: _Piece,
    pose: Pose,
    middle: float,
    run: tuple[float, float],
    tries: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return poses (start, speed, shift: float64[k, 3]) around one, and how strong each is on a run of frames."""
    low, high = max(0, int(run[0]) - piece.start), int(run[1]) - piece.start + 1
    speeds = np.round(pose.speed + tries[:, 0], 6)
    starts = pose.start_frame + tries[:, 2] - (speeds - pose.speed) * middle
    poses = np.stack([starts, speeds, np.round(pose.shift) + tries[:, 1]], axis=1)
    return poses, _strengths(reference.frames, reference.bands, piece.salient[low:high], piece.start + low, poses)


@njit(cache=True, nogil=True)
def _strengths(  # type: ignore[no-untyped-def]
    frames, bands, salient, start, poses
):
    """Return the sum of what is salient over sqrt(n) for each pose (start, speed, shift): float64[k]."""
    n_frames, n_bands = salient.shape
    out = np.zeros(len(poses))
    for i in range(len(poses)):
        slower, shift, sum_, count = 1 / poses[i, 1], int(poses[i, 2]), 0.0, 1
        for k in range(np.searchsorted(frames, poses[i, 0] + poses[i, 1] * (start - 1)), len(frames)):
            frame = int(np.floor((frames[k] - poses[i, 0]) * slower + 0.5)) - start
            band = bands[k] + shift
            if frame >= n_frames:
                break
            if frame >= 0 and band >= 0 and band < n_bands:
                sum_ += salient[frame, band]
                count += 1
        out[i] = sum_ / np.sqrt(count)
    return out


def _evidence(
    reference: AudioPrint, piece: _Piece, pose: Pose
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
    stop_frame: int,
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
    if first < doubt_frames and gains[:low].sum() > -DOUBT:
        first = 0.0
    if last > stop_frame - doubt_frames and gains[high:].sum() > -DOUBT:
        last = float(stop_frame)
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
        if not any(k.ordinal == a.ordinal and share_stretch(k.query, a.query) for k in kept):
            kept.append(a)
    return kept


def share_stretch(one: Span, other: Span) -> bool:
    """Tell whether the shorter of two spans lies at least half in the other."""
    return one.overlap_s(other) >= 0.5 * min(one.duration_s, other.duration_s)
