"""Exact search over 256-bit hashes: which rows of an index are within a Hamming radius of which query rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]  # [n, 4]: 256 bits a row

_BLOCK = 2048  # index rows looked at together: 64 KiB stay in the cache while all query rows pass over them


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Pairs within the radius, by query row and then index row: int64[k], int64[k], int16[k]."""

    query_rows: NDArray[np.int64]
    index_rows: NDArray[np.int64]
    distances: NDArray[np.int16]


def search(index: Hashes, query: Hashes, radius: int, limit: int = 1000) -> Hits:
    """
    Find the pairs of query and index rows at most `radius` bits apart; exact, by comparing all.

    `index` uint64[m, 4] (it may be memory-mapped) and `query` uint64[n, 4], either may be empty. A query row that has
    more than `limit` hits keeps the nearest, among equals those of the lowest index rows, so there are never more than
    n x `limit`. Raises ValueError for arrays of other shapes or types.
    """
    index, query = _checked(index, "index"), _checked(query, "query")
    counts = _count(index, query, radius)
    cut, ties = _cuts(counts, limit)
    wanted = np.flatnonzero(counts.any(axis=1))  # mostly few rows or none: a segment without a known work ends here
    sizes = np.minimum(counts[wanted].sum(axis=1), limit)
    ends = np.cumsum(sizes)
    index_rows = np.empty(int(sizes.sum()), dtype=np.int64)
    distances = np.empty(len(index_rows), dtype=np.int16)
    _collect(index, query[wanted], cut[wanted], ties[wanted], ends - sizes, index_rows, distances)
    return Hits(np.repeat(wanted, sizes), index_rows, distances)


def distances(left: Hashes, right: Hashes) -> NDArray[np.int16]:
    """Count the bits in which each row of uint64[n, 4] differs from each row of uint64[m, 4]: int16[n, m]."""
    left, right = _checked(left, "left"), _checked(right, "right")
    differing: NDArray[np.int16] = np.bitwise_count(left[:, None, :] ^ right[None, :, :]).sum(axis=2, dtype=np.int16)
    return differing


def _checked(hashes: Hashes, name: str) -> Hashes:
    if hashes.dtype != np.uint64 or hashes.ndim != 2 or hashes.shape[1] != 4:
        raise ValueError(f"{name} must be uint64[n, 4], not {hashes.dtype}{list(hashes.shape)}")
    return np.asarray(hashes)  # a memory map becomes a plain view of itself, which is what the kernels take


def _cuts(counts: NDArray[np.int64], limit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each query row: the distance at which the limit is reached, and how many hits at that distance still fit."""
    running = np.cumsum(counts, axis=1)
    cut = (running < limit).sum(axis=1)
    below = np.where(cut > 0, np.take_along_axis(running, np.maximum(cut - 1, 0)[:, None], axis=1)[:, 0], 0)
    return cut, np.where(cut < counts.shape[1], limit - below, 0)


def _population_count(typing_context: Any, word: Any) -> Any:
    """Say how numba compiles the count of set bits: to the processor's own instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


ones: Any = intrinsic(_population_count)


@njit(cache=True, nogil=True)
def distance(a: Any, b: Any, c: Any, d: Any, row: Any) -> Any:
    """Count the bits in which the words a, b, c, d differ from those of `row`; for kernels."""
    return ones(a ^ row[0]) + ones(b ^ row[1]) + ones(c ^ row[2]) + ones(d ^ row[3])


@njit(cache=True, nogil=True)
def _count(index: Hashes, query: Hashes, radius: int) -> NDArray[np.int64]:
    """Count, for each query row, the index rows at each distance up to `radius`: int64[n, radius + 1]."""
    counts = np.zeros((len(query), radius + 1), dtype=np.int64)
    for first in range(0, len(index), _BLOCK):
        block = index[first : first + _BLOCK]
        for q in range(len(query)):
            a, b, c, d = query[q]
            for i in range(len(block)):
                bits = distance(a, b, c, d, block[i])
                if bits <= radius:
                    counts[q, bits] += 1
    return counts


@njit(cache=True, nogil=True)
def _collect(
    index: Hashes,
    query: Hashes,
    cut: NDArray[np.int64],
    ties: NDArray[np.int64],
    at: NDArray[np.int64],
    index_rows: NDArray[np.int64],
    found: NDArray[np.int16],
) -> None:
    """Write each query row's hits from position `at` on: all nearer than `cut`, and the first `ties` at it."""
    for first in range(0, len(index), _BLOCK):
        block = index[first : first + _BLOCK]
        for q in range(len(query)):
            a, b, c, d = query[q]
            for i in range(len(block)):
                bits = distance(a, b, c, d, block[i])
                if bits < cut[q] or (bits == cut[q] and ties[q] > 0):
                    ties[q] -= bits == cut[q]
                    index_rows[at[q]] = first + i
                    found[at[q]] = bits
                    at[q] += 1
