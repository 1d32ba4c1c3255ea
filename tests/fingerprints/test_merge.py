"""Which parts become one, for any sizes."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sordino.fingerprints.merge import MERGE, Lazily, absorbed, cut, some

MOST = 1000
sizes = st.lists(st.tuples(st.integers(1, MOST), st.integers(0, MOST)), max_size=12)


@given(sizes, st.integers(0, 2 * MOST))
def test_no_merge_is_longer_than_allowed(parts: list[tuple[int, int]], added: int) -> None:
    present, whole = [p for p, _ in parts], [p + gone for p, gone in parts]
    chosen = absorbed(present, whole, added, MOST)
    assert chosen == sorted(set(chosen))
    assert not chosen or added + sum(present[k] for k in chosen) <= MOST


@given(st.lists(st.integers(1, 300), min_size=1, max_size=200))
def test_parts_stay_few_and_none_is_too_long(deliveries: list[int]) -> None:
    parts: list[int] = []
    for n in deliveries:
        chosen = absorbed(parts, parts, n, MOST)
        joined = n + sum(parts[k] for k in chosen)
        parts = [size for k, size in enumerate(parts) if k not in chosen] + [joined]
        assert max(parts) <= MOST
    assert all(before > MERGE * after or before + after > MOST for before, after in pairwise(parts))


def test_full_parts_are_rewritten_only_when_most_is_removed() -> None:
    assert absorbed([900, 950], [900, 950], 100, MOST) == []
    assert absorbed([500, 950], [1000, 950], 100, MOST) == []
    assert absorbed([400, 950], [1000, 950], 100, MOST) == [0]
    assert absorbed([400, 400], [1000, 1000], 300, MOST) == [1]  # not both: that would be too long


@given(st.lists(st.integers(1, 1500), max_size=50))
def test_a_cut_keeps_all_in_order_and_is_as_long_as_it_may_be(lengths: list[int]) -> None:
    runs = list(cut(lengths, MOST))
    assert [k for run in runs for k in run] == list(range(len(lengths)))
    sizes_ = [sum(lengths[k] for k in run) for run in runs]
    assert all(size <= MOST or len(run) == 1 for size, run in zip(sizes_, runs, strict=True))
    assert all(size + lengths[after.start] > MOST for size, after in zip(sizes_, runs[1:], strict=False))


def test_what_is_made_lazily_is_made_when_asked() -> None:
    asked: list[int] = []

    def made(k: int) -> str:
        asked.append(k)
        return "abcd"[k]

    items = Lazily(4, made)
    assert (len(items), asked) == (4, [])
    assert list(some(items, range(1, 3))) == ["b", "c"]
    assert asked == [1, 2]
    assert list(items) == ["a", "b", "c", "d"]
