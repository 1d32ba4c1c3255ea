"""Pure: the sets of measures that come into question for what infringes in a segment, weighed."""

from collections.abc import Iterable, Sequence

from sordino.fingerprints.model import Region, Span, union
from sordino.monitor.weighing import LADDER, SILENCES, Layer, Modality, Weighed, minus, total_s, weighed
from sordino.pipelines.messages import Measure, MeasureKind, PictureRegion, TimeSpan

Set = tuple[Measure, ...]


def weigh(layers: Sequence[Layer], whole: Span, admissible: Iterable[MeasureKind]) -> list[Weighed]:
    """
    Weigh every set of admissible measures that bears on what infringes; the first is always to allow.

    Of sound, picture and links to buy each way of taking what infringes is combined with each of the others. What takes
    more than that, such as deleting, stands only where every holder concerned asks for so much.
    """
    kinds = [kind for kind in LADDER if kind in set(admissible) and kind in SILENCES]
    claims = [layer for layer in layers if layer.infringing]
    found = _Ways(claims, kinds)
    ways = [(), *found.sound()], [(), *found.picture()], [(), *found.commerce()]
    joint: list[Set] = [(*one, *two, *three) for three in ways[2] for two in ways[1] for one in ways[0]]
    throughout = [(m.model_copy(update={"spans": (_time_span(whole),)}),) for m in found.alone(("mute", "blank"))]
    sets = [(Measure(kind="allow"),), *sorted(filter(None, joint), key=len)]
    sets += [one for one in [*throughout, *found.trimmed(whole), *found.everything(whole)] if one not in sets]
    return [weighed(measures, layers) for measures in sets]


class _Ways:
    """The ways of taking away what infringes, modality by modality."""

    def __init__(self, claims: Sequence[Layer], kinds: Sequence[MeasureKind]) -> None:
        self._claims = claims
        self._kinds = kinds

    def _of(self, modality: Modality, kind: MeasureKind) -> list[Layer]:
        """Return the claims of a modality for which this kind of measure is admitted and asked for."""
        if kind not in self._kinds:
            return []
        return [claim for claim in self._claims if claim.modality == modality and claim.admits(kind)]

    def alone(self, kinds: Iterable[MeasureKind]) -> list[Measure]:
        """Return each kind of measure by itself, over all that it takes and that infringes."""
        found = []
        for kind in kinds:
            [modality] = SILENCES[kind] - {"voice"}
            found += _measure(kind, (span for claim in self._of(modality, kind) for span in claim.infringing))
        return found

    def sound(self) -> list[Set]:
        """Mute; take out what was taken out by trial, and mute the rest."""
        erasable = [minus(c.infringing, minus(c.infringing, c.erasable)) for c in self._of("music", "erase_music")]
        rest = union(span for c in self._of("music", "mute") for span in self._not_erased(c))
        mute = self.alone(["mute"])
        erase = _measure("erase_music", (span for spans in erasable for span in spans))
        beside = _measure("erase_music", minus((span for spans in erasable for span in spans), rest))
        ways: list[Set] = [tuple(mute), tuple(erase)]
        if beside and rest:
            ways.append((*beside, *_measure("mute", rest)))
        return _distinct(ways)

    def _not_erased(self, claim: Layer) -> tuple[Span, ...]:
        can = claim.erasable if "erase_music" in self._kinds and claim.admits("erase_music") else ()
        return minus(claim.infringing, can)

    def picture(self) -> list[Set]:
        """Blank; blur the regions that infringe, and blank what has none."""
        blank = self.alone(["blank"])
        blurred = [claim for claim in self._of("picture", "blur_region") if claim.region or not claim.admits("blank")]
        blur: list[Measure] = []
        for region in sorted({claim.region for claim in blurred}, key=lambda region: (region is not None, region)):
            spans = (span for claim in blurred if claim.region == region for span in claim.infringing)
            blur += [m.model_copy(update={"region": _wired(region)}) for m in _measure("blur_region", spans)]
        rest = [claim for claim in self._of("picture", "blank") if claim not in blurred]
        ways: list[Set] = [tuple(blank), tuple(blur)]
        if blur:
            ways.append((*blur, *_measure("blank", (span for claim in rest for span in claim.infringing))))
        return _distinct(ways)

    def commerce(self) -> list[Set]:
        """Switch off the links to buy."""
        return _distinct([tuple(self.alone(["disable_commerce"]))])

    def trimmed(self, whole: Span) -> list[Set]:
        """Cut out what infringes, unless nothing else would be left."""
        claims = [*self._of("music", "trim"), *self._of("picture", "trim")]
        cut = union(span for claim in claims for span in claim.infringing)
        return [tuple(_measure("trim", cut))] if cut and total_s(cut) < whole.duration_s else []

    def everything(self, whole: Span) -> list[Set]:
        """Take the whole segment: where anything infringes, and everywhere."""
        kinds = [kind for kind in self._kinds if all(claim.admits(kind) for claim in self._claims) and self._claims]
        where = sorted({territory for claim in self._claims for territory in claim.territories})
        everywhere = Measure(kind="remove", spans=(_time_span(whole),))
        found: list[Set] = []
        if "restrict_territory" in kinds and all(claim.territories for claim in self._claims):
            found.append((everywhere.model_copy(update={"kind": "restrict_territory", "territories": tuple(where)}),))
        return [*found, (everywhere,)] if "remove" in kinds else found


def _measure(kind: MeasureKind, spans: Iterable[Span]) -> list[Measure]:
    """Return the measure over these spans, if there are any."""
    merged = union(spans)
    return [Measure(kind=kind, spans=tuple(_time_span(span) for span in merged))] if merged else []


def _distinct(ways: Iterable[Set]) -> list[Set]:
    return [way for way in dict.fromkeys(ways) if way]


def _time_span(span: Span) -> TimeSpan:
    return TimeSpan(start_s=span.start_s, end_s=span.end_s)


def _wired(region: Region | None) -> PictureRegion | None:
    """Return a region no further than the picture's edges."""
    if region is None:
        return None
    x, y = (min(max(at, 0.0), 1.0) for at in (region.x, region.y))
    right, bottom = min(region.x + region.w, 1.0), min(region.y + region.h, 1.0)
    return PictureRegion(x=x, y=y, w=max(right - x, 0.0), h=max(bottom - y, 0.0))
