"""Pure: residual and collateral in seconds of every admissible set of measures, and the least of them that suffices."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

from sordino.fingerprints.model import Region, Span
from sordino.pipelines.messages import Measure, MeasureKind, TimeSpan

Modality = Literal["music", "voice", "picture"]

# From the least to the most intrusive: where two sets lose as much, the lower rung wins.
LADDER: tuple[MeasureKind, ...] = (
    "allow", "label", "share_revenue", "track", "erase_music", "mute", "blur_region", "trim", "blank",
    "restrict_territory", "disable_commerce", "warn_live", "mute_live", "slate_live", "interrupt_live", "remove",
)  # fmt: skip

# What a measure takes away while it lasts.
SILENCES: dict[MeasureKind, frozenset[Modality]] = {
    "erase_music": frozenset({"music"}),
    "mute": frozenset({"music", "voice"}),
    "blank": frozenset({"picture"}),
    "remove": frozenset({"music", "voice", "picture"}),
}

IRREVERSIBLE: frozenset[MeasureKind] = frozenset({"interrupt_live", "remove"})  # never without a human

EPSILON_S = 1e-6  # rounding, not infringement


@dataclass(frozen=True, slots=True)
class Layer:
    """
    One modality of a segment: where it infringes, and where it is lawful, each stretch with its lawful share.

    The share is 1 except for a picture of which only a region infringes.
    """

    modality: Modality
    infringing: tuple[Span, ...]
    lawful: tuple[tuple[Span, float], ...]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A set of measures with its figures; `losses` are the lawful seconds lost of each modality."""

    measures: tuple[Measure, ...]
    residual_s: float
    collateral_s: float
    losses: tuple[tuple[Modality, float], ...]

    @property
    def allows(self) -> bool:
        """Is nothing done."""
        return all(measure.kind == "allow" for measure in self.measures)

    @property
    def reversible(self) -> bool:
        """Can all of it be undone."""
        return not any(measure.kind in IRREVERSIBLE for measure in self.measures)

    @property
    def rung(self) -> tuple[int, int, float]:
        """How intrusive it is: the highest rung of its measures, how many they are, how long they last."""
        lasting_s = sum(span.duration_s for measure in self.measures for span in measure.spans)
        return max(LADDER.index(measure.kind) for measure in self.measures), len(self.measures), lasting_s


def weigh(layers: Sequence[Layer], whole: Span, admissible: Iterable[MeasureKind]) -> list[Weighed]:
    """Weigh every set of admissible measures that bears on what infringes; the first is always to allow."""
    kinds = [kind for kind in LADDER if kind in set(admissible) and kind in SILENCES]
    localised = [measure for kind in kinds if kind != "remove" for measure in _on_spans(kind, layers)]
    everywhere = [
        Measure(kind=m.kind, spans=(_time_span(whole),)) for m in localised if m.spans != (_time_span(whole),)
    ]
    sets = [(Measure(kind="allow"),), *((m,) for m in localised), *_joint(localised), *((m,) for m in everywhere)]
    if "remove" in kinds:
        sets.append((Measure(kind="remove", spans=(_time_span(whole),)),))
    return [_weighed(measures, layers) for measures in sets]


def least_sufficient(options: Iterable[Weighed], tolerated_s: float) -> Weighed | None:
    """Return the option with the least collateral of those that leave no more than is tolerated."""
    return min(
        (o for o in options if o.residual_s <= tolerated_s + EPSILON_S),
        key=lambda o: (o.collateral_s, o.rung),
        default=None,
    )


def _on_spans(kind: MeasureKind, layers: Sequence[Layer]) -> list[Measure]:
    spans = union(span for layer in layers if layer.modality in SILENCES[kind] for span in layer.infringing)
    return [Measure(kind=kind, spans=tuple(_time_span(span) for span in spans))] if spans else []


def _joint(measures: Sequence[Measure]) -> list[tuple[Measure, ...]]:
    """Return the sets of two or more that take away different modalities."""
    sizes = range(2, len(measures) + 1)
    return [group for size in sizes for group in combinations(measures, size) if _apart(group)]


