"""Other music instead of what was erased, as loud as that was."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from sordino.fingerprints.model import Span
from sordino.pipelines.media import Limits
from sordino.pipelines.remedies.gain import FADE_S
from sordino.pipelines.remedies.loudness import loudness
from sordino.pipelines.remedies.plan import Block, Processor
from sordino.pipelines.sound import sound

MEASURED_S = 20.0  # of what was taken out, and of what comes instead: so much sound is held back
LOUDEST = 10.0  # times as loud as it is registered


def replaced(
    blocks: Iterator[Block], rate: int, erase: Processor, spans: Sequence[Span], other: Path, limits: Limits
) -> Iterator[Block]:
    """
    Erase, and play `other` over each of the spans, from its beginning and over and over; spans don't overlap.

    It is as loud as what was taken out in the first `MEASURED_S` of a span. Raises MediaError where `other` can't be
    decoded.
    """
    both, at = _Reader(_side_by_side(blocks, rate, erase)), 0
    for span in spans:
        first, last = round(span.start_s * rate), round(span.end_s * rate)
        yield from (_after(pair) for pair in both.up_to(first - at))
        yield from _mixed(both, last - first, rate, other, limits)
        at = last
    yield from (_after(pair) for pair in both.up_to(None))


def _side_by_side(blocks: Iterator[Block], rate: int, erase: Processor) -> Iterator[Block]:
    """Yield sound as it was and as it is after erasing, as twice as many channels."""
    kept: deque[Block] = deque()

    def keeping() -> Iterator[Block]:
        for block in blocks:
            kept.append(block)
            yield block

    def before() -> Iterator[Block]:
        while kept:
            yield kept.popleft()

    as_it_was = _Reader(before())
    for erased in erase(keeping(), rate):
        yield np.concatenate([as_it_was.take(len(erased)), erased], axis=1)


def _after(pair: Block) -> Block:
    return pair[:, pair.shape[1] // 2 :]


def _mixed(both: "_Reader", length: int, rate: int, other: Path, limits: Limits) -> Iterator[Block]:
    """Yield a span of so many samples, fewer where the sound ends, with the other work in it."""
    head = both.take(min(length, round(MEASURED_S * rate)))
    if not len(head):
        return
    removed = head[:, : head.shape[1] // 2] - _after(head)
    channels = removed.shape[1]
    with closing(_played(other, rate, channels, limits)) as start:
        gain = _gain(loudness(removed, rate), loudness(_Reader(start).take(round(MEASURED_S * rate)), rate))
    at, fade = 0, FADE_S * rate
    with closing(_played(other, rate, channels, limits)) as again:
        music = _Reader(again)
        for pair in (head, *both.up_to(length - len(head))):
            places = at + np.arange(len(pair))
            envelope = gain * np.clip(np.minimum(places, length - 1 - places) / fade, 0, 1)
            yield _after(pair) + envelope[:, None].astype(np.float32) * music.take(len(pair))
            at += len(pair)


def _gain(wanted_lufs: float, has_lufs: float) -> float:
    """Return by what to multiply; nothing is played where nothing was heard."""
    if wanted_lufs == float("-inf") or has_lufs == float("-inf"):
        return 0.0
    return float(min(LOUDEST, 10 ** ((wanted_lufs - has_lufs) / 20)))


def _played(path: Path, rate: int, channels: int, limits: Limits) -> Generator[Block, None, None]:
    while True:
        with sound(path, sample_rate=rate, channels=channels, limits=limits) as decoding:
            yield from decoding


class _Reader:
    """Gives sound in pieces of the size that is asked for."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._rest: Block | None = None

    def up_to(self, n: int | None) -> Iterator[Block]:
        """Yield the next n samples, fewer where the sound ends; None: all that come."""
        while n is None or n > 0:
            block = self._rest if self._rest is not None else next(self._blocks, None)
            if block is None:
                return
            given, self._rest = (block, None) if n is None else (block[:n], block[n:])
            if self._rest is not None and not len(self._rest):
                self._rest = None
            n = None if n is None else n - len(given)
            yield given

    def take(self, n: int) -> Block:
        """Return the next n samples at once."""
        blocks = list(self.up_to(n))
        return np.concatenate(blocks) if blocks else np.empty((0, 1), np.float32)
