"""Pure: episodes, facts and a policy in; the least intrusive measure that is sufficient out, with its reasons."""

import json
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import get_args

import sordino
from sordino.fingerprints.model import Match, Span, Track
from sordino.monitor import judging, licensing, uses
from sordino.monitor.holders import HolderPolicy, Situation
from sordino.monitor.judging import Bench, Finding, judge
from sordino.monitor.layers import Trial, layers_of
from sordino.monitor.options import weigh
from sordino.monitor.ownership import owners_in
from sordino.monitor.policy import Policy
from sordino.monitor.statements import composing
from sordino.monitor.statements.chinese import CHINESE
from sordino.monitor.statements.composing import Subject, Why
from sordino.monitor.statements.english import ENGLISH
from sordino.monitor.statements.said import Said, say
from sordino.monitor.timeline import Episode
from sordino.monitor.weighing import LADDER, Layer, Weighed, least_sufficient, union, weighed
from sordino.monitor.wording import plain
from sordino.monitor.works import Facts, Work
from sordino.pipelines import messages
from sordino.pipelines.messages import Measure, MeasureKind, PictureRegion, Recommendation, Rejected, Segment, TimeSpan

ENGINE_VERSION = f"sordino/{sordino.__version__}"
BOTH_TRACKS: frozenset[Track] = frozenset(get_args(Track))

_NAMESPACE = uuid.UUID("6f0d9b7e-0c63-5c0a-9a55-3d4f6f1f2b11")
_LEAST_LOG10 = -300.0  # JSON has no infinity


@dataclass(frozen=True, slots=True)
class _Case:
    """What was found in a segment, and every admissible option weighed; `best` is the least that suffices, if any."""

    findings: tuple[Finding, ...]
    layers: tuple[Layer, ...]
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
            rows.append((weighed((measure,), [replace(layer, erasable=()) for layer in self.layers]), why))
        return rows


@dataclass(frozen=True, slots=True)
class _Answer:
    """The part of a recommendation that is decided; the rest of it is looked up or copied."""

    measures: tuple[Measure, ...]
    residual_s: float
    collateral_s: float
    automatic: bool
    rejected: list[Why]
    statement: list[Said]


def recommend(
    segment: Segment,
    matches: Sequence[Match],
    episodes: Iterable[Episode],
    facts: Facts,
    policy: Policy,
    *,
    now: datetime,
    holders: Mapping[str, HolderPolicy] | None = None,
    duration_s: float | None = None,
    tracks: Collection[Track] = BOTH_TRACKS,
    voice: Sequence[Span] | None = None,
    trials: Sequence[Trial] | None = None,
    media_error: tuple[str, str] | None = None,
    supersedes: str | None = None,
) -> Recommendation:
    """
    Answer for one segment's stretch of its stream.

    `matches`, `voice` (where there is speech or song; None: everywhere) and `trials` (of taking music out; None: none)
    are the segment's, counted from its start; `episodes` are the stream's, these matches included (see
    `timeline.extend`; ValueError where they aren't). `holders` are the rights holders' policies by name. `duration_s`
    and `tracks` are what the media turned out to have (None: what the segment says), `media_error` (code, message) is
    why it couldn't be decoded. The same arguments give the same answer, its id included; an answer that `supersedes`
    another has an id of its own.
    """
    now, holders = licensing.as_utc(now), holders or {}
    if duration_s is not None:
        segment = segment.model_copy(update={"duration_s": duration_s})
    tracks = {*tracks, *(match.track for match in matches)}
    episodes = list(episodes)
    here = _here(segment, matches, episodes)
    bench = _bench(segment, episodes, here, facts, policy, holders, now, tracks)
    findings = judge(here, bench)
    case = _weigh(bench, findings, tracks, _shifted(voice, segment), _tried(trials or (), findings, segment))
    infringing = [finding.episode.reference_id for finding in case.infringing]
    undecidable = _undecidable(media_error) + judging.overrun(matches, segment, infringing)
    deadline = policy.deadline(segment, now)
    answer = _answer(case, undecidable, bench, deadline)
    asked = not answer.automatic or any(measure.kind == "review" for measure in answer.measures)
    used = sorted(holders[name].version_name for name in _policies(findings) if name in holders)
    return Recommendation(
        recommendation_id=_identity(segment, policy, used, supersedes),
        stream_id=segment.stream_id,
        sequence=segment.sequence,
        measures=answer.measures,
        residual_s=answer.residual_s,
        collateral_s=answer.collateral_s,
        automatic=answer.automatic,
        because=_because(segment, matches, findings),
        rejected=tuple(row for row, _ in answer.rejected),
        licences_checked=tuple(bench.licences),
        exceptions_claimed=segment.exceptions_claimed,
        regime=policy.regime,
        deadline=deadline if asked else None,
        policy_version=policy.version_name,
        holder_policies=tuple(used),
        engine_version=ENGINE_VERSION,
        supersedes=supersedes,
        statement=ENGLISH.text(answer.statement),
        statement_zh=CHINESE.text(answer.statement),
    )


