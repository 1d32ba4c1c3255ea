"""Pure: what rendered measures leave of what was found in a file, and what they took of what is lawful, in seconds."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sordino.fingerprints.model import Region, Span, Track, union
from sordino.monitor.weighing import covered_area, minus, total_s

UNCOVERED = 0.02  # of a region: what is left of it at an edge by rounding shows nothing


@dataclass(frozen=True, slots=True)
class Done:
    """What was rendered; `erased` is where erasing worked, and `hidden` has a region, or None for the whole picture."""

    muted: tuple[Span, ...] = ()
    erased: tuple[Span, ...] = ()
    hidden: tuple[tuple[Span, Region | None], ...] = ()
    trimmed: tuple[Span, ...] = ()


def figures(
    heard: Iterable[Span],
    seen: Sequence[tuple[Span, Region | None]],
    done: Done,
    duration_s: float,
    tracks: Collection[Track],
) -> tuple[float, float]:
    """
    Return residual and collateral; registered works are `heard` and `seen` there, and voice is taken to be everywhere.

    As in `weighing`: a second in which any registered picture can still be seen infringes, and of a second of picture
    the share of its area is lost that is lawful and hidden.
    """
    whole = (Span(0.0, duration_s),)
    residual_s = collateral_s = 0.0
    if "audio" in tracks:
        residual_s += total_s(minus(heard, union([*done.muted, *done.erased, *done.trimmed])))
        collateral_s += total_s(whole) - total_s(minus(whole, union([*done.muted, *done.trimmed])))
    if "video" in tracks:
        left_s, lost_s = _of_pictures(seen, [*done.hidden, *((span, None) for span in done.trimmed)], duration_s)
        residual_s, collateral_s = residual_s + left_s, collateral_s + lost_s
    return round(residual_s, 3), round(collateral_s, 3)


def _of_pictures(
    seen: Sequence[tuple[Span, Region | None]], hidden: Sequence[tuple[Span, Region | None]], duration_s: float
) -> tuple[float, float]:
    edges = {0.0, duration_s, *(edge for span, _ in (*seen, *hidden) for edge in (span.start_s, span.end_s))}
    left_s = lost_s = 0.0
    for start_s, end_s in pairwise(sorted(edge for edge in edges if 0 <= edge <= duration_s)):
        infringing, covers = _during(seen, start_s, end_s), _during(hidden, start_s, end_s)
        if any(_shows(region, covers) for region in infringing):
            left_s += end_s - start_s
        lost_s += (end_s - start_s) * (covered_area([*infringing, *covers]) - covered_area(infringing))
    return left_s, lost_s


def _during(parts: Sequence[tuple[Span, Region | None]], start_s: float, end_s: float) -> list[Region | None]:
    return [region for span, region in parts if span.start_s <= start_s and end_s <= span.end_s]


def _shows(region: Region | None, covers: Sequence[Region | None]) -> bool:
    shown = covered_area([*covers, region]) - covered_area(covers)
    return shown > UNCOVERED * covered_area([region])
