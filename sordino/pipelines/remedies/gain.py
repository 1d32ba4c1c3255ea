"""Muting and trimming sound, block by block."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.model import Span
from sordino.pipelines.remedies.plan import Block

FADE_S = 0.03  # to silence and back: shorter ones click
CUT_FADE_S = 0.005  # at each side of a cut


def muted(blocks: Iterator[Block], rate: int, spans: Sequence[Span], fade_s: float = FADE_S) -> Iterator[Block]:
    """Silence the spans; the fades lie outside them, so that nothing of what is in them is heard."""
    at = 0
    for block in blocks:
        gain = _gain(at, len(block), rate, spans, fade_s)
        at += len(block)
        yield block if gain is None else block * gain[:, None]


def trimmed(blocks: Iterator[Block], rate: int, spans: Sequence[Span]) -> Iterator[Block]:
    """Leave the spans out, with a short fade at each side; they don't overlap."""
    at = 0
    for block in muted(blocks, rate, spans, CUT_FADE_S):
        stays = np.ones(len(block), bool)
        for span in spans:
            first, last = (min(max(0, round(edge_s * rate) - at), len(block)) for edge_s in (span.start_s, span.end_s))
            stays[first:last] = False
        at += len(block)
        if stays.any():
            yield block[stays]


def _gain(at: int, n: int, rate: int, spans: Sequence[Span], fade_s: float) -> NDArray[np.float32] | None:
    """Return the gain, float32[n], of the samples from `at` on; None where it is 1 throughout."""
    start_s, end_s = at / rate - fade_s, (at + n) / rate + fade_s
    near = [span for span in spans if span.start_s < end_s and span.end_s > start_s]
    if not near:
        return None
    times_s = (at + np.arange(n)) / rate
    away_s = np.full(n, np.inf)
    for span in near:
        away_s = np.minimum(away_s, np.maximum(0, np.maximum(span.start_s - times_s, times_s - span.end_s)))
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.minimum(1, away_s / fade_s)), np.float32)
