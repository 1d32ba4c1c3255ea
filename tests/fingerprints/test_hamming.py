import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sordino.fingerprints import hamming

Hashes = NDArray[np.uint64]


def random_hashes(n: int, seed: int) -> Hashes:
    return np.random.default_rng(seed).integers(0, 2**64, size=(n, 4), dtype=np.uint64)


def flipped(row: Hashes, bits: int, seed: int) -> Hashes:
    """Return the hash with so many of its bits turned."""
    unpacked = np.unpackbits(row.view(np.uint8))
    unpacked[np.random.default_rng(seed).choice(256, size=bits, replace=False)] ^= 1
    return np.packbits(unpacked).view(np.uint64)


def bit_by_bit(left: Hashes, right: Hashes) -> NDArray[np.int64]:
    """Count differing bits the slow way: the oracle."""
    rows = [np.unpackbits(np.ascontiguousarray(side).view(np.uint8).reshape(-1, 32), axis=1) for side in (left, right)]
    counts: NDArray[np.int64] = (rows[0][:, None, :] != rows[1][None, :, :]).sum(axis=2)
    return counts


@pytest.mark.parametrize("bits", [0, 1, 59, 60, 61, 256])
def test_a_planted_row_is_found_within_the_radius_and_only_there(bits: int) -> None:
    index = random_hashes(3000, 1)
    query = random_hashes(1, 3)
    index[2500] = flipped(query[0], bits, seed=bits)
    hits = hamming.search(index, query, radius=60)
    expected = [(0, 2500, bits)] if bits <= 60 else []
    assert list(zip(hits.query_rows, hits.index_rows, hits.distances, strict=True)) == expected


@settings(deadline=None)  # the first call compiles
@given(n=st.integers(0, 6), m=st.integers(0, 40), radius=st.integers(0, 256), seed=st.integers(0, 1000))
def test_search_agrees_with_counting_bit_by_bit(n: int, m: int, radius: int, seed: int) -> None:
    query, index = random_hashes(n, seed), random_hashes(m, seed + 1)
    expected = bit_by_bit(query, index)
    hits = hamming.search(index, query, radius, limit=1000)
    rows, columns = np.nonzero(expected <= radius)
    np.testing.assert_array_equal(hits.query_rows, rows)
    np.testing.assert_array_equal(hits.index_rows, columns)
    np.testing.assert_array_equal(hits.distances, expected[rows, columns])
    np.testing.assert_array_equal(hamming.distances(query, index), expected)


@settings(deadline=None)  # the first call compiles
@given(limit=st.integers(0, 50), copies=st.integers(0, 30), seed=st.integers(0, 1000))
def test_of_too_many_hits_the_nearest_are_kept_and_of_equals_the_first(limit: int, copies: int, seed: int) -> None:
    query = random_hashes(2, seed)
    near = np.stack([flipped(query[0], bits, seed) for bits in np.random.default_rng(seed).integers(0, 9, size=40)])
    index = np.concatenate([near, np.repeat(query[:1], copies, axis=0)])
    hits = hamming.search(index, query, radius=8, limit=limit)
    far = bit_by_bit(query[:1], index)[0]
    nearest = np.sort(np.argsort(far, kind="stable")[:limit])
    np.testing.assert_array_equal(hits.index_rows[hits.query_rows == 0], nearest)
    np.testing.assert_array_equal(hits.distances, far[nearest])


def test_a_read_only_memory_map_is_searched_in_place(tmp_path: Path) -> None:
    stored = random_hashes(5000, 7)
    np.save(tmp_path / "hashes.npy", stored)
    index = np.load(tmp_path / "hashes.npy", mmap_mode="r")
    hits = hamming.search(index, stored[[4321]], radius=10)
    assert (hits.index_rows.tolist(), hits.distances.tolist()) == ([4321], [0])


@pytest.mark.parametrize(
    "index",
    [np.zeros((2, 4), np.int64), np.zeros((2, 3), np.uint64), np.zeros(4, np.uint64)],
    ids=["signed", "three words", "one row"],
)
def test_other_arrays_are_refused_by_name(index: Hashes) -> None:
    with pytest.raises(ValueError, match=re.escape("index must be uint64[n, 4]")):
        hamming.search(index, random_hashes(1, 0), radius=60)
