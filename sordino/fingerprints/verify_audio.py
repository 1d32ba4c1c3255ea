"""
A window of the query and the references that sound in it: proposed by votes, verified, and judged against chance.

Votes only propose. What decides is the query's standardised contrast *at the places where the reference's landmarks
should be*, summed over sqrt(n): under a voice the peaks are maxima no longer, but they still stand out. How large that
sum gets by chance depends on the query (sustained notes coincide), so it is measured on the query itself: at random
poses, and by what the other references reach.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.index import AudioIndex, candidates, vote
from sordino.fingerprints.model import AudioPrint, AudioQuery

WINDOW_S = 10.0
HOP_S = 5.0
CANDIDATES = 200  # the right one was among so many in 97 % at -12 dB, 10 s, 3 h of references
JITTER = 3  # frames to each side of a candidate's cell
EXPECTED_JITTER = 12  # and of a pose that was expected: it was fitted elsewhere in the song
BINS = 10  # a song may play in a part of the window only: sums over runs of ...
MIN_BINS = 3  # ... at least so many tenths are weighed too
MIN_LANDMARKS = 30  # fewer say nothing: a second of most music
NULL_POSES = 600
DEVIATIONS = (0.8, 2.0)  # of chance; more is seen only where the random poses fall on a loop that really plays
MAX_LOG10_FALSE_POSITIVE = -3.0


@dataclass(frozen=True, slots=True)
class Tail:
    """The chance that a window without the work reaches `s` deviations: 10^-((s - `at`) / `decade`), at most 1."""

    at: float
    decade: float

    def log10(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logarithm of the chance of each score."""
        return -np.maximum(0.0, scores - self.at) / self.decade


