"""
Candidates to evidence: how much of a window stands out where a reference's landmarks should be.

Votes only propose. What decides is the query's salience *at the places where the reference's landmarks should be*,
summed over sqrt(n): under a voice the peaks are maxima no longer, but they still stand out. How large that sum gets by
chance depends on the query (sustained notes coincide), so it is measured on the query itself, at random poses.
"""

from functools import lru_cache

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.index import GAP_FRAMES, PAGE_BITS, AudioIndex

MAX_SALIENCE = 3.0  # deviations: what stands out more is a voice
NEIGHBOURS = 2  # bands to each side ...
SHARPEN = 0.25  # ... of which so much is taken away: a note is narrow
RECENT_FRAMES = 51  # 1 s around ...
WHITEN = 0.5  # ... whose mean is taken away by half: all of it would erase sustained notes
BINS = 10  # a song may play in a part of the window only: sums over runs of ...
MIN_BINS = 3  # ... at least so many tenths are weighed too
MIN_LANDMARKS = 60  # fewer say nothing: a second of most music
NULL_POSES = 400
LATER_FRAMES = 25  # half a second
STEADY = 0.05  # correlation after so long, at which chance reaches twice as far ...
WIDEST = 3.0  # ... and never further: of a drone too, only the right reference has all
DEVIATIONS = (0.8, 2.0)  # of chance; more is seen only where the random poses fall on a loop that really plays


ROW = np.dtype(
    [
        ("reference", np.int64),  # its ordinal
        ("starts", np.float64, 2),  # its frame at the window's first frame: of the whole window, of the best run
        ("sums", np.float64, 2),  # over sqrt(n): of the whole window, of the best run of tenths
        ("run", np.int64, 2),  # the run's first and stop tenth
        ("tempo", np.float64),
        ("shift", np.float64),  # bands
    ]
)  # a verified pose


