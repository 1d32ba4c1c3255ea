"""Pure: what a recommendation says, sentence by sentence; `Language` words it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sordino.fingerprints.model import Span, union
from sordino.monitor.judging import Finding, title
from sordino.monitor.statements.said import Gap, Listed, Said, Seconds, Where, say
from sordino.monitor.territories import named
from sordino.monitor.weighing import EPSILON_S, Weighed
from sordino.monitor.wording import plain
from sordino.pipelines.messages import Measure, Rejected

MOST_NAMED = 5  # findings told in one statement; the rest are counted

Why = tuple[Rejected, Said]  # an alternative, and why it wasn't chosen


@dataclass(frozen=True, slots=True)
class Subject:
    """What a recommendation is about: the word for it, its stretch of the stream, and whether voice was looked for."""

    name: str
    whole: Span
    voice_is_known: bool = False

    def doing(self, measures: Sequence[Measure]) -> Listed:
        """Return the measures as a gerund: `muting the sound from 0:20 to 0:29`."""
        return Listed(tuple(self._phrase(measure, "doing") for measure in measures))

    def order(self, measures: Sequence[Measure]) -> Listed:
        """Return the measures as an order: `mute the sound from 0:20 to 0:29`."""
        return Listed(tuple(self._phrase(measure, "do") for measure in measures))

    def short(self, measures: Sequence[Measure]) -> Listed:
        """Name measures by their length: `muting 9.0 s`."""
        return Listed(tuple(self._short(measure) for measure in measures))

    def _phrase(self, measure: Measure, form: str) -> Said:
        verb = f"{form}.{measure.kind}"
        if measure.kind in ("allow", "remove"):
            return say(verb, subject=self._name)
        if measure.kind == "restrict_territory":
            return say(verb, subject=self._name, territories=Listed(named(measure.territories)))
        spans = tuple(Span(span.start_s, span.end_s) for span in measure.spans)
        act = "act.all" if spans == (self.whole,) and measure.kind in ("mute", "blank") else "act"
        return say(act, verb=say(verb), noun=say(f"noun.{measure.kind}"), where=Where(spans))

    def _short(self, measure: Measure) -> Said:
        if measure.kind in ("allow", "remove", "restrict_territory"):
            return self._phrase(measure, "doing")
        lasts_s = sum(span.duration_s for span in measure.spans)
        return say("act.for", verb=say(f"doing.{measure.kind}"), lasts=Seconds(lasts_s))

    @property
    def _name(self) -> Said:
        return say(f"subject.{self.name}")


def why_rejected(option: Weighed, best: Weighed | None, tolerated_s: float, subject: Subject) -> Said:
    """Say why an option isn't recommended; `best` is the least that suffices, if any does."""
    doing = subject.doing(option.measures)
    if option.residual_s > tolerated_s + EPSILON_S or best is None:
        return say("leaves", doing=doing, residual=Seconds(option.residual_s), tolerated=Seconds(tolerated_s))
    if option is best:
        return say("needs_human", doing=doing)
    more_s = option.collateral_s - best.collateral_s
    if more_s > EPSILON_S:
        phrase = "loses.joint" if len(best.measures) > 1 else "loses"
        what = Listed(tuple(say(f"modality.{modality}") for modality in _lost(option, best)))
        return say(phrase, doing=doing, more=Seconds(more_s), what=what, best=subject.short(best.measures))
    return say("not_milder", doing=doing, best=subject.short(best.measures))


def _lost(option: Weighed, best: Weighed) -> list[str]:
    kept = dict(best.losses)
    return [modality for modality, seconds in option.losses if seconds > kept.get(modality, 0.0) + EPSILON_S]


def not_erased(measure: Measure, suppression_db: float, why: str, subject: Subject) -> Said:
    """Say why music isn't taken out where that was tried."""
    return say("not_erased", doing=subject.doing([measure]), decibels=f"{suppression_db:.1f}", why=plain(why))


