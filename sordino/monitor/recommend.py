"""Pure: episodes, facts and a policy in; the least intrusive measure that is sufficient out, with its reasons."""

import json
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import get_args

import sordino
from sordino.fingerprints.model import Match, Span, Track
from sordino.monitor import licensing, statements
from sordino.monitor.judging import Finding, doubts, judge, overrun
from sordino.monitor.policy import Policy
from sordino.monitor.statements import Subject
from sordino.monitor.timeline import Episode
from sordino.monitor.weighing import Layer, Weighed, least_sufficient, minus, picture_layer, union, weigh
from sordino.monitor.wording import plain
from sordino.monitor.works import Facts, Work
from sordino.pipelines import messages
from sordino.pipelines.messages import Measure, PictureRegion, Recommendation, Rejected, Segment, TimeSpan

ENGINE_VERSION = f"sordino/{sordino.__version__}"
BOTH_TRACKS: frozenset[Track] = frozenset(get_args(Track))

_NAMESPACE = uuid.UUID("6f0d9b7e-0c63-5c0a-9a55-3d4f6f1f2b11")
_LEAST_LOG10 = -300.0  # JSON has no infinity


@dataclass(frozen=True, slots=True)
class _Case:
    """What was found in a segment, and every admissible option weighed; `best` is the least that suffices, if any."""

    findings: tuple[Finding, ...]
    options: tuple[Weighed, ...]
    best: Weighed | None
    tolerated_s: float
    subject: Subject

    @property
    def infringing(self) -> tuple[Finding, ...]:
        """The uses that nothing allows."""
        return tuple(finding for finding in self.findings if finding.infringing)

    @property
    def residual_s(self) -> float:
        """Infringing seconds as long as nothing is done."""
        return self.options[0].residual_s if self.options else 0.0

    def rejected(self, chosen: Weighed | None) -> tuple[Rejected, ...]:
        """Return every option that isn't chosen, from the least to the most intrusive, with the reason."""
        return tuple(
            Rejected(
                measure=option.measures[-1],
                together_with=option.measures[:-1],
                residual_s=option.residual_s,
                collateral_s=option.collateral_s,
                why=statements.why_rejected(option, self.best, self.tolerated_s, self.subject),
            )
            for option in sorted(self.options, key=lambda option: option.rung)
            if option is not chosen
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    """The part of a recommendation that is decided; the rest of it is looked up or copied."""

    measures: tuple[Measure, ...]
    residual_s: float
    collateral_s: float
    automatic: bool
    rejected: tuple[Rejected, ...]
    statement: str


def recommend(
    segment: Segment,
    matches: Sequence[Match],
    episodes: Iterable[Episode],
    facts: Facts,
    policy: Policy,
    *,
    now: datetime,
    duration_s: float | None = None,
    voice: Sequence[Span] | None = None,
    tracks: Collection[Track] = BOTH_TRACKS,
    media_error: tuple[str, str] | None = None,
    supersedes: str | None = None,
) -> Recommendation:
    """
    Answer for one segment's stretch of its stream.

    `matches` are the segment's, counted from its start; `episodes` are the stream's, these matches included (see
    `timeline.extend`; ValueError where they aren't). `duration_s` and `tracks` are what the media turned out to have
    (None: what the segment says), `voice` is where somebody speaks, counted as matches are (None: not known, so
    everywhere), `media_error` (code, message) is why it couldn't be decoded. The same arguments give the same answer,
    its id included; an answer that `supersedes` another has an id of its own.
    """
    now = licensing.as_utc(now)
    if duration_s is not None:
        segment = segment.model_copy(update={"duration_s": duration_s})
    here = _here(segment, matches, episodes)
    work_ids = {facts.works[episode.reference_id].work_id for episode in here if episode.reference_id in facts.works}
    licences = licensing.check(segment, work_ids, facts, now)
    findings = judge(here, segment, facts, licences, policy)
    case = _weigh(segment, findings, policy, {*tracks, *(match.track for match in matches)}, voice)
    infringing = [finding.episode.reference_id for finding in case.infringing]
    undecidable = _undecidable(media_error) + overrun(matches, segment, infringing)
    answer = _answer(case, undecidable, doubts(findings, segment, policy), policy.deadline(segment, now))
    return Recommendation(
        recommendation_id=_identity(segment, policy, supersedes),
        stream_id=segment.stream_id,
        sequence=segment.sequence,
        measures=answer.measures,
        residual_s=answer.residual_s,
        collateral_s=answer.collateral_s,
        automatic=answer.automatic,
        because=_because(segment, matches, findings),
        rejected=answer.rejected,
        licences_checked=licences,
        exceptions_claimed=segment.exceptions_claimed,
        regime=policy.regime,
        deadline=None if answer.automatic else policy.deadline(segment, now),
        policy_version=policy.version_name,
        engine_version=ENGINE_VERSION,
        supersedes=supersedes,
        statement=answer.statement,
    )


def _weigh(
    segment: Segment,
    findings: tuple[Finding, ...],
    policy: Policy,
    tracks: Collection[Track],
    voice: Sequence[Span] | None,
) -> _Case:
    whole = Span(segment.start_s, segment.start_s + segment.duration_s)
    tolerated_s = policy.tolerated_s(segment.duration_s)
    options: tuple[Weighed, ...] = ()
    if any(finding.infringing for finding in findings):  # what is licensed is never measured
        spoken = (whole,) if voice is None else union(span.shifted(segment.start_s) for span in voice)
        options = tuple(weigh(_layers(findings, whole, tracks, spoken), whole, policy.admissible))
    best = least_sufficient(options, tolerated_s)
    return _Case(findings, options, best, tolerated_s, Subject(_name(segment, tracks), whole, voice is not None))


def _answer(case: _Case, undecidable: list[str], doubts: list[str], deadline: datetime) -> _Answer:
    """Choose. `undecidable` stands even against allowing; `doubts` only against acting without a human."""
    if not undecidable and (not case.infringing or (case.best is not None and case.best.allows)):
        return _allow(case)
    if undecidable or doubts or case.best is None:
        insufficient = ["no measure that this policy admits is enough"] if case.options and case.best is None else []
        spans = () if undecidable else union(finding.part for finding in case.infringing)
        return _review(case, undecidable + doubts + insufficient, spans or (case.subject.whole,), deadline)
    return _act(case, case.best)


def _allow(case: _Case) -> _Answer:
    return _Answer(
        measures=(Measure(kind="allow"),),
        residual_s=case.residual_s,
        collateral_s=0.0,
        automatic=True,
        rejected=case.rejected(case.best),
        statement=statements.allowed(case.findings, case.residual_s, case.tolerated_s, case.subject),
    )


def _act(case: _Case, chosen: Weighed) -> _Answer:
    rejected = case.rejected(chosen)
    return _Answer(
        measures=chosen.measures,
        residual_s=chosen.residual_s,
        collateral_s=chosen.collateral_s,
        automatic=chosen.reversible,
        rejected=rejected,
        statement=statements.measured(case.findings, chosen, rejected, case.subject),
    )


def _review(case: _Case, reasons: list[str], spans: Sequence[Span], deadline: datetime) -> _Answer:
    """Nothing is done until a human has decided; what the figures point to stands among the rejected."""
    return _Answer(
        measures=(Measure(kind="review", spans=tuple(TimeSpan(start_s=s.start_s, end_s=s.end_s) for s in spans)),),
        residual_s=case.residual_s,
        collateral_s=0.0,
        automatic=False,
        rejected=case.rejected(None),
        statement=statements.reviewed(case.findings, reasons, case.best, deadline, case.subject),
    )


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


def _layers(findings: Sequence[Finding], whole: Span, tracks: Collection[Track], spoken: Sequence[Span]) -> list[Layer]:
    """
    Return the segment's modalities; `spoken` is where voice is, which is lawful.

    A second of music is either infringing or, where a licence covers it, lawful; never both.
    """
    layers = []
    if "audio" in tracks:
        music = union(f.part for f in findings if f.infringing and f.episode.track == "audio")
        licensed = (f.part for f in findings if f.verdict == "licensed" and f.episode.track == "audio")
        layers.append(Layer("music", music, tuple((span, 1.0) for span in minus(licensed, music))))
        layers.append(Layer("voice", (), tuple((span, 1.0) for span in spoken)))
    if "video" in tracks:
        shown = [(f.part, f.episode.region) for f in findings if f.infringing and f.episode.track == "video"]
        layers.append(picture_layer(whole, shown))
    return layers


def _name(segment: Segment, tracks: Collection[Track]) -> str:
    if segment.live or segment.sequence > 0:
        return "this segment"
    return "the video" if "video" in tracks else "the recording"


def _undecidable(media_error: tuple[str, str] | None) -> list[str]:
    return [f"its media can't be read ({plain(media_error[0])}: {plain(media_error[1])})"] if media_error else []


def _identity(segment: Segment, policy: Policy, supersedes: str | None) -> str:
    key = [segment.stream_id, segment.sequence, ENGINE_VERSION, policy.version_name, supersedes]
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
