"""Curves over a logarithmic axis as SVG, by hand: panels side by side."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 380, 300  # of a panel, without its legend
ROW = 14  # of a legend
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 30, 40
COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910", "#555")

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """Curves by name over the same two axes; `dashed` ones are there to compare with."""

    title: str
    across: str
    curves: Mapping[str, Points]
    dashed: Mapping[str, Points] = field(default_factory=dict)
    even: tuple[float, float] | None = None  # ends of the axis upwards; without, it is logarithmic


def svg(panels: Sequence[Panel]) -> str:
    """Return the panels as one picture."""
    drawn = [line for k, panel in enumerate(panels) for line in _panel(panel, k * WIDTH)]
    width, height = WIDTH * len(panels), HEIGHT + ROW * max(len(p.curves) + len(p.dashed) for p in panels) + 6
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *drawn, "</svg>\n"])


def _panel(panel: Panel, x0: float) -> Iterator[str]:
    everything = [p for points in [*panel.curves.values(), *panel.dashed.values()] for p in points]
    xs = _decades([x for x, _ in everything])
    even = panel.even
    ys = list(even) if even else _decades([y for _, y in everything])

    def at(x: float, y: float) -> tuple[float, float]:
        right = (math.log10(x) - math.log10(xs[0])) / (math.log10(xs[-1]) - math.log10(xs[0]))
        up = (y - ys[0]) / (ys[-1] - ys[0]) if even else math.log10(y / ys[0]) / math.log10(ys[-1] / ys[0])
        return x0 + LEFT + right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    yield _text(x0 + LEFT, 18, panel.title, "start")
    yield _text(x0 + (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, panel.across, "middle")
    for x in xs:
        yield _line([at(x, ys[0]), at(x, ys[-1])], "#ddd")
        yield _text(at(x, ys[0])[0], HEIGHT - BOTTOM + 15, f"{x:,g}", "middle")
    for y in [ys[0] + k * (ys[-1] - ys[0]) / 4 for k in range(5)] if even else ys:
        yield _line([at(xs[0], y), at(xs[-1], y)], "#ddd")
        yield _text(x0 + LEFT - 5, at(xs[0], y)[1] + 4, f"{y:,.6g}", "end")
    for k, (name, points) in enumerate([*panel.curves.items(), *panel.dashed.items()]):
        dashed = name in panel.dashed
        colour = "#888" if dashed else COLOURS[k % len(COLOURS)]
        yield _line([at(x, y) for x, y in points], colour, ' stroke-dasharray="5 4"' if dashed else ' stroke-width="2"')
        yield _text(x0 + LEFT, HEIGHT + ROW * (k + 1), name, "start", colour)


def _decades(values: Sequence[float]) -> list[float]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0**k for k in range(low, max(high, low + 1) + 1)]


def _line(points: Points, colour: str, more: str = "") -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{colour}"{more}/>'


def _text(x: float, y: float, words: str, anchor: str, colour: str = "#333") -> str:
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'