def standardised(contrast: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give every band mean 0 and deviation 1 over this stretch: a band that is always loud says nothing."""
    if not len(contrast):
        return contrast
    return np.asarray((contrast - contrast.mean(axis=0)) / (contrast.std(axis=0) + np.float32(1e-3)), np.float32)


def salience(contrast: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Return what stands out of its band, of its neighbours and of its second: float32[n_frames, n_bands], standardised.

    How far something lies *below* its surroundings is left out: it says that a voice is elsewhere, not that a song
    isn't here. What each step gains is in `docs/decisions/0009-sweep-and-salience.md`.
    """
    if not len(contrast):
        return contrast
    kernel = np.zeros(2 * NEIGHBOURS + 1, np.float32)
    kernel[[0, -1]], kernel[NEIGHBOURS] = -SHARPEN, 1.0
    sharp = cv2.filter2D(standardised(contrast), -1, kernel[None, :], borderType=cv2.BORDER_REPLICATE)
    fresh = sharp - np.float32(WHITEN) * cv2.blur(sharp, (1, RECENT_FRAMES), borderType=cv2.BORDER_REFLECT)
    return standardised(np.clip(standardised(fresh), 0, MAX_SALIENCE))


def verify(
    salient: NDArray[np.float32], index: AudioIndex, poses: NDArray[np.float64], jitter: int
) -> NDArray[np.void]:
    """
    Sum `salient` at the references' landmarks for each pose (best of +-`jitter` frames).

    `poses` float64[k, 3]: frame of the index's axis at the first frame, tempo, shift in bands. Poses with too few
    landmarks are left out. Returns an array of `ROW`.
    """
    padded = np.zeros((salient.shape[1], len(salient) + 2 * jitter), np.float32)
    padded[:, jitter : jitter + len(salient)] = salient.T
    n = len(poses)  # arrays of their own: those of a table of one row would have a type of their own to compile for
    reference, starts = np.zeros(n, np.int64), np.zeros((n, 2))
    sums, runs = np.full((n, 2), -np.inf), np.zeros((n, 2), np.int64)
    _verify(
        padded, jitter, index.pages, index.within, index.bands, index.bases, np.ascontiguousarray(poses),
        reference, starts, sums, runs,
    )  # fmt: skip
    rows = np.zeros(n, ROW)
    rows["reference"], rows["starts"], rows["sums"], rows["run"] = reference, starts, sums, runs
    rows["tempo"], rows["shift"] = poses[:, 1], poses[:, 2]
    return rows[sums[:, 0] > -np.inf]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _verify(  # type: ignore[no-untyped-def]
    padded, jitter, pages, within, bands, bases, poses, reference, starts, best, runs
):
    n_bands, n_frames, width = padded.shape[0], padded.shape[1] - 2 * jitter, 2 * jitter + 1
    sums, counts = np.empty((BINS + 1, width), np.float32), np.empty(BINS + 1, np.int64)
    tenths = np.arange(n_frames) * BINS // n_frames + 1
    for i in range(len(poses)):
        start, tempo, shift = poses[i, 0], poses[i, 1], round(poses[i, 2])
        slower = 1 / tempo
        high = int(np.ceil(start + tempo * n_frames))
        reference[i] = np.searchsorted(bases, high - 1, side="right") - 1
        if reference[i] < 0 or reference[i] >= len(bases) - 1:
            continue
        low = max(int(np.ceil(start)), bases[reference[i]])
        sums[:] = 0
        counts[:] = 0
        for page in range(low >> PAGE_BITS, min(((high - 1) >> PAGE_BITS) + 1, len(pages) - 1)):
            for k in range(pages[page], pages[page + 1]):
                place = (page << PAGE_BITS) + within[k]
                frame = int((place - start) * slower + 0.5)
                band = bands[k] + shift
                if place < low or frame >= n_frames or band < 0 or band >= n_bands:
                    continue
                tenth = tenths[frame]
                counts[tenth] += 1
                for j in range(width):
                    sums[tenth, j] += padded[band, frame + j]
        _best(sums, counts, starts[i], best[i], runs[i])
        # a landmark that is found j frames late means that the reference began so much earlier
        for which in range(2):
            starts[i, which] = start - (starts[i, which] - jitter) * tempo - bases[reference[i]]


@njit(cache=True, nogil=True)
def _best(sums, counts, jitters, best, run):  # type: ignore[no-untyped-def]
    """Fill in the best jitter and sum over sqrt(n), of the whole window and of runs of tenths."""
    for tenth in range(BINS):
        counts[tenth + 1] += counts[tenth]
        sums[tenth + 1] += sums[tenth]
    for first in range(BINS - MIN_BINS + 1):
        for stop in range(first + MIN_BINS, BINS + 1):
            n = counts[stop] - counts[first]
            if n < MIN_LANDMARKS:
                continue
            root = np.sqrt(n)
            for j in range(sums.shape[1]):
                z = (sums[stop, j] - sums[first, j]) / root
                if z > best[1]:
                    jitters[1], best[1], run[0], run[1] = j, z, first, stop
                if stop - first == BINS and z > best[0]:
                    jitters[0], best[0] = j, z


@lru_cache(maxsize=2)
def random_poses(indexes: tuple[AudioIndex, ...]) -> list[NDArray[np.float64]]:
    """Return poses all over the references, the same in whatever order these are: float64[k, 3] for each index."""
    if not any(len(i.durations_s) for i in indexes):
        return [np.empty((0, 3)) for _ in indexes]
    number = np.repeat(np.arange(len(indexes)), [len(i.durations_s) for i in indexes])
    firsts = np.concatenate([i.bases[:-1] for i in indexes]) - GAP_FRAMES
    lengths = np.concatenate([np.diff(i.bases) for i in indexes])
    landmarks = np.concatenate([np.diff(i.pages[i.bases >> PAGE_BITS].astype(np.int64)) for i in indexes])
    order = np.lexsort((landmarks, lengths))  # by what does not depend on when a reference was registered
    stops = np.cumsum(lengths[order])
    places = np.random.default_rng(0).uniform(0, stops[-1], NULL_POSES)
    at = np.searchsorted(stops, places, side="right")
    starts = firsts[order[at]] + places - (stops - lengths[order])[at]
    poses = np.stack([starts, np.ones(NULL_POSES), np.zeros(NULL_POSES)], axis=1)
    return [poses[number[order[at]] == k] for k in range(len(indexes))]


def chance(salient: NDArray[np.float32], indexes: tuple[AudioIndex, ...]) -> NDArray[np.float64]:
    """
    Return float64[2, 2]: middle and deviation of the sum over the window and of that over the best run, by chance.

    Middle and deviation are quantiles: in a small catalogue some of the random poses are true ones.
    """
    poses = zip(indexes, random_poses(indexes), strict=True)
    sums = np.concatenate([np.empty((0, 2)), *(verify(salient, index, some, 0)["sums"] for index, some in poses)])
    if len(sums) < NULL_POSES // 20:
        return np.array([[0.0, 1.0], [1.5, 1.0]])
    low, middle, high = np.quantile(sums, [0.16, 0.5, 0.84], axis=0)
    return np.stack([middle, np.clip((high - low) / 2, *DEVIATIONS)], axis=1)


def widening(salient: NDArray[np.float32]) -> float:
    """Return how many times further the rare coincidences reach than `chance` tells: in held notes, up to three."""
    return float(np.clip(1 + steadiness(salient) / STEADY, 1.0, WIDEST))


def steadiness(salient: NDArray[np.float32]) -> float:
    """
    Return the correlation of a window with itself half a second later: speech has none, held notes have 0.1.

    That of what the frames have beyond their mean: a window that is half silent would be a steady one otherwise.
    """
    if len(salient) <= LATER_FRAMES:
        return 0.0
    beyond = salient - salient.mean(axis=1, keepdims=True)
    return float((beyond[:-LATER_FRAMES] * beyond[LATER_FRAMES:]).mean() / max(1e-9, float((beyond**2).mean())))
