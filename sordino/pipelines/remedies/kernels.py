"""The inner loops of cancelling: sums over cells of short-time spectra. They assume what `cancel` gives them."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.complex64]


def moments(
    inputs: Cells, mixed: Cells, gain: NDArray[np.float32], weight: NDArray[np.float32], block: int
) -> tuple[Cells, Cells]:
    """
    Return the sums of weighted least squares, for each block of frames and each bin.

    `inputs` are [inputs, frames, bins], `mixed` [channels, frames, bins], `gain` [frames], `weight` [frames, bins]; the
    sums of the inputs by each other [blocks, bins, inputs, inputs], by the mixture [blocks, bins, channels, inputs].
    """
    n_inputs, frames, bins = inputs.shape
    blocks = -(-frames // block)
    products = np.zeros((blocks, bins, n_inputs, n_inputs), np.complex64)
    targets = np.zeros((blocks, bins, len(mixed), n_inputs), np.complex64)
    _moments(inputs, mixed, gain, weight, block, products, targets)
    return products, targets


@numba.njit(cache=True, nogil=True, fastmath=True)
def _moments(inputs: Any, mixed: Any, gain: Any, weight: Any, block: int, products: Any, targets: Any) -> None:
    n_inputs, frames, bins = inputs.shape
    for t in range(frames):
        nth, louder = t // block, gain[t]
        for f in range(bins):
            for i in range(n_inputs):
                weighted = weight[t, f] * louder * np.conj(inputs[i, t, f])
                for c in range(mixed.shape[0]):
                    targets[nth, f, c, i] += weighted * mixed[c, t, f]
                weighted *= louder
                for j in range(i, n_inputs):
                    products[nth, f, i, j] += weighted * inputs[j, t, f]
    for nth in range(products.shape[0]):
        for f in range(bins):
            for i in range(n_inputs):
                for j in range(i):
                    products[nth, f, i, j] = np.conj(products[nth, f, j, i])


def filtered(inputs: Cells, filters: Cells, block: int) -> Cells:
    """
    Return the inputs through filters, [channels, frames, bins].

    `filters` are [blocks, bins, channels, inputs], each that of its block's middle; between them they are interpolated.
    """
    estimate = np.zeros((filters.shape[2], *inputs.shape[1:]), np.complex64)
    _filtered(inputs, filters, block, estimate)
    return estimate


@numba.njit(cache=True, nogil=True, fastmath=True)
def _filtered(inputs: Any, filters: Any, block: int, estimate: Any) -> None:
    n_inputs, frames, bins = inputs.shape
    last = filters.shape[0] - 1
    for t in range(frames):
        place = min(max((t + 0.5) / block - 0.5, 0.0), float(last))
        nth = min(int(place), max(0, last - 1))
        part = np.float32(place - nth)
        after = min(nth + 1, last)
        for f in range(bins):
            for c in range(estimate.shape[0]):
                total = np.complex64(0)
                for i in range(n_inputs):
                    h = filters[nth, f, c, i]
                    total += (h + part * (filters[after, f, c, i] - h)) * inputs[i, t, f]
                estimate[c, t, f] = total


def agreement(
    estimate: Cells, mixed: Cells, weight: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each frame the weighted product of estimate and mixture, and the weighted energy of the estimate."""
    return _agreement(estimate, mixed, weight)  # type: ignore[no-any-return]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _agreement(estimate: Any, mixed: Any, weight: Any) -> Any:
    channels, frames, bins = estimate.shape
    product, energy = np.zeros(frames), np.zeros(frames)
    for t in range(frames):
        for f in range(bins):
            for c in range(channels):
                e, m = estimate[c, t, f], mixed[c, t, f]
                product[t] += weight[t, f] * (e.real * m.real + e.imag * m.imag)
                energy[t] += weight[t, f] * (e.real * e.real + e.imag * e.imag)
    return product, energy
