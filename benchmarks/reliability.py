"""
Is a chance of 10^-t one? Windows without any registered work are looked up, and what they are taken for is counted.

Windows are printed as they are, without a codec. What is expected is their number times the chance that is told. No
track in them has its recording in another file (`sounds.split_tracks`), so every match is false, but those of other
versions (`corpus.versions`), which are left out.
"""

import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.stats import chi2

from benchmarks import corpus
from benchmarks.bench import opened
from benchmarks.costs import say
from benchmarks.rows import Maker, alone, song, speech
from benchmarks.sounds import PARAMS
from sordino.fingerprints import search_audio
from sordino.fingerprints.audio import query_print

TOLD = (-2, -3, -4, -5, -6)  # log10 of the chance
KINDS: dict[str, Maker] = {
    "alone": partial(song, strange=True),
    **{f"{db:+g} dB": partial(song, strange=True, db=db) for db in (6.0, 0.0, -6.0, -12.0)},
    "speech": partial(alone, of=(speech,)),
}
CHUNK = 50  # windows that a process takes at a time
PLOT = Path(__file__).with_name("reliability.svg")
SIZE, EDGE = 360, 56  # of the plot, in pixels
LEAST = -7  # log10 of the share at the plot's bottom


def report(folder: Path, n: int, workers: int) -> None:
    """Print the table, and draw the plot."""
    chunks = [range(k, min(k + CHUNK, n)) for k in range(0, n, CHUNK)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        chances = np.concatenate(list((pool.map if workers > 1 else map)(partial(_surest, folder), chunks)))
    kinds = np.arange(n) % len(KINDS)
    print(f"{n} windows of 10 s in which no registered work is: those with a match at most so likely by chance.\n")
    print(f"| told | windows | expected | 95 % interval | {' | '.join(KINDS)} |")
    print("|---|---|---|---|" + "---|" * len(KINDS))
    counts = [int((chances <= told).sum()) for told in TOLD]
    for told, count in zip(TOLD, counts, strict=True):
        by_kind = [str(int((chances[kinds == kind] <= told).sum())) for kind in range(len(KINDS))]
        low, high = interval(count)
        print(f"| 10^{told} | {count} | {n * 10.0**told:.3g} | {low:.1f} to {high:.1f} | {' | '.join(by_kind)} |")
    PLOT.write_text(drawn(counts, n))


def _surest(folder: Path, numbers: Sequence[int]) -> list[float]:
    """Return the log10 of the chance of each window's surest match, 0 where there is none."""
    search_audio.MAX_LOG10_FALSE_POSITIVE = float(max(TOLD))  # what the search reports: more than the product does
    bench, makers, surest = opened(folder), list(KINDS.values()), []
    for k in numbers:
        rng = np.random.default_rng([zlib.crc32(b"reliability"), k])
        query = makers[k % len(makers)](bench.stage, rng, k // len(makers))
        matches, _ = bench.find(query_print(query.sound, PARAMS))
        matches = [m for m in matches if not bench.judge.is_version(m, query)]
        surest.append(matches[0].log10_false_positive if matches else 0.0)
        if surest[-1] <= TOLD[1]:
            heard = corpus.name_of(query.stranger) if query.stranger else "speech"
            say(f"{heard} taken for {corpus.name_of(Path(matches[0].reference_id))}, 10^{surest[-1]}")
    return surest


def interval(count: int) -> tuple[float, float]:
    """
    Return the expectations between which a count like this is not unusual: 95 %, of a Poisson distribution.

    >>> [round(end, 1) for end in interval(0)]
    [0.0, 3.7]
    """
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return float(low), float(chi2.ppf(0.975, 2 * count + 2) / 2)


def drawn(counts: Sequence[int], n: int) -> str:
    """Return a plot of the shares that were counted, with their intervals, over the chance that was told."""
    ends = [(_x(-1), _y(-1)), (_x(LEAST), _y(LEAST))]
    parts = [_line(*ends[0], *ends[1], "stroke-dasharray='4'")]
    for told in range(LEAST, 0):
        parts.append(_text(_x(told), SIZE - EDGE + 18, f"10^{told}"))
        parts.append(_text(EDGE - 24, _y(told) + 4, f"10^{told}"))
    for told, count in zip(TOLD, counts, strict=True):
        low, high = (_y(np.log10(max(end / n, 10.0**LEAST))) for end in interval(count))
        parts.append(_line(_x(told), low, _x(told), high))
        if count:
            parts.append(f"<circle cx='{_x(told):.1f}' cy='{_y(np.log10(count / n)):.1f}' r='4'/>")
    parts += [_line(EDGE, EDGE / 2, EDGE, SIZE - EDGE), _line(EDGE, SIZE - EDGE, SIZE - EDGE / 2, SIZE - EDGE)]
    parts.append(_text(SIZE / 2, SIZE - 12, "chance that was told"))
    parts.append(_text(SIZE / 2, 16, f"share of {n} windows without a work, and its 95 % interval"))
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {SIZE} {SIZE}' font-family='sans-serif'"
    ground = "<rect width='100%' height='100%' fill='white'/>"
    return "\n".join([f"{head} font-size='11' text-anchor='middle'>", ground, *parts, "</svg>\n"])


def _x(told: float) -> float:
    return EDGE + (told - LEAST) / -LEAST * (SIZE - 1.5 * EDGE)


def _y(share: float) -> float:
    return SIZE - EDGE - (share - LEAST) / -LEAST * (SIZE - 1.5 * EDGE)


def _line(x1: float, y1: float, x2: float, y2: float, more: str = "") -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='black' {more}/>"


def _text(x: float, y: float, words: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}'>{words}</text>"
