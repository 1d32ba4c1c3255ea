"""
Pictures to descriptors: 256 bits a frame that survive scaling, compression and changes of brightness.

The descriptor follows PDQ (Facebook, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm", 2019):
which of the low frequencies of the luminance are above their median. The mirror image costs nothing: reflecting the
picture negates the odd horizontal frequencies.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.model import VideoPrint
from sordino.fingerprints.params import VideoParams

_BATCH = 256  # frames transformed together: 4 MiB of 64 x 64 float32


def fingerprint(
    times_s: NDArray[np.float64],
    frames: Iterable[NDArray[np.uint8]],
    duration_s: float,
    params: VideoParams | None = None,
    *,
    mirrored: bool = False,
) -> VideoPrint:
    """
    Describe the frames of a video; flat and black ones (quality below `params.min_quality`) are left out.

    `times_s` float64[n], ascending, in seconds; `frames` n luminance pictures uint8[height, width] of any size, taken
    one by one, so they need not be in memory together. `mirrored` adds the descriptors of the mirror image, which
    queries need. Raises ValueError for times that are not finite and ascending, for another number of frames, and for
    frames that are other arrays.

    >>> ramp = np.add.outer(np.arange(0, 240, 4), np.arange(90) % 16).astype(np.uint8)
    >>> fingerprint(np.array([0.0, 0.5]), [ramp, np.zeros((60, 90), np.uint8)], 1.0).times_s
    array([0.])
    """
    params = params or VideoParams()
    times_s = np.asarray(times_s, dtype=np.float64)
    if times_s.ndim != 1 or not np.isfinite(times_s).all() or (np.diff(times_s) < 0).any():
        raise ValueError("frame times must be finite and ascending")
    size = params.dct_size
    spectra = [np.empty((0, size, size), dtype=np.float32)]
    kept: list[NDArray[np.bool_]] = [np.empty(0, dtype=np.bool_)]
    for batch in _batches(frames, params.image_size):
        good = quality(batch) >= params.min_quality
        kept.append(good)
        spectra.append(_low_frequencies(batch[good], size))
    keep, spectrum = np.concatenate(kept), np.concatenate(spectra)
    if len(keep) != len(times_s):
        raise ValueError(f"{len(times_s)} frame times for {len(keep)} frames")
    reflected = _bits(spectrum * _reflection(size)) if mirrored else None
    return VideoPrint(params, float(duration_s), times_s[keep], _bits(spectrum), reflected)


def quality(images: NDArray[np.float32]) -> NDArray[np.int64]:
    """
    Say how much there is to see in each picture, 0 (flat) to 100: PDQ's sum of luminance steps between neighbours.

    `images` float32[n, size, size], 0 to 255. Steps under 2.55 count for nothing: noise is no picture.
    """
    steps = [np.abs(np.trunc(np.diff(images, axis=axis) * (100 / 255))).sum(axis=(1, 2)) for axis in (1, 2)]
    area = (images.shape[1] / 64) ** 2
    percent: NDArray[np.int64] = np.minimum(100, np.sum(steps, axis=0) / (90 * area)).astype(np.int64)
    return percent


def _batches(frames: Iterable[NDArray[np.uint8]], size: int) -> Iterator[NDArray[np.float32]]:
    """Reduce the pictures to squares, float32[at most _BATCH, size, size]."""
    squares: list[NDArray[np.float32]] = []
    for frame in frames:
        squares.append(_square(frame, size))
        if len(squares) == _BATCH:
            yield np.stack(squares)
            squares.clear()
    if squares:
        yield np.stack(squares)


def _square(frame: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    if frame.dtype != np.uint8 or frame.ndim != 2 or frame.size == 0:
        raise ValueError(f"a frame must be uint8[height, width], not {frame.dtype}{list(frame.shape)}")
    # The mean over the area of each cell, as a camera's pixel has it. In float: rounding would show in dark pictures.
    reduced = cv2.resize(frame.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, dtype=np.float32)


@lru_cache(maxsize=4)
def _cosines(size: int, length: int) -> NDArray[np.float32]:
    """Return the DCT-II cosines for frequencies 1 to `size` over `length` places: float32[size, length]."""
    frequency, place = np.mgrid[1 : size + 1, 0:length]
    return np.asarray(np.cos(np.pi * frequency * (place + 0.5) / length), dtype=np.float32)


def _low_frequencies(images: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return frequencies 1 to `size` of both directions, so without any mean: float32[n, size, size]."""
    cosines = _cosines(size, images.shape[1])
    return np.asarray(cosines @ images @ cosines.T, dtype=np.float32)


def _reflection(size: int) -> NDArray[np.float32]:
    """Return the factors of the horizontal frequencies 1, 2, 3 ... in a mirror: -1, 1, -1 ..."""
    return np.where(np.arange(1, size + 1) % 2 == 1, -1, 1).astype(np.float32)


def _bits(spectrum: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Compare each coefficient with the median of its picture: uint64[n, 4] of float32[n, 16, 16]."""
    flat = spectrum.reshape(len(spectrum), spectrum.shape[1] * spectrum.shape[2])
    above = flat > np.median(flat, axis=1, keepdims=True)
    return np.packbits(above, axis=1).view(np.uint64)
