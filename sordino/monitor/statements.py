"""Pure: recommendations in plain English."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sordino.fingerprints.model import Span
from sordino.monitor.judging import Finding, title
from sordino.monitor.licensing import as_utc
from sordino.monitor.weighing import EPSILON_S, Weighed, union
from sordino.monitor.wording import amount, clock, listed, plain
from sordino.pipelines.messages import Measure, MeasureKind, Rejected

MOST_NAMED = 5  # findings told in one statement; the rest are counted

# Kind -> infinitive, gerund, and what it acts on.
_VERBS: dict[MeasureKind, tuple[str, str, str]] = {
    "erase_music": ("take out", "taking out", "music"),
    "mute": ("mute", "muting", "sound"),
    "blank": ("blank", "blanking", "picture"),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a recommendation is about: the words for it (`the video`), its stretch of the stream, is voice measured."""

    name: str
    whole: Span
    voice_known: bool = False

    def doing(self, measures: Sequence[Measure]) -> str:
        """Return the measures as a gerund: `muting the sound from 0:20 to 0:29`."""
        return listed([self._phrase(measure, 1) for measure in measures])

    def order(self, measures: Sequence[Measure]) -> str:
        """Return the measures as an order: `mute the sound from 0:20 to 0:29`."""
        return listed([self._phrase(measure, 0) for measure in measures])

    def _phrase(self, measure: Measure, form: int) -> str:
        if measure.kind == "allow":
            return f"{('allow', 'allowing')[form]} {self.name} as it is"
        if measure.kind == "remove":
            return f"{('delete', 'deleting')[form]} {self.name}"
        spans = [Span(span.start_s, span.end_s) for span in measure.spans]
        verb, noun = _VERBS[measure.kind][form], _VERBS[measure.kind][2]
        return f"{verb} {'all ' if spans == [self.whole] else ''}the {noun} {stretches(spans)}"


def stretches(spans: Sequence[Span]) -> str:
    """Return where, as a sentence says it: `from 0:20 to 0:29 and from 1:00 to 1:10`."""
    return listed([f"from {clock(span.start_s)} to {clock(span.end_s)}" for span in spans])


def why_rejected(option: Weighed, best: Weighed | None, tolerated_s: float, subject: Subject) -> str:
    """Say why an option isn't recommended; `best` is the least that suffices, if any does."""
    doing = _sentence(subject.doing(option.measures))
    if option.residual_s > tolerated_s + EPSILON_S or best is None:
        tolerated = f"more than the {amount(tolerated_s)} tolerated"
        return f"{doing} would leave {amount(option.residual_s)} of unlicensed use, {tolerated}."
    if option is best:
        return f"{doing} is the least that suffices by these figures, but a human has to decide first."
    more_s = option.collateral_s - best.collateral_s
    keep = "keep" if len(best.measures) > 1 else "keeps"
    if more_s > EPSILON_S:
        return (
            f"{doing} would lose {amount(more_s)} of lawful {_lost(option, best)} that {_short(best, subject)} {keep}."
        )
    return f"{doing} would lose no less than {_short(best, subject)}, which is the milder measure."


def _lost(option: Weighed, best: Weighed) -> str:
    kept = dict(best.losses)
    return listed([modality for modality, seconds in option.losses if seconds > kept.get(modality, 0.0) + EPSILON_S])


def _short(option: Weighed, subject: Subject) -> str:
    """Name measures by their length: `muting 9.0 s`."""
    named = [
        f"{_VERBS[measure.kind][1]} {amount(sum(span.duration_s for span in measure.spans))}"
        if measure.kind in _VERBS
        else subject.doing([measure])
        for measure in option.measures
    ]
    return listed(named)


def found(findings: Sequence[Finding]) -> list[str]:
    """Return a sentence for each work found, what infringes first: title, holders, where, and what follows from it."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: not finding.infringing):
        name = finding.work.work_id if finding.work else finding.episode.reference_id
        groups.setdefault((name, finding.episode.track, finding.reason), []).append(finding)
    sentences = [_told(group) for group in groups.values()]
    if not sentences:
        return ["No registered work was found."]
    rest = len(sentences) - MOST_NAMED
    return sentences[:MOST_NAMED] + ([f"{rest} more were found; the matches list them."] if rest > 0 else [])


def _told(group: Sequence[Finding]) -> str:
    first = group[0]
    spans = union(finding.part for finding in group) or union(finding.episode.query for finding in group)
    verb = "is heard" if first.episode.track == "audio" else "is seen"
    return f"{_named(first)} {verb} {stretches(spans)}: {first.reason}."


def _named(finding: Finding) -> str:
    if finding.work is None:
        return f"Reference {plain(finding.episode.reference_id)}"
    holders = list(dict.fromkeys(plain(owner.holder) for owner in finding.work.owners))
    return f"{title(finding.work)} ({listed(holders) if holders else 'no holder on record'})"


def allowed(findings: Sequence[Finding], residual_s: float, tolerated_s: float, subject: Subject) -> str:
    """State a recommendation to allow."""
    recommended = f"Recommended: allow {subject.name} as it is"
    if residual_s > EPSILON_S:
        recommended += f", as {amount(residual_s)} of unlicensed use is within the {amount(tolerated_s)} tolerated"
    return " ".join([*found(findings), f"{recommended}."])


def measured(findings: Sequence[Finding], chosen: Weighed, rejected: Sequence[Rejected], subject: Subject) -> str:
    """State a recommendation to act: why nothing smaller, why nothing larger, and whether a human is needed."""
    human = (
        "It can be undone and may be applied without a human."
        if chosen.reversible
        else "It can't be undone, so a human has to confirm it."
    )
    smaller = [row.why for row in rejected if row.measure.kind == "allow"]
    larger = [row.why for row in rejected if row.residual_s <= chosen.residual_s][-1:]
    recommended = f"Recommended: {subject.order(chosen.measures)}."
    return " ".join([*found(findings), recommended, *smaller, *larger, *_assumed(chosen, subject), human])


def _assumed(option: Weighed, subject: Subject) -> list[str]:
    if subject.voice_known or dict(option.losses).get("voice", 0.0) <= EPSILON_S:
        return []
    return ["Voice is assumed to be there throughout, as it is not known where it is."]


def reviewed(
    findings: Sequence[Finding], doubts: Sequence[str], best: Weighed | None, deadline: datetime, subject: Subject
) -> str:
    """State a recommendation to let a human decide: why, what the figures point to, and by when."""
    told = found(findings) if findings else []
    reasons = f"Recommended: review by a human, because {'; '.join(doubts[:MOST_NAMED])}."
    figures = ""
    if best is not None and not best.allows:
        figures = f"By the figures alone, {subject.doing(best.measures)} would be the least that suffices."
    by = f"To be decided by {as_utc(deadline):%Y-%m-%d %H:%M} UTC."
    return " ".join(part for part in [*told, reasons, figures, by] if part)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
