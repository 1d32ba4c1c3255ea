"""Measures as they are typed, and which of them can't both be."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import get_args

from sordino.fingerprints.model import Region, Span, union
from sordino.monitor.weighing import minus
from sordino.monitor.wording import TIME, parsed_clock
from sordino.pipelines.messages import Match, Measure, MeasureKind, PictureRegion, TimeSpan
from sordino.pipelines.remedies.plan import RemedyError

_SPAN = rf"(?P<start>{TIME})-(?P<end>{TIME})"
_NUMBER = r"-?\d+(?:\.\d+)?"
_REGION = rf"(?P<region>{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER})"
_WORK = r"(?P<work>[^:\s]+)"

# Name as typed -> kind, what follows the name, and how that is told.
_FORMS: dict[str, tuple[MeasureKind, str, str]] = {
    "mute": ("mute", rf"(?::{_SPAN})?", "mute[:START-END]"),
    "erase": ("erase_music", rf":{_WORK}(?::{_SPAN})?", "erase:WORK[:START-END]"),
    "replace": ("erase_music", rf":{_WORK}:(?P<by>[^:\s]+)(?::{_SPAN})?", "replace:WORK:OTHER[:START-END]"),
    "blur": ("blur_region", rf"(?::{_SPAN})?(?::{_REGION})?", "blur[:START-END][:x,y,w,h]"),
    "blank": ("blank", rf"(?::{_SPAN})?", "blank[:START-END]"),
    "trim": ("trim", rf":{_SPAN}", "trim:START-END"),
}
_LONG = {"erase_music": "erase", "blur_region": "blur"}
RENDERED: frozenset[MeasureKind] = frozenset(kind for kind, _, _ in _FORMS.values())

_PICTURE: frozenset[MeasureKind] = frozenset({"blur_region", "blank"})
_SOUND: frozenset[MeasureKind] = frozenset({"mute", "erase_music"})


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A measure that is to be rendered; `spans` in the file's time, none means all of it.

    Music is erased where `work_id` is found (None: every registered work), and another work's played instead where
    `replaced_by` names one. `text` is what it is called in errors.
    """

    kind: MeasureKind
    text: str
    spans: tuple[Span, ...] = ()
    region: Region | None = None
    work_id: str | None = None
    replaced_by: str | None = None

    def within(self, duration_s: float) -> tuple[Span, ...]:
        """Return the spans, or all of a file that lasts so long."""
        return self.spans or (Span(0.0, duration_s),)

    def as_measure(self, spans: Iterable[Span]) -> Measure:
        """Return it as the contract has it, with the spans that it came to have."""
        region = self.region and PictureRegion(x=self.region.x, y=self.region.y, w=self.region.w, h=self.region.h)
        times = tuple(TimeSpan(start_s=span.start_s, end_s=span.end_s) for span in spans)
        return Measure(kind=self.kind, spans=times, region=region)


def parse_measure(text: str) -> Asked:
    """
    Read a measure as it is typed, as its `_FORMS` show; times are seconds, m:ss or h:mm:ss.

    Raises RemedyError bad_measure.

    >>> parse_measure("mute:1:02-1:10.5").spans
    (Span(start_s=62.0, end_s=70.5),)
    >>> parse_measure("erase_music:W12").work_id
    'W12'
    """
    name, _, _ = text.partition(":")
    kind, follows, form = _form(name)
    if (found := re.fullmatch(re.escape(name) + follows, text)) is None:
        raise RemedyError("bad_measure", f"{text!r} is not as {form} is; times are seconds, m:ss or h:mm:ss")
    parts = found.groupdict()
    return Asked(
        kind,
        text,
        spans=(_span(text, parts["start"], parts["end"]),) if parts.get("start") else (),
        region=_region(text, parts["region"]) if parts.get("region") else None,
        work_id=parts.get("work"),
        replaced_by=parts.get("by"),
    )


def of_recommendation(measures: Sequence[Measure]) -> list[Asked]:
    """
    Return what of a recommendation can be rendered; what is muted is not erased besides, nor what is blanked blurred.

    What is erased is every registered work that is found in the measure's spans.
    """
    asked = [_recommended(measure) for measure in measures if measure.kind in RENDERED]
    stronger = {"erase_music": "mute", "blur_region": "blank"}
    taken = {
        kind: union(s for one in asked if one.kind == other for s in one.spans) for kind, other in stronger.items()
    }
    left = [replace(one, spans=minus(one.spans, taken.get(one.kind, ()))) for one in asked]
    return [rest for one, rest in zip(asked, left, strict=True) if rest.spans or not one.spans]


def check_together(asked: Sequence[Asked], duration_s: float = math.inf) -> None:
    """
    Refuse measures that can't both be; raises RemedyError contradiction.

    These can: two of one kind (they are one), sound and pictures, and trimming with anything: it wins.
    """
    for one, other in combinations(asked, 2):
        meet = any(a.overlap_s(b) > 0 for a in _times(one, duration_s) for b in _times(other, duration_s))
        if meet and (why := _contradiction(one, other)):
            raise RemedyError("contradiction", f"{one.text} and {other.text} overlap: {why}")


def _contradiction(one: Asked, other: Asked) -> str | None:
    kinds = {one.kind, other.kind}
    if kinds == _SOUND:
        return "muting silences what erasing keeps"
    if kinds == _PICTURE:
        return "blanking hides what blurring keeps"
    if kinds != {"erase_music"} or one.replaced_by == other.replaced_by:
        return None
    if one.replaced_by and other.replaced_by:
        return "two works would play at once"
    return "the same music is replaced and erased" if one.work_id == other.work_id else None


def _times(asked: Asked, duration_s: float) -> tuple[Span, ...]:
    wherever_it_is_found = asked.kind == "erase_music" and not asked.spans
    return () if wherever_it_is_found else asked.within(min(duration_s, 1e9))


def _form(name: str) -> tuple[MeasureKind, str, str]:
    if (form := _FORMS.get(_LONG.get(name, name))) is not None:
        return form
    forms = ", ".join(form for _, _, form in _FORMS.values())
    if name in get_args(MeasureKind):
        raise RemedyError("bad_measure", f"{name} is not rendered into a file; what is: {forms}")
    raise RemedyError("bad_measure", f"there is no measure {name!r}; there are {forms}")


def _span(text: str, start: str, end: str) -> Span:
    start_s, end_s = parsed_clock(start), parsed_clock(end)
    if end_s <= start_s:
        raise RemedyError("bad_measure", f"{text!r}: the span ends before it starts")
    return Span(start_s, end_s)


def _region(text: str, typed: str) -> Region:
    x, y, w, h = (float(number) for number in typed.split(","))
    if not (0 <= x < 1 and 0 <= y < 1 and 0 < w <= 1 and 0 < h <= 1 and x + w <= 1.0001 and y + h <= 1.0001):
        raise RemedyError("bad_measure", f"{text!r}: x, y, w and h are parts of the picture, and it is inside")
    return Region(x, y, w, h)


def _recommended(measure: Measure) -> Asked:
    spans = tuple(Span(span.start_s, span.end_s) for span in measure.spans)
    return Asked(measure.kind, measure.kind, spans, region_of(measure))


def region_of(told: Measure | Match) -> Region | None:
    """Return the region that a measure or a match tells, if any."""
    if told.region is None:
        return None
    return Region(told.region.x, told.region.y, told.region.w, told.region.h)
