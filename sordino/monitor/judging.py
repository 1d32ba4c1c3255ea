"""Pure: what is to be thought of each episode, and what keeps a measure from being taken without a human."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from sordino.fingerprints.model import Match, Span, Track
from sordino.monitor import exceptions, uses
from sordino.monitor.holders import NO_WISH, HolderPolicy, Situation, Wish, wish
from sordino.monitor.ownership import over_claimed, owners_in
from sordino.monitor.policy import Policy
from sordino.monitor.statements.said import Listed, Said, Seconds, Share, Title, say
from sordino.monitor.timeline import Episode
from sordino.monitor.uses import Use
from sordino.monitor.weighing import LADDER, LEAVES_UP, minus, union
from sordino.monitor.wording import plain
from sordino.monitor.works import Facts, Work
from sordino.pipelines.messages import LicenceChecked, MeasureKind, Segment

Verdict = Literal[
    "infringing", "licensed", "left_up", "presumed", "too_short", "excluded", "no_right_here", "public_domain",
    "withdrawn", "unregistered",
]  # fmt: skip

OVERRUN_S = 1.0  # spans are right to within this; more beyond the segment's end means that its length is wrong


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


def doubts(findings: Sequence[Finding], segment: Segment, policy: Policy) -> list[Said]:
    """Return all that keeps a measure on these findings from being taken without a human."""
    infringing = [finding for finding in findings if finding.infringing]
    return [
        *_exceptions(segment),
        *_over_claimed(infringing, segment),
        *_nowhere(infringing, segment, policy),
        *_conflicts(findings, policy),
        *_uncertain(infringing, policy),
        *_by_policy(infringing),
    ]


def cases(findings: Sequence[Finding], segment: Segment) -> list[Said]:
    """Return what a human is asked besides, while the least of what owners ask for is done."""
    left_up = [finding for finding in findings if finding.verdict == "left_up"]
    shared = [finding for finding in left_up if finding.wish.ceiling == "share_revenue"]
    return [*_over_claimed(shared, segment), *_wishes_differ(findings), *_by_policy(left_up)]


def _wishes_differ(findings: Iterable[Finding]) -> list[Said]:
    found = []
    for finding in findings:
        if finding.work is not None and finding.verdict in ("infringing", "left_up") and len(finding.wish.asked) > 1:
            kinds = Listed(tuple(say(f"kind.{kind}") for kind in finding.wish.asked))
            found.append(say("wishes", title=title(finding.work), kinds=kinds))
    return list(dict.fromkeys(found))


def _exceptions(segment: Segment) -> list[Said]:
    claims = plain(", ".join(segment.exceptions_claimed))
    return [say("exception", claims=claims)] if claims else []


def _over_claimed(findings: Sequence[Finding], segment: Segment) -> list[Said]:
    found = []
    for work in works_of(findings):
        claimed = over_claimed(work, segment.territory)
        if claimed is not None:
            place, total = claimed
            where = {"territory": place} if place else {}
            phrase = "over_claimed" if place else "over_claimed.everywhere"
            found.append(say(phrase, title=title(work), total=Share(total), **where))
    return found


def _nowhere(infringing: Sequence[Finding], segment: Segment, policy: Policy) -> list[Said]:
    """
    Name the works whose rights hold in some territories only, where the segment doesn't say where it is shown.

    Where the policy knows how the audience is spread, the weighing by territory says what is least.
    """
    if segment.territory or policy.audience:
        return []
    limited = [work for work in works_of(infringing) if work.owners and not owners_in(work, None)]
    return [say("nowhere", title=title(work)) for work in limited]


def _by_policy(findings: Iterable[Finding]) -> list[Said]:
    found = []
    for finding in findings:
        if finding.work is not None:
            named = title(finding.work)
            found += [say("no_policy", title=named, policy=plain(name)) for name in finding.wish.unknown]
            found += [say("asks_human", title=named, policy=plain(name)) for name in finding.wish.humans]
    return list(dict.fromkeys(found))


def _conflicts(findings: Sequence[Finding], policy: Policy) -> list[Said]:
    claims = [finding for finding in findings if finding.verdict in ("infringing", "licensed", "left_up")]
    found = [
        say("twice", one=title(one.work), other=title(other.work))
        for one, other in combinations(claims, 2)
        if one.work is not None and other.work is not None and _conflict(one, other, policy)
    ]
    return list(dict.fromkeys(found))


def _conflict(one: Finding, other: Finding, policy: Policy) -> bool:
    """
    Two works of one kind, of unrelated owners, heard or seen at once: the same recording registered by two.

    A recording and the composition it plays are two rights in one sound, no conflict; nor is a short cross-fade.
    """
    if one.work is None or other.work is None or one.work.work_id == other.work.work_id:
        return False
    if not (one.infringing or other.infringing) or one.work.kind != other.work.kind:
        return False
    if one.episode.track != other.episode.track or not _unrelated(one.work, other.work):
        return False
    shorter_s = min(one.episode.query.duration_s, other.episode.query.duration_s)
    return shorter_s > 0 and one.episode.query.overlap_s(other.episode.query) >= policy.conflict_overlap * shorter_s


def _unrelated(one: Work, other: Work) -> bool:
    holders, others = ({owner.holder for owner in work.owners} for work in (one, other))
    return holders.isdisjoint(others) and bool(holders or others)


def _uncertain(infringing: Sequence[Finding], policy: Policy) -> list[Said]:
    """Name the works whose match is uncertain, unless certain ones on the same track cover the same stretch."""
    limit = policy.automatic_log10_false_positive
    certain = [finding for finding in infringing if finding.episode.log10_false_positive <= limit]
    unsure = [
        finding
        for finding in infringing
        if finding not in certain and minus(finding.parts, _parts(certain, finding.episode.track))
    ]
    return [say("uncertain", title=title(work)) for work in works_of(unsure)]


def _parts(findings: Iterable[Finding], track: Track) -> tuple[Span, ...]:
    return union(part for finding in findings if finding.episode.track == track for part in finding.parts)


def works_of(findings: Iterable[Finding]) -> list[Work]:
    """Return the works found, each once, in order of appearance."""
    return list({finding.work.work_id: finding.work for finding in findings if finding.work is not None}.values())


def overrun(matches: Iterable[Match], segment: Segment, infringing: Collection[str]) -> list[Said]:
    """Return the doubt that arises where infringing references are found beyond the length that a segment states."""
    ends = [match.query.end_s for match in matches if match.reference_id in infringing]
    if not ends or max(ends) <= segment.duration_s + OVERRUN_S:
        return []
    return [say("overrun", stated=Seconds(segment.duration_s), found=Seconds(max(ends)))]
