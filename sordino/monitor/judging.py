"""Pure: what is to be thought of each episode: whether a licence, an exception or a holder's wish lets it be."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sordino.fingerprints.model import Span, union
from sordino.monitor import exceptions, uses
from sordino.monitor.holders import NO_WISH, HolderPolicy, Situation, Wish, wish
from sordino.monitor.ownership import over_claimed, owners_in
from sordino.monitor.policy import Policy
from sordino.monitor.statements.said import Listed, Said, Seconds, Share, Title, say
from sordino.monitor.timeline import Episode
from sordino.monitor.uses import Use
from sordino.monitor.weighing import LADDER, LEAVES_UP
from sordino.monitor.wording import plain
from sordino.monitor.works import Facts, Work
from sordino.pipelines.messages import LicenceChecked, MeasureKind, Segment

Verdict = Literal[
    "infringing", "licensed", "left_up", "presumed", "too_short", "excluded", "no_right_here", "public_domain",
    "withdrawn", "unregistered",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What is thought of one episode.

    `parts` are the stretches of it that count and lie in the segment, in the stream's time and to the millisecond;
    there may be none. `work` is None where the reference isn't registered any more. `wish` is what its owners ask for;
    `outcome` is done about a use that stays up.
    """

    episode: Episode
    work: Work | None
    parts: tuple[Span, ...]
    verdict: Verdict
    reason: Said
    wish: Wish = NO_WISH
    outcome: MeasureKind = "allow"

    @property
    def infringing(self) -> bool:
        """Is it a use that nothing allows."""
        return self.verdict == "infringing"


@dataclass(frozen=True, slots=True)
class Bench:
    """All that findings are judged by."""

    segment: Segment
    facts: Facts
    licences: Sequence[LicenceChecked]
    policy: Policy
    holders: Mapping[str, HolderPolicy]
    situation: Situation
    uses: Mapping[str, Use]  # work_id -> its use in the stream


def judge(episodes: Iterable[Episode], bench: Bench) -> tuple[Finding, ...]:
    """Judge each episode; licences first, as a use that is licensed is nobody's infringement however it looks."""
    return tuple(_judged(episode, bench) for episode in episodes)


def _judged(episode: Episode, bench: Bench) -> Finding:
    work = bench.facts.works.get(episode.reference_id)
    parts = _parts_in(episode, work, bench.segment)
    if work is None:
        return Finding(episode, None, parts, "unregistered", say("unregistered"))
    for rule in (_nobodys, _licensed, _not_counted, _no_right):
        answer = rule(episode, work, bench)
        if answer is not None:
            return Finding(episode, work, parts, *answer)
    return _asked(Finding(episode, work, parts, "infringing", say("infringing")), work, bench)


_Answer = tuple[Verdict, Said] | None


def _nobodys(_: Episode, work: Work, __: Bench) -> _Answer:
    if work.withdrawn:
        return "withdrawn", say("withdrawn")
    return ("public_domain", say("public_domain")) if work.public_domain else None


def _licensed(_: Episode, work: Work, bench: Bench) -> _Answer:
    covering = [licence.licence_id for licence in bench.licences if licence.covers and licence.work_id == work.work_id]
    return ("licensed", say("licensed", licence=plain(covering[0]))) if covering else None


def _not_counted(episode: Episode, work: Work, bench: Bench) -> _Answer:
    lasts_s = sum(span.duration_s for span in uses.counted(episode, work))
    left_out = uses.left_out(episode, work)
    if lasts_s >= bench.policy.min_episode_s and not (left_out and lasts_s == 0):
        return None
    if left_out:
        reasons = dict.fromkeys(plain(one.reason) for one in left_out if plain(one.reason))
        return "excluded", say("excluded", why=Listed(tuple(reasons)) if reasons else say("no_reason"))
    limit = Seconds(bench.policy.min_episode_s)
    return "too_short", say("too_short", lasts=Seconds(episode.query.duration_s), limit=limit)


def _no_right(_: Episode, work: Work, bench: Bench) -> _Answer:
    territory = bench.segment.territory
    if work.owners and territory and not owners_in(work, territory):
        return "no_right_here", say("no_right_here", territory=territory)
    return None


def _asked(finding: Finding, work: Work, bench: Bench) -> Finding:
    """Judge a use that nothing allows by what its owners ask for, and by whether a law presumes it to be permitted."""
    use = bench.uses[work.work_id]
    wished = wish(work, use, bench.situation, bench.holders)
    outcome, reason = _left_up(finding, wished, bench.segment)
    if outcome is not None:
        disputed = outcome == "share_revenue" and over_claimed(work, bench.segment.territory) is not None
        outcome = _done("track" if disputed else outcome, bench.policy)
        return replace(finding, verdict="left_up", reason=reason, wish=wished, outcome=outcome)
    rule = bench.policy.minimum_use
    if rule is not None and exceptions.presumed(rule, work, use, bench.segment):
        lasts, share = Seconds(max(use.matched_s.values())), Share(use.of_reference or 0.0)
        reason = say("presumed", lasts=lasts, share=share, law=rule.law)
        return replace(
            finding, verdict="presumed", reason=reason, wish=wished, outcome=_done(rule.outcome, bench.policy)
        )
    return replace(finding, reason=reason, wish=wished)


def _left_up(finding: Finding, wished: Wish, segment: Segment) -> tuple[MeasureKind | None, Said]:
    """Return what is done instead of a measure where the owners ask for none, else None; and the reason."""
    kind = wished.ceiling
    policy = plain(wished.policy)
    if kind in LEAVES_UP:
        return kind, say("left_up", policy=policy, outcome=say(f"outcome.{kind}"))
    if kind == "disable_commerce" and not segment.commercial:
        return "allow", say("left_up", policy=policy, outcome=say("outcome.not_sold"))
    if finding.episode.track == "video" and LADDER.index(kind) < LADDER.index("blur_region"):
        told = say("outcome.not_this", kind=say(f"kind.{kind}"))
        return "allow", say("left_up", policy=policy, outcome=told)
    if kind == "remove":
        return None, say("infringing")
    return None, say("ceiling", policy=policy, kind=say(f"kind.{kind}"))


def _done(outcome: MeasureKind, policy: Policy) -> MeasureKind:
    """Return what the platform does of what is asked for: a label where it does no more, or nothing."""
    if outcome in policy.admissible:
        return outcome
    return "label" if outcome != "allow" and "label" in policy.admissible else "allow"


def _parts_in(episode: Episode, work: Work | None, segment: Segment) -> tuple[Span, ...]:
    start_s, end_s = segment.start_s, segment.start_s + segment.duration_s
    spans = (
        [min(max(round(at, 3), start_s), end_s) for at in (span.start_s, span.end_s)]
        for span in uses.counted(episode, work)
    )
    return union(Span(*span) for span in spans)


def title(work: Work) -> Title:
    """Return the work's title; its id where it has none that can be read."""
    return Title(plain(work.title) or plain(work.work_id))