def _bench(
    segment: Segment,
    episodes: Sequence[Episode],
    here: Sequence[Episode],
    facts: Facts,
    policy: Policy,
    holders: Mapping[str, HolderPolicy],
    now: datetime,
    tracks: Collection[Track],
) -> Bench:
    """Look up what the findings are judged by: licences, and how much of each work the stream has used."""
    works = {work.work_id: work for e in here if (work := facts.works.get(e.reference_id)) is not None}
    end_s = segment.start_s + segment.duration_s
    first_s = min(segment.start_s, *(e.query.start_s for e in episodes)) if episodes else segment.start_s
    stream = Span(first_s, max(end_s, first_s))
    used = {
        work_id: uses.measured(
            (e for e in episodes if _is(facts.works.get(e.reference_id), work_id)), work, stream, tracks
        )
        for work_id, work in works.items()
    }
    licences = licensing.check(segment, works.values(), facts, now)
    return Bench(segment, facts, licences, policy, holders, Situation(segment, facts.account_groups, now), used)


def _is(work: Work | None, work_id: str) -> bool:
    return work is not None and work.work_id == work_id


def _weigh(
    bench: Bench,
    findings: tuple[Finding, ...],
    tracks: Collection[Track],
    voice: Sequence[Span] | None,
    trials: Sequence[Trial],
) -> _Case:
    segment, policy = bench.segment, bench.policy
    whole = Span(segment.start_s, segment.start_s + segment.duration_s)
    tolerated_s = policy.tolerated_s(segment.duration_s)
    layers: tuple[Layer, ...] = ()
    options: tuple[Weighed, ...] = ()
    if any(finding.infringing for finding in findings):  # what is licensed is never measured
        layers = tuple(layers_of(findings, segment, tracks, voice, trials, policy))
        options = tuple(weigh(layers, whole, _kinds(findings, policy)))
    best = least_sufficient(options, tolerated_s)
    subject = Subject(_name(segment, tracks), whole, voice is not None)
    return _Case(findings, layers, options, best, tolerated_s, subject, tuple(t for t in trials if not t.ok))


def _kinds(findings: Iterable[Finding], policy: Policy) -> list[MeasureKind]:
    """Return what is weighed; restricting by territory only where rights end at a border, or a holder asks for it."""
    works = [(finding.work, finding.wish) for finding in findings if finding.infringing]
    limited = any(work is not None and work.owners and not owners_in(work, None) for work, _ in works)
    asked = any(wish.ceiling == "restrict_territory" for _, wish in works)
    return [kind for kind in policy.admissible if kind != "restrict_territory" or limited or asked]


def _answer(case: _Case, undecidable: list[Said], bench: Bench, deadline: datetime) -> _Answer:
    """Choose. What is `undecidable` stands even against allowing; doubts only against acting without a human."""
    if case.nothing_to_do and not undecidable:
        return _with_cases(_allow(case), case, bench, deadline)
    doubts = judging.doubts(case.findings, bench.segment, bench.policy)
    if undecidable or doubts or case.best is None:
        insufficient = [say("insufficient")] if case.options and case.best is None else []
        spans = () if undecidable else union(part for finding in case.infringing for part in finding.parts)
        return _review(case, undecidable + doubts + insufficient, spans or (case.subject.whole,), deadline)
    return _with_cases(_act(case, case.best), case, bench, deadline)


def _allow(case: _Case) -> _Answer:
    measures = case.outcomes() or (Measure(kind="allow"),)
    return _Answer(
        measures=measures,
        residual_s=case.residual_s,
        collateral_s=0.0,
        automatic=True,
        rejected=case.rejected(case.best),
        statement=composing.allowed(case.findings, measures, case.residual_s, case.tolerated_s, case.subject),
    )


def _act(case: _Case, chosen: Weighed) -> _Answer:
    rejected, besides = case.rejected(chosen), case.outcomes()
    return _Answer(
        measures=(*chosen.measures, *besides),
        residual_s=chosen.residual_s,
        collateral_s=chosen.collateral_s,
        automatic=chosen.reversible,
        rejected=rejected,
        statement=composing.measured(case.findings, chosen, besides, rejected, case.subject),
    )


def _with_cases(answer: _Answer, case: _Case, bench: Bench, deadline: datetime) -> _Answer:
    """Ask a human besides where owners disagree; the least that they ask for, which is done, takes nothing from any."""
    cases = judging.cases(case.findings, bench.segment)
    if not cases:
        return answer
    review = Measure(kind="review", spans=_time_spans([case.subject.whole]))
    statement = [*answer.statement, *composing.also_asked(cases, deadline)]
    return replace(answer, measures=(*answer.measures, review), statement=statement)


