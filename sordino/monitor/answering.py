"""Pure: what is recommended where these findings are judged so, and everything that is said of it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sordino.fingerprints.model import Span, Track, union
from sordino.monitor.doubts import cases_of, doubts_of
from sordino.monitor.holders import ANYTHING
from sordino.monitor.judging import Bench, Finding
from sordino.monitor.layers import Trial, layers_of
from sordino.monitor.options import weigh
from sordino.monitor.ownership import owners_in
from sordino.monitor.policy import Policy
from sordino.monitor.statements import composing
from sordino.monitor.statements.composing import Subject, Why
from sordino.monitor.statements.english import ENGLISH
from sordino.monitor.statements.said import Said, say
from sordino.monitor.weighing import LADDER, Weighed, least_sufficient
from sordino.pipelines.messages import Measure, MeasureKind, Rejected, Segment, TimeSpan


@dataclass(frozen=True, slots=True)
class Case:
    """What was found in a segment, and every admissible option weighed; `best` is the least that suffices, if any."""

    findings: tuple[Finding, ...]
    options: tuple[Weighed, ...]
    best: Weighed | None
    tolerated_s: float
    subject: Subject
    trials: tuple[Trial, ...]

    @property
    def infringing(self) -> tuple[Finding, ...]:
        """The uses that nothing allows."""
        return tuple(finding for finding in self.findings if finding.infringing)

    @property
    def residual_s(self) -> float:
        """Infringing seconds as long as nothing is done."""
        return self.options[0].residual_s if self.options else 0.0

    @property
    def nothing_to_do(self) -> bool:
        """Is there nothing that would have to be taken away."""
        return not self.infringing or (self.best is not None and self.best.allows)

    def outcomes(self) -> tuple[Measure, ...]:
        """Return what is done about uses that stay up, as their holders ask or a law wants it."""
        spans: dict[MeasureKind, list[Span]] = {}
        for finding in self.findings:
            if finding.outcome != "allow":
                spans.setdefault(finding.outcome, []).extend(finding.parts)
        kinds = sorted((kind for kind in spans if union(spans[kind])), key=LADDER.index)
        return tuple(Measure(kind=kind, spans=_time_spans(union(spans[kind]))) for kind in kinds)

    def rejected(self, chosen: Weighed | None) -> list[Why]:
        """Return every option that isn't chosen, from the least to the most intrusive, with the reason."""
        told = [
            (option, composing.why_rejected(option, self.best, self.tolerated_s, self.subject))
            for option in self.options
            if option is not chosen
        ]
        told += self._not_erased()
        return [_rejected(option, why) for option, why in sorted(told, key=lambda row: row[0].rung)]

    def _not_erased(self) -> list[tuple[Weighed, Said]]:
        """Return the trials of taking music out that failed, as options that leave it all."""
        rows = []
        for trial in self.trials:
            measure = Measure(kind="erase_music", spans=_time_spans([trial.query]))
            why = composing.not_erased(measure, trial.suppression_db, trial.why, self.subject)
            rows.append((Weighed((measure,), self.residual_s, 0.0, ()), why))
        return rows


@dataclass(frozen=True, slots=True)
class Answer:
    """The part of a recommendation that is decided; the rest of it is looked up or copied."""

    measures: tuple[Measure, ...]
    residual_s: float
    collateral_s: float
    automatic: bool
    rejected: list[Why]
    statement: list[Said]


def weighed_case(
    bench: Bench,
    findings: tuple[Finding, ...],
    tracks: Collection[Track],
    voice: Sequence[Span] | None,
    trials: Sequence[Trial],
) -> Case:
    """Weigh what can be done about these findings; `voice` and `trials` are in the stream's time."""
    segment, policy = bench.segment, bench.policy
    whole = Span(segment.start_s, segment.start_s + segment.duration_s)
    tolerated_s = policy.tolerated_s(segment.duration_s)
    options: tuple[Weighed, ...] = ()
    if any(finding.infringing for finding in findings):  # what is licensed is never measured
        layers = layers_of(findings, segment, tracks, voice, trials, policy)
        options = tuple(weigh(layers, whole, _kinds(findings, policy)))
    best = least_sufficient(options, tolerated_s)
    subject = Subject(_name(segment, tracks), whole, voice is not None)
    return Case(findings, options, best, tolerated_s, subject, tuple(t for t in trials if not t.ok))


