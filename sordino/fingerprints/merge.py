"""Which parts of a catalogue become one: few parts, references seldom rewritten, and none too large to build."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

MERGE = 4  # more merges and fewer parts: each part adds some milliseconds to every search

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Lazily(Sequence[T], Generic[T]):
    """A sequence whose items are made when they are asked for, each time anew."""

    n: int
    make: Callable[[int], T]

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, k):  # type: ignore[no-untyped-def]
        if not 0 <= k < self.n:
            raise IndexError(k)
        return self.make(k)


def some(items: Sequence[T], run: range) -> Sequence[T]:
    """Return some of the items, each made when it is asked for."""
    return Lazily(len(run), lambda k: items[run[k]])


def absorbed(present: Sequence[int], whole: Sequence[int], added: int, most: int) -> list[int]:
    """
    Choose the parts, by their places from old to young, that go into the new one with what is `added`.

    `present` are the frames of each part's references that were not removed, `whole` those of all of them. Taken are
    the youngest, as long as each is at most `MERGE` times what it joins: so the number of parts grows as the logarithm
    of the catalogue, and each reference is rewritten as often. And those of which most was removed. But no part gets
    longer than `most`: beyond that, their number grows with the catalogue.

    >>> absorbed([900, 40, 9], [900, 40, 9], 5, most=1000)
    [1, 2]
    >>> absorbed([900, 40, 9], [900, 40, 9], 5, most=50)
    [2]
    """
    chosen, size, young = [], added, True
    for k in range(len(present) - 1, -1, -1):
        fits = size + present[k] <= most
        young = young and fits and present[k] <= MERGE * size
        if young or (fits and present[k] < whole[k] / 2):
            chosen.append(k)
            size += present[k]
    return chosen[::-1]


def cut(lengths: Sequence[int], most: int) -> Iterator[range]:
    """
    Yield runs of references that make a part each, as long as is allowed.

    >>> list(cut([3, 4, 5, 6], most=9))
    [range(0, 2), range(2, 3), range(3, 4)]
    """
    first, size = 0, 0
    for k, length in enumerate(lengths):
        if k > first and size + length > most:
            yield range(first, k)
            first, size = k, 0
        size += length
    if len(lengths) > first:
        yield range(first, len(lengths))
