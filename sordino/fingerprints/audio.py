"""
Sound to landmarks: local maxima of spectral contrast on a logarithmic frequency axis.

Landmark prints go back to Wang, "An Industrial-Strength Audio Search Algorithm" (ISMIR 2003); the logarithmic axis, on
which a pitch shift is a translation, to Six and Leman, "Panako" (ISMIR 2014). Two things are done differently, because
of music under speech: references keep few landmarks and queries many, and a query keeps its whole contrast map, on
which the places where a reference's landmarks should be are looked up even if they are maxima no longer.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from sordino.fingerprints.model import AudioPrint, AudioQuery
from sordino.fingerprints.params import AudioParams

BLOCK_FRAMES = 3000  # one minute of whole seconds: bounds the memory of a long reference
SILENCE = 1e-5  # magnitude added before the logarithm, 150 dB below a full-scale sine: more makes the level matter


def reference_print(pcm: NDArray[np.int16] | NDArray[np.float32], params: AudioParams | None = None) -> AudioPrint:
    """
    Extract the few, strong landmarks that a reference keeps.

    `pcm` is mono at `params.sample_rate`, int16 or float32 in [-1, 1]; NaN and infinity count as silence. Sound shorter
    than one analysis window has no landmarks. Raises ValueError if `pcm` is not one-dimensional.

    >>> t = np.arange(32_000) / 16_000
    >>> len(reference_print(np.sin(2 * np.pi * 440 * t * (1 + t)).astype(np.float32)).frames) > 0
    True
    """
    params = params or AudioParams()
    blocks = _blocks(_checked(pcm), params, params.reference_rate)
    return _print(pcm, params, [(frames, bands) for frames, bands, _ in blocks])


def query_print(pcm: NDArray[np.int16] | NDArray[np.float32], params: AudioParams | None = None) -> AudioQuery:
    """
    Extract the many landmarks of a query, and its contrast map; `pcm` as for `reference_print`.

    >>> query_print(np.zeros(16_000, np.float32)).contrast.shape
    (44, 207)
    """
    params = params or AudioParams()
    blocks = list(_blocks(_checked(pcm), params, params.query_rate))
    contrast = np.concatenate([np.empty((0, params.n_bands), np.float32), *(contrast for _, _, contrast in blocks)])
    return AudioQuery(_print(pcm, params, [(frames, bands) for frames, bands, _ in blocks]), contrast)


def between_bands(query: AudioQuery) -> NDArray[np.float64]:
    """
    Return where in frequency each landmark of a query is, in bands and fractions of them: float64[n].

    By a parabola through the peak and its neighbours (Smith and Serra, "PARSHL", ICMC 1987): shifted by half a band, a
    landmark that is known to the band only would be in the wrong one half of the time.
    """
    frames, bands = query.landmarks.frames, query.landmarks.bands.astype(np.int64)
    last = query.contrast.shape[1] - 1
    below, peak, above = (query.contrast[frames, np.clip(bands + k, 0, last)] for k in (-1, 0, 1))
    bend = np.minimum(below - 2 * peak + above, -1e-6)
    return np.asarray(bands + np.clip((below - above) / (2 * bend), -0.5, 0.5), np.float64)


def _checked(pcm: NDArray[np.int16] | NDArray[np.float32]) -> NDArray[np.int16] | NDArray[np.float32]:
    if pcm.ndim != 1:
        raise ValueError(f"sound must be mono, a one-dimensional array, not of shape {pcm.shape}")
    return pcm


def _print(
    pcm: NDArray[np.int16] | NDArray[np.float32],
    params: AudioParams,
    blocks: list[tuple[NDArray[np.int32], NDArray[np.int16]]],
) -> AudioPrint:
    frames = np.concatenate([np.empty(0, np.int32), *(frames for frames, _ in blocks)])
    bands = np.concatenate([np.empty(0, np.int16), *(bands for _, bands in blocks)])
    return AudioPrint(params, len(pcm) / params.sample_rate, frames, bands)


def _blocks(
    pcm: NDArray[np.int16] | NDArray[np.float32], params: AudioParams, rate: int
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int16], NDArray[np.float32]]]:
    """Yield the landmarks and the contrast of one block after the other, each seen with a little of its neighbours."""
    n_frames = max(0, 1 + (len(pcm) - params.n_fft) // params.hop_length)
    starts = [0, *range(BLOCK_FRAMES, n_frames - BLOCK_FRAMES // 2, BLOCK_FRAMES)] if n_frames else []
    for start, stop in pairwise([*starts, n_frames]):
        low, high = max(0, start - params.peak_frames), min(n_frames, stop + params.peak_frames)
        contrast = contrast_map(pcm[low * params.hop_length : (high - 1) * params.hop_length + params.n_fft], params)
        frames, bands = _peaks(contrast, params, rate, slice(start - low, stop - low))
        yield frames + np.int32(start), bands, contrast[start - low : stop - low]


def contrast_map(pcm: NDArray[np.int16] | NDArray[np.float32], params: AudioParams) -> NDArray[np.float32]:
    """
    Return float32[n_frames, n_bands]: log magnitude less its local mean over frequency, frame by frame.

    What a voice, an equaliser or a low-pass adds smoothly over frequency goes with the mean; what stands out, stays.
    """
    if len(pcm) < params.n_fft:
        return np.empty((0, params.n_bands), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(_as_float(pcm), params.n_fft)[:: params.hop_length]
    spectrum = scipy.fft.rfft(frames * _window(params.n_fft), axis=1)
    return _band_contrast(spectrum, *_filterbank(params), params.local_bands)


def _as_float(pcm: NDArray[np.int16] | NDArray[np.float32]) -> NDArray[np.float32]:
    if pcm.dtype == np.int16:
        return pcm.astype(np.float32) / np.float32(32768)
    return np.nan_to_num(pcm.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)


@lru_cache(maxsize=4)
def _window(n_fft: int) -> NDArray[np.float32]:
    return np.hanning(n_fft).astype(np.float32)


@lru_cache(maxsize=4)
def _filterbank(params: AudioParams) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Return triangular bands of unit sum: the first bin, the number of bins and the (padded) weights of each."""
    bin_hz = params.sample_rate / params.n_fft
    centre = params.min_hz * 2 ** (np.arange(params.n_bands) / params.bands_per_octave)
    width = np.maximum(centre * (2 ** (1 / params.bands_per_octave) - 1), bin_hz)
    first = np.ceil((centre - width) / bin_hz).astype(np.int32)
    bins = first[:, None] + np.arange(int(np.ceil(2 * width.max() / bin_hz)) + 1)
    weights = np.clip(1 - np.abs(bins * bin_hz - centre[:, None]) / width[:, None], 0, None)
    count = bins.shape[1] - np.argmax(weights[:, ::-1] > 0, axis=1)
    return first, count.astype(np.int32), (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def _band_contrast(
    spectrum: NDArray[np.complex64],
    first: NDArray[np.int32],
    count: NDArray[np.int32],
    weights: NDArray[np.float32],
    reach: int,
) -> NDArray[np.float32]:
    n_frames, n_bands = spectrum.shape[0], len(first)
    out = np.empty((n_frames, n_bands), np.float32)
    level = np.empty(n_bands, np.float32)
    total = np.empty(n_bands + 1, np.float64)
    magnitude = np.empty(spectrum.shape[1], np.float32)
    for frame in range(n_frames):
        for k in range(len(magnitude)):
            value = spectrum[frame, k]
            magnitude[k] = np.sqrt(value.real * value.real + value.imag * value.imag)
        total[0] = 0.0
        for band in range(n_bands):
            sum_ = np.float32(SILENCE)
            for k in range(count[band]):
                sum_ += weights[band, k] * magnitude[first[band] + k]
            level[band] = np.log(sum_)
            total[band + 1] = total[band] + level[band]
        for band in range(n_bands):
            low, high = max(0, band - reach), min(n_bands, band + reach + 1)
            out[frame, band] = level[band] - (total[high] - total[low]) / (high - low)
    return out


def _peaks(
    contrast: NDArray[np.float32], params: AudioParams, rate: int, keep: slice
) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """
    Return the `rate` strongest local maxima of every second of some frames, in order of time.

    What hardly moves in its band is none: steady sound has maxima of rounding only.
    """
    relative = contrast / (contrast.std(axis=0) + 1e-3)
    around = np.ones((2 * params.peak_frames + 1, 2 * params.peak_bands + 1), np.uint8)
    moves = contrast - cv2.erode(contrast, around[:, :1]) >= params.peak_rise
    is_peak = (relative >= cv2.dilate(relative, around)) & (relative > 0.5) & moves
    is_peak[:, [0, -1]] = False
    frames, bands = np.nonzero(is_peak[keep])
    second = (frames / params.frames_per_s).astype(np.int64)
    strongest_first = np.lexsort((-relative[keep][frames, bands], second))
    rank = np.arange(len(second)) - np.searchsorted(second[strongest_first], second[strongest_first])
    chosen = np.sort(strongest_first[rank < rate])
    return frames[chosen].astype(np.int32), bands[chosen].astype(np.int16)