def _review(case: _Case, reasons: list[Said], spans: Sequence[Span], deadline: datetime) -> _Answer:
    """Nothing is done until a human has decided; what the figures point to stands among the rejected."""
    return _Answer(
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


def _shifted(voice: Sequence[Span] | None, segment: Segment) -> tuple[Span, ...] | None:
    return None if voice is None else tuple(span.shifted(segment.start_s) for span in voice)


def _tried(trials: Iterable[Trial], findings: Iterable[Finding], segment: Segment) -> list[Trial]:
    """Return the trials of what infringes, in the stream's time."""
    infringing = {finding.episode.reference_id for finding in findings if finding.infringing}
    mine = (replace(t, query=t.query.shifted(segment.start_s)) for t in trials if t.reference_id in infringing)
    return sorted(mine, key=lambda t: (t.query, t.reference_id, t.ok, t.suppression_db, t.why))


def _policies(findings: Iterable[Finding]) -> set[str]:
    """Return the names of the policies that the works found go by."""
    works = [finding.work for finding in findings if finding.work is not None]
    named = {owner.policy or work.policy for work in works for owner in work.owners} | {w.policy for w in works}
    return {name for name in named if name is not None}


def _here(segment: Segment, matches: Sequence[Match], episodes: Iterable[Episode]) -> list[Episode]:
    """Return the episodes that bear on the segment: that reach into it, or hold one of its matches."""
    end_s = segment.start_s + segment.duration_s
    spans = {(m.reference_id, m.track, m.query.shifted(segment.start_s)) for m in matches}
    here, held = [], set()
    for episode in episodes:
        mine = {
            key for key in spans if key[:2] == (episode.reference_id, episode.track) and _meet(key[2], episode.query)
        }
        held |= mine
        if mine or (episode.query.start_s < end_s and episode.query.end_s > segment.start_s):
            here.append(episode)
    if held != spans:
        raise ValueError(
            f"the episodes don't hold the matches of {segment.stream_id!r} {segment.sequence}: extend them"
        )
    return sorted(here, key=lambda e: (e.query, e.reference_id, e.track, e.reference))


def _meet(one: Span, other: Span) -> bool:
    return one.start_s <= other.end_s and other.start_s <= one.end_s


def _name(segment: Segment, tracks: Collection[Track]) -> str:
    if segment.live or segment.sequence > 0:
        return "segment"
    return "video" if "video" in tracks else "recording"


def _undecidable(media_error: tuple[str, str] | None) -> list[Said]:
    return [say("media", code=plain(media_error[0]), message=plain(media_error[1]))] if media_error else []


def _identity(segment: Segment, policy: Policy, used: Sequence[str], supersedes: str | None) -> str:
    key = [segment.stream_id, segment.sequence, ENGINE_VERSION, policy.version_name, *used, supersedes]
    return str(uuid.uuid5(_NAMESPACE, json.dumps(key)))


def _because(segment: Segment, matches: Sequence[Match], findings: Sequence[Finding]) -> tuple[messages.Match, ...]:
    """Return the segment's matches in the stream's time; and of episodes that only pass through it, the episode."""
    works = {finding.episode.reference_id: finding.work for finding in findings}
    own = {(match.reference_id, match.track) for match in matches}
    passing = [f.episode for f in findings if (f.episode.reference_id, f.episode.track) not in own]
    told: list[tuple[Match | Episode, Span]] = [(match, match.query.shifted(segment.start_s)) for match in matches]
    told += [(episode, episode.query) for episode in passing]
    known = [wired(one, query, work) for one, query in told if (work := works[one.reference_id]) is not None]
    return tuple(sorted(known, key=lambda m: (m.query.start_s, m.query.end_s, m.reference_id, m.track)))


def wired(found: Match | Episode, query: Span, work: Work) -> messages.Match:
    """Return a finding as other programs see it; `query` is in the stream's time."""
    region = found.region and PictureRegion.model_validate(
        {side: min(max(at, 0.0), 1.0) for side, at in asdict(found.region).items()}
    )
    return messages.Match(
        work_id=work.work_id,
        reference_id=found.reference_id,
        title=work.title,
        track=found.track,
        query=TimeSpan(start_s=query.start_s, end_s=query.end_s),
        reference=TimeSpan(start_s=found.reference.start_s, end_s=found.reference.end_s),
        speed=found.speed,
        pitch_semitones=found.pitch_semitones,
        mirrored=found.mirrored,
        region=region,
        score=found.score,
        log10_false_positive=max(found.log10_false_positive, _LEAST_LOG10),
    )
