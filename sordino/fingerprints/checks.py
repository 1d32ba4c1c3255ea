"""
What a print must be before a kernel sees it: kernels are compiled without bounds, and prints may come from elsewhere.

Each check raises ValueError with the reason. What it lets pass may be nonsense, and is then found nowhere.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.model import AudioPrint, AudioQuery, VideoPrint, VideoQuery
from sordino.fingerprints.video import N_BITS, STILL_S

MAX_S = 24 * 3600.0  # more than any work lasts, and little enough to lay on the index's axis

MAX_HEIGHT = 1000.0  # of a picture, in its widths
MAX_CONTRAST = 1000.0  # it is a difference of logarithms: 50 is more than numbers of 32 bits reach


def check(audio: AudioPrint | AudioQuery | None, video: VideoPrint | VideoQuery | None) -> None:
    """Check what there is."""
    if isinstance(audio, AudioQuery):
        audio_query(audio)
    elif audio is not None:
        audio_print(audio)
    if isinstance(video, VideoQuery):
        video_query(video)
    elif video is not None:
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


def video_query(query: VideoQuery) -> None:
    """Check the landmarks, and that there are four bits for each."""
    p = query.landmarks
    video_print(p)
    _array("unsure", query.unsure, np.uint8, (len(p.words), 4))
    if len(query.unsure) and query.unsure.max() >= N_BITS:
        raise ValueError(f"unsure bits must be 0 to {N_BITS - 1}, not {query.unsure.max()}")


def video_print(p: VideoPrint) -> None:
    """Check lengths, types, order and ranges; and the number of a frame's landmarks, which bounds the work."""
    _duration(p.duration_s)
    if not 0 < p.height <= MAX_HEIGHT:
        raise ValueError(f"height must be more than 0 and at most {MAX_HEIGHT:g} widths, not {p.height}")
    _array("times_s", p.times_s, np.float64, (None,))
    _array("until_s", p.until_s, np.float64, p.times_s.shape)
    _array("starts", p.starts, np.int64, (len(p.times_s) + 1,))
    _array("words", p.words, np.uint64, (None,))
    _array("places", p.places, np.float32, (len(p.words), 3))
    of_each = np.diff(p.starts)
    if p.starts[0] != 0 or p.starts[-1] != len(p.words) or (of_each < 0).any():
        raise ValueError(f"starts must ascend from 0 to {len(p.words)}")
    if len(of_each) and of_each.max() > max(
        p.params.hot_landmarks, p.params.query_landmarks, p.params.reference_landmarks
    ):
        raise ValueError(f"too many landmarks: {of_each.max()} in a frame")
    if not ((p.places >= 0) & (p.places <= [1, MAX_HEIGHT, 1]) & (p.places[:, 2:] > 0)).all():  # NaN is not, either
        raise ValueError(f"places must be 0 to 1 and 0 to {MAX_HEIGHT:g}, their sizes more than 0 and at most 1")
    shown_s = np.stack([p.times_s, p.until_s], axis=1).ravel()  # first and last, frame by frame
    if not np.isfinite(shown_s).all() or (np.diff(shown_s) < 0).any():
        raise ValueError("times_s and until_s must be finite and ascend")
    if len(shown_s) and (shown_s[0] < 0 or shown_s[-1] > MAX_S):
        raise ValueError(f"times_s must be 0 to {MAX_S:g}, not {shown_s[0]} to {shown_s[-1]}")
    if len(shown_s) and (p.until_s - p.times_s).max() > STILL_S:
        raise ValueError(f"a frame must not be shown for more than {STILL_S:g} s at once")


def _duration(seconds: float) -> None:
    if not (math.isfinite(seconds) and 0 <= seconds <= MAX_S):
        raise ValueError(f"duration_s must be 0 to {MAX_S:g}, not {seconds}")


def _array(name: str, array: NDArray[np.generic], kind: type[np.generic], shape: tuple[int | None, ...]) -> None:
    """Check type and shape; None is any length."""
    fits = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if array.dtype != kind or not fits:
        wanted = ", ".join("n" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must be {kind.__name__}[{wanted}], not {array.dtype}{list(array.shape)}")
