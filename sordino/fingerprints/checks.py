"""
What a print must be before a kernel sees it: kernels are compiled without bounds, and prints may come from elsewhere.

Each check raises ValueError with the reason. What it lets pass may be nonsense, and is then found nowhere.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.model import AudioPrint, AudioQuery, VideoPrint

MAX_S = 24 * 3600.0  # more than any work lasts, and little enough to lay on the index's axis

MAX_CONTRAST = 1000.0  # it is a difference of logarithms: 50 is more than numbers of 32 bits reach


def check(audio: AudioPrint | AudioQuery | None, video: VideoPrint | None) -> None:
    """Check what there is."""
    if isinstance(audio, AudioQuery):
        audio_query(audio)
    elif audio is not None:
        audio_print(audio)
    if video is not None:
        video_print(video)


def audio_print(p: AudioPrint) -> None:
    """Check lengths, types, order and ranges; and the density, which bounds the number of pairs."""
    _duration(p.duration_s)
    _array("frames", p.frames, np.int32, (None,))
    _array("bands", p.bands, np.int16, p.frames.shape)
    if not len(p.frames):
        return
    if (np.diff(p.frames) < 0).any():
        raise ValueError("frames must ascend")
    if p.frames[0] < 0 or p.frames[-1] > p.duration_s * p.params.frames_per_s:
        raise ValueError(f"frames must lie within {p.duration_s} s, not {p.frames[0]} to {p.frames[-1]}")
    if p.bands.min() < 0 or p.bands.max() >= p.params.n_bands:
        raise ValueError(f"bands must be 0 to {p.params.n_bands - 1}, not {p.bands.min()} to {p.bands.max()}")
    densest = int(np.bincount((p.frames / p.params.frames_per_s).astype(np.int64)).max())
    if densest > max(p.params.query_rate, p.params.reference_rate):
        raise ValueError(f"too many landmarks: {densest} in a second")


def audio_query(query: AudioQuery) -> None:
    """Check the landmarks, and that the contrast map is in range and has a row for each of them."""
    audio_print(query.landmarks)
    _array("contrast", query.contrast, np.float32, (None, query.landmarks.params.n_bands))
    if len(query.landmarks.frames) and query.landmarks.frames[-1] >= len(query.contrast):
        raise ValueError(f"contrast has {len(query.contrast)} frames, landmarks up to {query.landmarks.frames[-1]}")
    if len(query.contrast) > MAX_S * query.landmarks.params.frames_per_s:
        raise ValueError(f"contrast of {len(query.contrast)} frames is too long")
    if not (np.abs(query.contrast) <= MAX_CONTRAST).all():  # NaN is not, either
        raise ValueError(f"contrast must be -{MAX_CONTRAST:g} to {MAX_CONTRAST:g}")


def video_print(p: VideoPrint) -> None:
    """Check lengths, types, order and ranges."""
    _duration(p.duration_s)
    _array("times_s", p.times_s, np.float64, (None,))
    _array("hashes", p.hashes, np.uint64, (len(p.times_s), 4))
    if p.mirrored is not None:
        _array("mirrored", p.mirrored, np.uint64, (len(p.times_s), 4))
    if not len(p.times_s):
        return
    if not np.isfinite(p.times_s).all() or (np.diff(p.times_s) < 0).any():
        raise ValueError("times_s must be finite and ascend")
    if p.times_s[0] < 0 or p.times_s[-1] > MAX_S:
        raise ValueError(f"times_s must be 0 to {MAX_S:g}, not {p.times_s[0]} to {p.times_s[-1]}")


def _duration(seconds: float) -> None:
    if not (math.isfinite(seconds) and 0 <= seconds <= MAX_S):
        raise ValueError(f"duration_s must be 0 to {MAX_S:g}, not {seconds}")


def _array(name: str, array: NDArray[np.generic], kind: type[np.generic], shape: tuple[int | None, ...]) -> None:
    """Check type and shape; None is any length."""
    fits = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if array.dtype != kind or not fits:
        wanted = ", ".join("n" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must be {kind.__name__}[{wanted}], not {array.dtype}{list(array.shape)}")