def _apart(group: Sequence[Measure]) -> bool:
    return all(SILENCES[one.kind].isdisjoint(SILENCES[other.kind]) for one, other in combinations(group, 2))


def _weighed(measures: tuple[Measure, ...], layers: Sequence[Layer]) -> Weighed:
    residual_s, losses = 0.0, []
    for layer in layers:
        taken = _taken(measures, layer.modality)
        residual_s += total_s(minus(layer.infringing, taken))
        lost_s = sum((share * span.overlap_s(cut) for span, share in layer.lawful for cut in taken), 0.0)
        losses.append((layer.modality, lost_s))
    return Weighed(measures, round(residual_s, 3), round(sum(lost_s for _, lost_s in losses), 3), tuple(losses))


def _taken(measures: Iterable[Measure], modality: Modality) -> tuple[Span, ...]:
    taken = [measure for measure in measures if modality in SILENCES.get(measure.kind, ())]
    return union(Span(span.start_s, span.end_s) for measure in taken for span in measure.spans)


def _time_span(span: Span) -> TimeSpan:
    return TimeSpan(start_s=span.start_s, end_s=span.end_s)


def picture_layer(whole: Span, parts: Sequence[tuple[Span, Region | None]]) -> Layer:
    """
    Return the picture's layer, given where registered pictures are shown and in which region (None: all of it).

    While any is shown every second infringes, however small the region; the rest of the picture's area is lawful.
    """
    cuts = sorted({whole.start_s, whole.end_s, *(at for span, _ in parts for at in (span.start_s, span.end_s))})
    lawful = []
    for start_s, end_s in pairwise(cuts):
        regions = [region for span, region in parts if span.start_s <= start_s and end_s <= span.end_s]
        lawful.append((Span(start_s, end_s), 1.0 - covered_area(regions)))
    return Layer("picture", union(span for span, _ in parts), tuple(lawful))


def covered_area(regions: Sequence[Region | None]) -> float:
    """
    Return the share of the picture that the regions cover together.

    >>> covered_area([Region(0, 0, 0.5, 1), Region(0.25, 0, 0.5, 1)])
    0.75
    """
    boxes = [_corners(region) for region in regions if region is not None]
    if len(boxes) < len(regions):
        return 1.0
    area = 0.0
    for left, right in pairwise(sorted({x for box in boxes for x in (box[0], box[1])})):
        heights = union(Span(top, bottom) for x, end, top, bottom in boxes if x <= left and right <= end)
        area += (right - left) * total_s(heights)
    return area


def _corners(region: Region) -> tuple[float, float, float, float]:
    """Return left, right, top and bottom, no further than the picture's edges."""
    left, top = (min(max(at, 0.0), 1.0) for at in (region.x, region.y))
    right, bottom = min(region.x + region.w, 1.0), min(region.y + region.h, 1.0)
    return left, max(left, right), top, max(top, bottom)


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """
    Merge what overlaps or touches; sorted, and without empty spans.

    >>> union([Span(3, 5), Span(1, 4), Span(7, 7)])
    (Span(start_s=1, end_s=5),)
    """
    merged: list[Span] = []
    for span in sorted(span for span in spans if span.duration_s > 0):
        if merged and span.start_s <= merged[-1].end_s:
            merged[-1] = Span(merged[-1].start_s, max(merged[-1].end_s, span.end_s))
        else:
            merged.append(span)
    return tuple(merged)


def minus(spans: Iterable[Span], taken: Iterable[Span]) -> tuple[Span, ...]:
    """
    Return what is left of the spans.

    >>> minus([Span(0, 10)], [Span(2, 3), Span(9, 12)])
    (Span(start_s=0, end_s=2), Span(start_s=3, end_s=9))
    """
    left = list(union(spans))
    for cut in union(taken):
        pieces = [(s.start_s, min(s.end_s, cut.start_s)) for s in left]
        pieces += [(max(s.start_s, cut.end_s), s.end_s) for s in left]
        left = [Span(start_s, end_s) for start_s, end_s in pieces if end_s > start_s]
    return union(left)


def total_s(spans: Iterable[Span]) -> float:
    """Return the seconds of spans that don't overlap."""
    return sum(span.duration_s for span in spans)