# Each pair is for the sum over the whole window and for the best run. The deviations of the best candidate *less those
# that other references reach in the same window* decide: sustained notes coincide with many, a song is one's own. The
# plain deviations of the best are the second opinion, where a recording is registered many times; those of a pose that
# was expected stand for themselves. Fitted to real music, alone and under speech: `python -m benchmarks.audio
# --calibrate`.
OUTSTANDING = (Tail(0.86, 1.04), Tail(0.39, 1.87))
SEARCHED = (Tail(3.69, 1.49), Tail(4.58, 1.78))
EXPECTED = (Tail(1.39, 1.03), Tail(1.45, 1.16))
SECOND_OPINION = 1.0  # decades that it must be surer by, so that asking it costs next to nothing
SEARCHED_HOURS = 10.0  # of references when it was fitted; chance grows as their number
OTHERS = slice(2, 8)  # ranks of the references that say what others reach: the first two may both be right
TYPICAL_OTHERS = (4.4, 5.3)  # where there are not so many references


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a query lies on a reference: reference frame = `start_frame` + `speed` * query frame; bands `shift` up."""

    reference: int  # ordinal in the index
    start_frame: float
    speed: float = 1.0
    shift: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A stretch of the query: its standardised contrast, its first frame, and what chance reaches in it."""

    contrast: NDArray[np.float32]
    first: int
    index: AudioIndex
    chance: NDArray[np.float64]  # see `chance`

    def deviations(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return float64[k, 2]: how far the two sums of verified rows are above chance."""
        return (rows[:, [2, 4]] - self.chance[:, 0]) / self.chance[:, 1]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A pose that one window supports; frames are the query's."""

    pose: Pose
    first_frame: int
    stop_frame: int
    score: float
    log10_false_positive: float


def windows(query: AudioQuery) -> Iterator[tuple[int, AudioQuery]]:
    """Yield the first frame and the content of overlapping windows, each with its contrast standardised."""
    params = query.landmarks.params
    n, width, hop = len(query.contrast), round(WINDOW_S * params.frames_per_s), round(HOP_S * params.frames_per_s)
    rest = max(0, n - width - hop // 4)  # a little more than a window is one window: its ends are looked for beyond it
    for first in range(0, rest + hop, hop):
        start = max(0, min(first, n - width))
        stop = min(n, start + width)
        p = query.landmarks
        mine = slice(*np.searchsorted(p.frames, [start, stop]))
        landmarks = AudioPrint(params, WINDOW_S, p.frames[mine] - np.int32(start), p.bands[mine])
        yield start, AudioQuery(landmarks, standardised(query.contrast[start:stop]))


def standardised(contrast: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give every band mean 0 and deviation 1 over this stretch: a band that is always loud says nothing."""
    if not len(contrast):
        return contrast
    return np.asarray((contrast - contrast.mean(axis=0)) / (contrast.std(axis=0) + np.float32(1e-3)), np.float32)


def search(part: AudioQuery, first: int, index: AudioIndex, expected: Sequence[Pose], hours: float) -> list[Hypothesis]:
    """Return the best pose of every reference that is beyond chance in this window."""
    if not len(part.landmarks.frames) or not len(index.postings):
        return []
    window = Window(part.contrast, first, index, chance(part.contrast, index))
    rows = verify(part.contrast, index, candidates(vote(index, part.landmarks), CANDIDATES), JITTER, 0)
    deviations = window.deviations(rows)
    standing_out = _log10(deviations - others_reach(rows[:, 0], deviations), OUTSTANDING)
    by_itself = _log10(deviations, SEARCHED) + SECOND_OPINION
    # Fewer hours do not make chance rarer in proportion: as many candidates are verified in any case.
    more = max(0.0, math.log10(hours / SEARCHED_HOURS)) if hours else 0.0
    hypotheses = list(_beyond_chance(rows, np.minimum(standing_out, by_itself) + more, window))
    for pose in expected:
        here = np.array([round(index.bases[pose.reference] + pose.start_frame + pose.speed * first)])
        rows = verify(part.contrast, index, here, EXPECTED_JITTER, pose.shift)
        rows = rows[rows[:, 0] == pose.reference]
        found = _beyond_chance(rows, _log10(window.deviations(rows), EXPECTED), window)
        hypotheses += [_as_expected(h, pose) for h in found]
    best = {h.pose.reference: h for h in sorted(hypotheses, key=lambda h: h.score)}
    return list(best.values())


def _log10(scores: NDArray[np.float64], tails: tuple[Tail, Tail]) -> NDArray[np.float64]:
    """Return float64[k, 2]: the chance of the two sums of each row, of which the better one will be taken."""
    return np.stack([tail.log10(scores[:, k]) for k, tail in enumerate(tails)], axis=1) + math.log10(2)


def _beyond_chance(rows: NDArray[np.float64], log10: NDArray[np.float64], window: Window) -> Iterator[Hypothesis]:
    """Yield the verified rows that chance does not explain, by the more surprising of their two sums."""
    scores, n_frames = window.deviations(rows), len(window.contrast)
    for k in np.flatnonzero(log10.min(axis=1, initial=0.0) <= MAX_LOG10_FALSE_POSITIVE):
        reference, whole_offset, _, run_offset, _, run_first, run_stop = rows[k]
        which = int(log10[k].argmin())
        offset = (whole_offset, run_offset)[which] - window.index.bases[int(reference)]
        start, stop = (0.0, 1.0) if which == 0 else (run_first / BINS, run_stop / BINS)
        yield Hypothesis(
            Pose(int(reference), offset - window.first),
            window.first + int(start * n_frames),
            window.first + int(stop * n_frames),
            float(scores[k, which]),
            float(log10[k, which]),
        )


def _as_expected(found: Hypothesis, pose: Pose) -> Hypothesis:
    """Give a pose that was expected its speed and shift, through the middle of where it was verified."""
    middle = (found.first_frame + found.stop_frame) / 2
    start_frame = found.pose.start_frame + (1 - pose.speed) * middle
    return replace(found, pose=replace(pose, start_frame=start_frame))


def others_reach(references: NDArray[np.float64], deviations: NDArray[np.float64]) -> tuple[float, float]:
    """Return what references that are not the best reach in this window, by the whole sum and by the best run."""
    names, which = np.unique(references, return_inverse=True)
    best = np.full((len(names), 2), -np.inf)
    np.maximum.at(best, which, deviations)
    ranked = np.sort(best, axis=0)[::-1][OTHERS]
    missing = OTHERS.stop - OTHERS.start - len(ranked)
    whole, run = np.median(np.concatenate([ranked, np.tile(TYPICAL_OTHERS, (missing, 1))]), axis=0)
    return float(whole), float(run)


def chance(contrast: NDArray[np.float32], index: AudioIndex) -> NDArray[np.float64]:
    """
    Return float64[2, 2]: middle and deviation of the whole-window sum and of the best run, at random poses.

    Middle and deviation are quantiles: in a small catalogue some of the random poses are true ones.
    """
    poses = np.random.default_rng(0).integers(0, int(index.bases[-1]), NULL_POSES)
    rows = verify(contrast, index, poses, 0, 0)
    if len(rows) < NULL_POSES // 20:
        return np.array([[0.0, 1.0], [1.5, 1.0]])
    low, middle, high = np.quantile(rows[:, [2, 4]], [0.16, 0.5, 0.84], axis=0)
    return np.stack([middle, np.clip((high - low) / 2, *DEVIATIONS)], axis=1)


def verify(
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
        reference = np.searchsorted(bases, offsets[i] + n_frames - 1, side="right") - 1
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