def found(findings: Sequence[Finding]) -> list[Said]:
    """Return a sentence for each work found, what infringes first: title, holders, where, and what follows from it."""
    groups: dict[tuple[str, str, Said], list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: not finding.infringing):
        name = finding.work.work_id if finding.work else finding.episode.reference_id
        groups.setdefault((name, finding.episode.track, finding.reason), []).append(finding)
    sentences = [_told(group) for group in groups.values()]
    if not sentences:
        return [say("none")]
    rest = len(sentences) - MOST_NAMED
    return sentences[:MOST_NAMED] + ([say("more_found", count=str(rest))] if rest > 0 else [])


def _told(group: Sequence[Finding]) -> Said:
    first = group[0]
    parts = (part for finding in group for part in finding.parts)
    spans = union(parts) or union(finding.episode.query for finding in group)
    verb = "heard" if first.episode.track == "audio" else "seen"
    return say(verb, work=_named(first), where=Where(spans), reason=first.reason)


def _named(finding: Finding) -> Said:
    if finding.work is None:
        return say("reference", id=plain(finding.episode.reference_id))
    holders: tuple[Gap, ...] = tuple(dict.fromkeys(plain(owner.holder) for owner in finding.work.owners))
    return say("work", title=title(finding.work), holders=Listed(holders) if holders else say("no_holder"))


def allowed(
    findings: Sequence[Finding], measures: Sequence[Measure], residual_s: float, tolerated_s: float, subject: Subject
) -> list[Said]:
    """State a recommendation that leaves everything up, as it is or with what its holders ask for."""
    order = subject.order(measures)
    if residual_s <= EPSILON_S:
        return [*found(findings), say("recommended", order=order)]
    figures = {"residual": Seconds(residual_s), "tolerated": Seconds(tolerated_s)}
    return [*found(findings), say("recommended.tolerated", order=order, **figures)]


def measured(
    findings: Sequence[Finding],
    chosen: Weighed,
    besides: Sequence[Measure],
    rejected: Sequence[Why],
    subject: Subject,
    brakes: Sequence[Said],
) -> list[Said]:
    """State a recommendation to act: why nothing smaller, why nothing larger, and whether a human is needed."""
    smaller = [why for row, why in rejected if row.measure.kind == "allow"]
    not_erased = [why for _, why in rejected if why.phrase == "not_erased"]
    larger = [why for row, why in rejected if row.residual_s <= chosen.residual_s and why.phrase != "not_erased"][-1:]
    recommended = say("recommended", order=subject.order((*chosen.measures, *besides)))
    assumed = [say("voice_assumed")] if not subject.voice_is_known and _takes_voice(chosen) else []
    return [*found(findings), recommended, *smaller, *not_erased, *larger, *assumed, _human(chosen, brakes)]


def _human(chosen: Weighed, brakes: Sequence[Said]) -> Said:
    if not chosen.reversible:
        return say("irreversible")
    return say("braked", reasons=_reasons(brakes)) if brakes else say("reversible")


def _takes_voice(option: Weighed) -> bool:
    return dict(option.losses).get("voice", 0.0) > EPSILON_S


def reviewed(
    findings: Sequence[Finding], doubts: Sequence[Said], best: Weighed | None, deadline: datetime, subject: Subject
) -> list[Said]:
    """State a recommendation to let a human decide: why, what the figures point to, and by when."""
    sentences = [*(found(findings) if findings else []), say("review", reasons=_reasons(doubts))]
    if best is not None and not best.allows:
        sentences.append(say("figures", doing=subject.doing(best.measures)))
    return [*sentences, say("by", time=deadline)]


def also_asked(cases: Sequence[Said], deadline: datetime) -> list[Said]:
    """Say what a human is asked besides, and by when."""
    return [say("case", reasons=_reasons(cases)), say("by", time=deadline)] if cases else []


def _reasons(doubts: Sequence[Said]) -> Listed:
    return Listed(tuple(doubts[:MOST_NAMED]), reasons=True)
