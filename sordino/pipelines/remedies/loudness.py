"""How loud sound is to people: ITU-R BS.1770-4, as EBU R 128 uses it."""

import numpy as np
import scipy.signal
from numpy.typing import NDArray

BLOCK_S, HOP_S = 0.4, 0.1
SILENCE_LUFS, QUIETER_LU = -70.0, -10.0  # gates: what counts at all, and what counts beside louder blocks
FRONT, SURROUND, LFE = 1.0, 1.41, 0.0
WEIGHTS = {6: (FRONT, FRONT, FRONT, LFE, SURROUND, SURROUND)}  # 5.1; the channels of others count alike


def loudness(samples: NDArray[np.float32], sample_rate: int) -> float:
    """
    Return the integrated loudness in LUFS of float32[n, channels], full scale at 1; minus infinity for silence.

    >>> tone = np.sin(2 * np.pi * 997 * np.arange(48000) / 48000)
    >>> round(loudness(np.stack([tone, tone], axis=1).astype(np.float32), 48000), 1)
    0.0
    """
    power = _block_power(_weighted(samples.astype(np.float64), sample_rate), sample_rate)
    weights = np.array(WEIGHTS.get(samples.shape[1], (FRONT,) * samples.shape[1]))
    blocks = power @ weights
    loud = blocks[_lufs(blocks) > SILENCE_LUFS]
    if not loud.size:
        return float("-inf")
    return float(_lufs(loud[_lufs(loud) > _lufs(loud.mean()) + QUIETER_LU].mean()))


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(power, 1e-12)))


def _block_power(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return the mean squares of each block that is whole (of all, where none is): float64[blocks, channels]."""
    length, hop = round(BLOCK_S * rate), round(HOP_S * rate)
    squares = samples**2
    if len(squares) <= length:
        return np.asarray(squares.mean(axis=0, keepdims=True))
    sums = np.concatenate([np.zeros((1, samples.shape[1])), np.cumsum(squares, axis=0)])
    starts = np.arange(0, len(squares) - length + 1, hop)
    return np.asarray((sums[starts + length] - sums[starts]) / length)


def _weighted(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Filter as the head and the ear do: a shelf of 4 dB from 1.7 kHz on, and less below 38 Hz; for any sample rate."""
    k = np.tan(np.pi * 1681.974450955533 / rate)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    shelf = [high + middle * k / q + k * k, 2 * (k * k - high), high - middle * k / q + k * k]
    shelved = scipy.signal.lfilter(shelf, [1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k], samples, axis=0)
    k, q = np.tan(np.pi * 38.13547087602444 / rate), 0.5003270373238773
    cut = [1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k]
    return np.asarray(scipy.signal.lfilter(np.array([1, -2, 1]) * cut[0], cut, shelved, axis=0))
