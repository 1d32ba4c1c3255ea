"""Pure: residual and collateral in seconds of sets of measures, and the least of them that suffices."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from sordino.fingerprints.model import Region, Span, union
from sordino.pipelines.messages import Measure, MeasureKind

Modality = Literal["music", "voice", "picture", "commerce"]

# From the least to the most intrusive: where two sets lose as much, the lower rung wins.
LADDER: tuple[MeasureKind, ...] = (
    "allow", "label", "share_revenue", "track", "erase_music", "mute", "blur_region", "trim", "blank",
    "restrict_territory", "disable_commerce", "warn_live", "mute_live", "slate_live", "interrupt_live", "remove",
)  # fmt: skip

EVERYTHING: frozenset[Modality] = frozenset({"music", "voice", "picture", "commerce"})

# What a measure takes away while it lasts; of the picture, `blur_region` takes its region only.
SILENCES: dict[MeasureKind, frozenset[Modality]] = {
    "erase_music": frozenset({"music"}),
    "mute": frozenset({"music", "voice"}),
    "blur_region": frozenset({"picture"}),
    "trim": frozenset({"music", "voice", "picture"}),
    "blank": frozenset({"picture"}),
    "restrict_territory": EVERYTHING,
    "disable_commerce": frozenset({"commerce"}),
    "remove": EVERYTHING,
}

# What leaves the use up: done because a holder asks for no more, never weighed.
LEAVES_UP: frozenset[MeasureKind] = frozenset({"allow", "label", "share_revenue", "track"})

IRREVERSIBLE: frozenset[MeasureKind] = frozenset({"interrupt_live", "remove"})  # never without a human

EPSILON_S = 1e-6  # rounding, not infringement


@dataclass(frozen=True, slots=True)
class Layer:
    """
    One modality of a segment: where it infringes, and where it is lawful, each stretch with its lawful share.

    The share is below 1 where only a region of the picture infringes. What infringes may have a `region`, and a
    `ceiling`, the most intrusive kind of measure that its holder asks for; it can be taken out of the sound where it is
    `erasable`. All of it is so in `territories` (none: wherever the segment is shown), where `audience` of those are
    who are shown the segment.
    """

    modality: Modality
    infringing: tuple[Span, ...]
    lawful: tuple[tuple[Span, float], ...]
    region: Region | None = None
    ceiling: MeasureKind = "remove"
    erasable: tuple[Span, ...] = ()
    territories: frozenset[str] = frozenset()
    audience: float = 1.0

    def admits(self, kind: MeasureKind) -> bool:
        """Tell whether the holder asks for so much."""
        return LADDER.index(kind) <= LADDER.index(self.ceiling)


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


def weighed(measures: tuple[Measure, ...], layers: Sequence[Layer]) -> Weighed:
    """Return what a set of measures leaves of what infringes, and takes of what is lawful."""
    cuts = [_Cut.by(measure) for measure in measures if measure.kind in SILENCES]
    left: dict[Modality, list[Span]] = {layer.modality: [] for layer in layers}
    losses: dict[Modality, float] = dict.fromkeys(left, 0.0)
    alike: dict[tuple[Modality, Region | None, frozenset[str]], tuple[Span, ...]] = {}
    for layer in layers:
        key = (layer.modality, layer.region, layer.territories)
        if layer.infringing:
            if key not in alike:  # many works are used alike: in sound, everywhere
                alike[key] = _taken(cuts, layer)
            left[layer.modality] += minus(minus(layer.infringing, alike[key]), _erased(cuts, layer))
        if layer.lawful:
            losses[layer.modality] += layer.audience * _lost_s(layer.lawful, _taken(cuts, layer, lawful=True))
    residual_s = sum(total_s(union(spans)) for spans in left.values())
    return Weighed(measures, round(residual_s, 3), round(sum(losses.values()), 3), tuple(losses.items()))


def least_sufficient(options: Iterable[Weighed], tolerated_s: float) -> Weighed | None:
    """Return the option with the least collateral of those that leave no more than is tolerated."""
    return min(
        (o for o in options if o.residual_s <= tolerated_s + EPSILON_S),
        key=lambda o: (o.collateral_s, o.rung),
        default=None,
    )


@dataclass(frozen=True, slots=True)
class _Cut:
    """A measure as it is weighed; `box` is the blurred region's left, right, top and bottom."""

    kind: MeasureKind
    spans: tuple[Span, ...]
    territories: frozenset[str]
    box: tuple[float, float, float, float] | None

    @classmethod
    def by(cls, measure: Measure) -> "_Cut":
        spans = tuple(Span(span.start_s, span.end_s) for span in measure.spans)
        region = measure.region
        box = None if region is None else _corners(Region(region.x, region.y, region.w, region.h))
        return cls(measure.kind, spans, frozenset(measure.territories), box)

    def reaches(self, layer: Layer, *, lawful: bool) -> bool:
        """Tell whether it takes the layer: what infringes there, or what is lawful; only what infringes is blurred."""
        if layer.modality not in SILENCES[self.kind] or (self.kind == "blur_region" and lawful):
            return False
        if self.territories and not (layer.territories and layer.territories <= self.territories):
            return False
        return self.box is None or (layer.region is not None and _inside(layer.region, self.box))


