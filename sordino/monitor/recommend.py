"""Pure: episodes, facts and a policy in; the least intrusive measure that is sufficient out, with its reasons."""

import json
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import get_args

import sordino
from sordino.fingerprints.model import Match, Span, Track
from sordino.monitor import licensing, uses
from sordino.monitor.answering import answered, weighed_case
from sordino.monitor.doubts import overrun
from sordino.monitor.holders import HolderPolicy, Situation
from sordino.monitor.judging import Bench, Finding, judge
from sordino.monitor.layers import Trial
from sordino.monitor.policy import Policy
from sordino.monitor.statements.chinese import CHINESE
from sordino.monitor.statements.english import ENGLISH
from sordino.monitor.statements.said import Said, say
from sordino.monitor.timeline import Episode
from sordino.monitor.weighing import meet
from sordino.monitor.wording import plain
from sordino.monitor.works import Facts, Work
from sordino.pipelines import messages
from sordino.pipelines.messages import PictureRegion, Recommendation, Segment, TimeSpan

ENGINE_VERSION = f"sordino/{sordino.__version__}"
BOTH_TRACKS: frozenset[Track] = frozenset(get_args(Track))

_NAMESPACE = uuid.UUID("6f0d9b7e-0c63-5c0a-9a55-3d4f6f1f2b11")
_LEAST_LOG10 = -300.0  # JSON has no infinity


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
    brakes: Sequence[Said] = (),
    supersedes: str | None = None,
) -> Recommendation:
    """
    Answer for one segment's stretch of its stream.

    `matches`, `voice` (where there is speech or song; None: everywhere) and `trials` (of taking music out; None: none)
    are the segment's, counted from its start; `episodes` are the stream's, these matches included (see
    `timeline.extend`; ValueError where they aren't). `holders` are the rights holders' policies by name. `duration_s`
    and `tracks` are what the media turned out to have (None: what the segment says), `media_error` (code, message) is
    why it couldn't be decoded, `brakes` why a measure needs a human though nothing about it is in doubt. The same
    arguments give the same answer, its id included; an answer that `supersedes` another has an id of its own.
    """
    now, holders = licensing.as_utc(now), holders or {}
    if duration_s is not None:
        segment = segment.model_copy(update={"duration_s": duration_s})
    tracks = {*tracks, *(match.track for match in matches)}
    bench, findings = judged(segment, matches, episodes, facts, policy, now=now, holders=holders, tracks=tracks)
    case = weighed_case(bench, findings, tracks, _shifted(voice, segment), _tried(trials or (), findings, segment))
    infringing = [finding.episode.reference_id for finding in case.infringing]
    undecidable = _undecidable(media_error) + overrun(matches, segment, infringing)
    deadline = policy.deadline(segment, now)
    answer = answered(case, undecidable, bench, deadline, brakes)
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


def judged(
    segment: Segment,
    matches: Sequence[Match],
    episodes: Iterable[Episode],
    facts: Facts,
    policy: Policy,
    *,
    now: datetime,
    holders: Mapping[str, HolderPolicy] | None = None,
    tracks: Collection[Track] = BOTH_TRACKS,
) -> tuple[Bench, tuple[Finding, ...]]:
    """Return what is thought of each episode that bears on the segment, and what it is judged by; see `recommend`."""
    episodes = list(episodes)
    here = _here(segment, matches, episodes)
    bench = _bench(segment, episodes, here, facts, policy, holders or {}, licensing.as_utc(now), tracks)
    return bench, judge(here, bench)


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
    stream_s = max([segment.start_s + segment.duration_s, *(e.query.end_s for e in episodes)])
    used = {
        work_id: uses.measured(
            (e for e in episodes if _is(facts.works.get(e.reference_id), work_id)), work, stream_s, tracks
        )
        for work_id, work in works.items()
    }
    licences = licensing.check(segment, works.values(), facts, now)
    return Bench(segment, facts, licences, policy, holders, Situation(segment, facts.account_groups, now), used)


def _is(work: Work | None, work_id: str) -> bool:
    return work is not None and work.work_id == work_id


def _shifted(voice: Sequence[Span] | None, segment: Segment) -> tuple[Span, ...] | None:
    return None if voice is None else tuple(span.shifted(segment.start_s) for span in voice)


def _tried(trials: Iterable[Trial], findings: Iterable[Finding], segment: Segment) -> list[Trial]:
    """Return the trials of what infringes in the segment, in the stream's time."""
    infringing = {finding.episode.reference_id for finding in findings if finding.infringing}
    whole = Span(segment.start_s, segment.start_s + segment.duration_s)
    mine = [
        replace(trial, query=query)
        for trial in trials
        if trial.reference_id in infringing
        for query in meet([trial.query.shifted(segment.start_s)], [whole])
    ]
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
