"""
Chromaprint as a peer: what it finds of the same queries.

It has no matcher of its own for excerpts, so its prints are compared as Haitsma and Kalker did (ISMIR 2002): the least
share of bits that differ, over all places where at least half of the query lies on the reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import acoustid
import chromaprint
import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.sounds import RATE, kept_as, pcm, write_array

THRESHOLD = 0.35  # Haitsma and Kalker's: bits that differ
NOTHING = 1.0  # where there is no print
MIN_DIFFERENT = 8  # numbers in a print: silence and held chords repeat one or two, and are like any other silence
WHOLE_S = 100_000  # of a file


@dataclass(frozen=True)
class Prints:
    """Chromaprints of the references, one after the other."""

    items: NDArray[np.uint32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> "Prints":
        """Make them, or take them from the cache."""
        made = [_kept(path) for path in paths]
        starts = np.cumsum([0, *map(len, made)])
        return cls(np.concatenate([*made, np.empty(0, np.uint32)]), starts.astype(np.int64))

    def errors(self, sound: NDArray[np.int16]) -> NDArray[np.float64]:
        """Return float64[references]: the least share of bits that differ between a sound and each reference."""
        asked = items(sound)
        if len(set(asked.tolist())) < MIN_DIFFERENT:
            asked = asked[:0]
        return _least(asked, self.items, self.starts)


def items(sound: NDArray[np.int16]) -> NDArray[np.uint32]:
    """Return the numbers of a sound's Chromaprint: 32 bits each 0.124 s; none of sound shorter than 3 s."""
    blocks = iter([np.ascontiguousarray(sound).tobytes()])
    try:
        coded = acoustid.fingerprint(RATE, 1, blocks, maxlength=WHOLE_S)
    except acoustid.FingerprintGenerationError:
        return np.empty(0, np.uint32)
    numbers, _ = chromaprint.decode_fingerprint(coded)
    return np.array(numbers, np.int64).astype(np.uint32)


@cache
def _kept(path: Path) -> NDArray[np.uint32]:
    kept = kept_as(path, "chromaprints", ".npy")
    if not kept.exists():
        write_array(kept, items(pcm(path)))
    return np.asarray(np.load(kept))


@njit(cache=True)
def _least(query: NDArray[np.uint32], references: NDArray[np.uint32], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    least = np.full(len(starts) - 1, NOTHING)
    half = (len(query) + 1) // 2
    if not len(query):
        return least
    for k in range(len(least)):
        reference = references[starts[k] : starts[k + 1]]
        for offset in range(half - len(query), len(reference) - half + 1):
            first, stop = max(0, -offset), min(len(query), len(reference) - offset)
            differ = 0
            for i in range(first, stop):
                differ += _ones(query[i] ^ reference[i + offset])
            least[k] = min(least[k], differ / (32 * (stop - first)))
    return least


@njit(cache=True)
def _ones(bits: np.uint32) -> int:
    """Count the bits that are set, pairs, quarters and bytes at a time."""
    x = np.uint32(bits)
    x = np.uint32(x - ((x >> np.uint32(1)) & np.uint32(0x55555555)))
    x = np.uint32((x & np.uint32(0x33333333)) + ((x >> np.uint32(2)) & np.uint32(0x33333333)))
    x = np.uint32((x + (x >> np.uint32(4))) & np.uint32(0x0F0F0F0F))
    return int(np.uint32(x * np.uint32(0x01010101)) >> np.uint32(24))