def _taken(cuts: Iterable[_Cut], layer: Layer, *, lawful: bool = False) -> tuple[Span, ...]:
    """Return where measures take a layer away; where erasing takes what infringes is told by `_erased`."""
    reaching = [cut for cut in cuts if (lawful or cut.kind != "erase_music") and cut.reaches(layer, lawful=lawful)]
    return union(span for cut in reaching for span in cut.spans)


def _erased(cuts: Iterable[_Cut], layer: Layer) -> tuple[Span, ...]:
    """Return where erasing takes what infringes: where that was tried."""
    if layer.modality != "music" or not layer.erasable:
        return ()
    return meet((span for cut in cuts if cut.kind == "erase_music" for span in cut.spans), layer.erasable)


def _lost_s(lawful: Sequence[tuple[Span, float]], cuts: Sequence[Span]) -> float:
    """Return the lawful seconds within the cuts, which are in order and don't overlap; each stretch with its share."""
    ends = [cut.end_s for cut in cuts]
    lost_s = 0.0
    for span, share in lawful:
        for cut in cuts[bisect_right(ends, span.start_s) :]:
            if cut.start_s >= span.end_s:
                break
            lost_s += share * span.overlap_s(cut)
    return lost_s


def _inside(region: Region, box: tuple[float, float, float, float]) -> bool:
    left, right, top, bottom = _corners(region)
    near = EPSILON_S
    return left >= box[0] - near and right <= box[1] + near and top >= box[2] - near and bottom <= box[3] + near


def picture_layers(whole: Span, parts: Sequence[tuple[Span, Region | None]]) -> list[Layer]:
    """
    Return the picture's layers, given where registered pictures are shown and in which region (None: all of it).

    While any is shown every second infringes, however small the region; the rest of the picture's area is lawful.
    """
    regions = sorted({region for _, region in parts}, key=lambda region: (region is not None, region))
    shown = [Layer("picture", union(span for span, r in parts if r == region), (), region) for region in regions]
    return [*shown, Layer("picture", (), lawful_picture(whole, parts))]


def lawful_picture(whole: Span, parts: Sequence[tuple[Span, Region | None]]) -> tuple[tuple[Span, float], ...]:
    """Return the share of the picture's area that is lawful, stretch by stretch."""
    cuts = sorted({whole.start_s, whole.end_s, *(at for span, _ in parts for at in (span.start_s, span.end_s))})
    lawful = []
    for start_s, end_s in pairwise(cuts):
        regions = [region for span, region in parts if span.start_s <= start_s and end_s <= span.end_s]
        lawful.append((Span(start_s, end_s), 1.0 - covered_area(regions)))
    return tuple(lawful)


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


def minus(spans: Iterable[Span], taken: Iterable[Span]) -> tuple[Span, ...]:
    """
    Return what is left of the spans.

    >>> minus([Span(0, 10)], [Span(2, 3), Span(9, 12)])
    (Span(start_s=0, end_s=2), Span(start_s=3, end_s=9))
    """
    cuts = union(taken)
    ends = [cut.end_s for cut in cuts]
    left = []
    for span in union(spans):
        start_s = span.start_s
        for cut in cuts[bisect_right(ends, start_s) :]:
            if cut.start_s >= span.end_s:
                break
            if cut.start_s > start_s:
                left.append(Span(start_s, cut.start_s))
            start_s = cut.end_s
        if start_s < span.end_s:
            left.append(Span(start_s, span.end_s))
    return tuple(left)


def meet(spans: Iterable[Span], others: Iterable[Span]) -> tuple[Span, ...]:
    """
    Return what both have.

    >>> meet([Span(0, 10)], [Span(2, 3), Span(9, 12)])
    (Span(start_s=2, end_s=3), Span(start_s=9, end_s=10))
    """
    kept = union(spans)
    return minus(kept, minus(kept, others))


def total_s(spans: Iterable[Span]) -> float:
    """Return the seconds of spans that don't overlap."""
    return sum((span.duration_s for span in spans), 0.0)
