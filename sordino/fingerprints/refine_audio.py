"""
A pose that was found to a better one: speed, pitch and place are tried around it, by what stands out.

The search knows speeds to a percent, pitches to a band and places to a frame or two; over a minute that is too little.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.model import AudioPrint
from sordino.fingerprints.params import AudioParams
from sordino.fingerprints.search_audio import Pose

Steps = tuple[Iterable[float], Iterable[float], Iterable[float]]  # of speed, of shift (bands), of start (frames)
WIDE: Steps = (0.01 * np.arange(-20, 21), (0.0,), np.arange(-48.0, 49.0, 3.0))  # held notes fit at a wrong speed too
COARSE: Steps = (0.002 * np.arange(-4, 5), (-1.0, 0.0, 1.0), (-2.0, -1.0, 0.0, 1.0, 2.0))
FINE: Steps = (0.0004 * np.arange(-8, 9), (-1.0, 0.0, 1.0), (-1.0, -0.5, 0.0, 0.5, 1.0))
NEARLY = 1.0  # standard deviations: poses so near to the best are averaged, as places are known to a frame only
UNCHANGED = 0.3  # and another speed than 1 must gain so much
AWAY = 10.0  # and, for every 100 % that it is off the speed that was found, so much
UNSHIFTED = 0.25  # bands of pitch that are none
OVERLAP_S = 2.5  # of stretches of one reference: the end of the one that was placed first is not known exactly


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """
    A piece of a query of `n_frames`, from frame `start` on.

    Poses are compared by what is salient, ends are found by all contrast: both float32[k, n_bands].
    """

    n_frames: int
    start: int
    contrast: NDArray[np.float32]
    salient: NDArray[np.float32]

    @property
    def stop(self) -> int:
        """The frame after the last."""
        return self.start + len(self.contrast)

    def around(self, frame: float, runs: Sequence[tuple[float, float]], params: AudioParams) -> "Piece":
        """Return what is left of the piece around a frame between these runs of frames, and a little of them."""
        overlap = OVERLAP_S * params.frames_per_s
        low = max([self.start, *(int(stop - overlap) for _, stop in runs if stop < frame)])
        high = min([self.stop, *(int(first + overlap) for first, _ in runs if first > frame)])
        mine = slice(low - self.start, high - self.start)
        return replace(self, start=low, contrast=self.contrast[mine], salient=self.salient[mine])


def strengths(reference: AudioPrint, piece: Piece, poses: Sequence[Pose]) -> NDArray[np.float64]:
    """Return how strong each pose is in all of the piece: float64[k], in deviations."""
    rows = np.array([[pose.start_frame, pose.speed, round(pose.shift)] for pose in poses])
    return np.asarray(_strengths(reference.frames, reference.bands, piece.salient, piece.start, rows))


def refine(
    reference: AudioPrint, piece: Piece, pose: Pose, middle: float, run: tuple[float, float], steps: Steps
) -> Pose:
    """Try changes of a pose, about the frame in the middle of where it fits, on a run of frames; return the best."""
    tries = np.array(list(product(*steps)))
    poses, strengths = _tried(reference, piece, pose, middle, run, tries)
    unlikely = UNCHANGED * (poses[:, 1] != 1.0) + AWAY * np.abs(poses[:, 1] - pose.speed)
    return Pose(pose.reference, *poses[int((strengths - unlikely).argmax())].tolist())


def between(reference: AudioPrint, piece: Piece, pose: Pose, middle: float, run: tuple[float, float]) -> Pose:
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
    piece: Piece,
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