def _kinds(findings: Iterable[Finding], policy: Policy) -> list[MeasureKind]:
    """Return what is weighed; restricting by territory only where rights end at a border, or a holder asks for it."""
    works = [(finding.work, finding.wish) for finding in findings if finding.infringing]
    limited = any(work is not None and work.owners and not owners_in(work, None) for work, _ in works)
    asked = any(wish.ceiling == "restrict_territory" for _, wish in works)
    return [kind for kind in policy.admissible if kind != "restrict_territory" or limited or asked]


def answered(
    case: Case, undecidable: list[Said], bench: Bench, deadline: datetime, brakes: Sequence[Said] = ()
) -> Answer:
    """Choose. What is `undecidable` stands even against allowing; doubts only against acting without a human."""
    if case.nothing_to_do and not undecidable:
        return _with_cases(_allow(case), case, bench, deadline)
    doubts = doubts_of(case.findings, bench.segment, bench.policy)
    if undecidable or doubts or case.best is None:
        insufficient = [_insufficient(case)] if case.options and case.best is None else []
        spans = () if undecidable else union(part for finding in case.infringing for part in finding.parts)
        return _review(case, undecidable + doubts + insufficient, spans or (case.subject.whole,), deadline)
    return _with_cases(_act(case, case.best, brakes), case, bench, deadline)


def _insufficient(case: Case) -> Said:
    limited = any(finding.wish.ceiling != ANYTHING for finding in case.infringing)
    return say("insufficient.ceiling" if limited else "insufficient")


def _allow(case: Case) -> Answer:
    measures = case.outcomes() or (Measure(kind="allow"),)
    return Answer(
        measures=measures,
        residual_s=case.residual_s,
        collateral_s=0.0,
        automatic=True,
        rejected=case.rejected(case.best),
        statement=composing.allowed(case.findings, measures, case.residual_s, case.tolerated_s, case.subject),
    )


def _act(case: Case, chosen: Weighed, brakes: Sequence[Said]) -> Answer:
    rejected, besides = case.rejected(chosen), case.outcomes()
    return Answer(
        measures=(*chosen.measures, *besides),
        residual_s=chosen.residual_s,
        collateral_s=chosen.collateral_s,
        automatic=chosen.reversible and not brakes,
        rejected=rejected,
        statement=composing.measured(case.findings, chosen, besides, rejected, case.subject, brakes),
    )


def _with_cases(answer: Answer, case: Case, bench: Bench, deadline: datetime) -> Answer:
    """Ask a human besides where owners disagree; the least that they ask for, which is done, takes nothing from any."""
    cases = cases_of(case.findings, bench.segment)
    if not cases:
        return answer
    review = Measure(kind="review", spans=_time_spans([case.subject.whole]))
    statement = [*answer.statement, *composing.also_asked(cases, deadline)]
    return replace(answer, measures=(*answer.measures, review), statement=statement)


def _review(case: Case, reasons: list[Said], spans: Sequence[Span], deadline: datetime) -> Answer:
    """Nothing is done until a human has decided; what the figures point to stands among the rejected."""
    return Answer(
        measures=(Measure(kind="review", spans=_time_spans(spans)),),
        residual_s=case.residual_s,
        collateral_s=0.0,
        automatic=False,
        rejected=case.rejected(None),
        statement=composing.reviewed(case.findings, reasons, case.best, deadline, case.subject),
    )


def _rejected(option: Weighed, why: Said) -> Why:
    row = Rejected(
        measure=option.measures[-1],
        together_with=option.measures[:-1],
        residual_s=option.residual_s,
        collateral_s=option.collateral_s,
        why=ENGLISH.text([why]),
    )
    return row, why


def _time_spans(spans: Iterable[Span]) -> tuple[TimeSpan, ...]:
    return tuple(TimeSpan(start_s=span.start_s, end_s=span.end_s) for span in spans)


def _name(segment: Segment, tracks: Collection[Track]) -> str:
    if segment.live or segment.sequence > 0:
        return "segment"
    return "video" if "video" in tracks else "recording"
