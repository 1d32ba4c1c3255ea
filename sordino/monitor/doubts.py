"""Pure: what keeps a measure from being taken without a human, and what a human is asked besides."""

from collections.abc import Collection, Iterable, Sequence
from itertools import combinations

from sordino.fingerprints.model import Match, Span, Track, union
from sordino.monitor.judging import Finding, title
from sordino.monitor.ownership import over_claimed, owners_in
from sordino.monitor.policy import Policy
from sordino.monitor.statements.said import Listed, Said, Seconds, Share, say
from sordino.monitor.weighing import minus
from sordino.monitor.wording import plain
from sordino.monitor.works import Work
from sordino.pipelines.messages import Segment

Dispute = tuple[Work, Said]  # whose owners are at odds, and about what

OVERRUN_S = 1.0  # spans are right to within this; more beyond the segment's end means that its length is wrong


def doubts_of(findings: Sequence[Finding], segment: Segment, policy: Policy) -> list[Said]:
    """Return all that keeps a measure on these findings from being taken without a human."""
    infringing = [finding for finding in findings if finding.infringing]
    return [
        *_exceptions(segment),
        *_told(_over_claimed(infringing, segment)),
        *_nowhere(infringing, segment, policy),
        *_told(_conflicts(findings, policy)),
        *_uncertain(infringing, policy),
        *_by_policy(infringing),
    ]


def cases_of(findings: Sequence[Finding], segment: Segment) -> list[Said]:
    """Return what a human is asked besides, while the least of what owners ask for is done."""
    left_up = [finding for finding in findings if finding.verdict == "left_up"]
    disputed = [*_over_claimed(_shared(findings), segment), *_wishes_differ(findings)]
    return [*_told(disputed), *_by_policy(left_up)]


def disputes(findings: Sequence[Finding], segment: Segment, policy: Policy) -> list[Dispute]:
    """Return the works whose owners are at odds, with one another or with another work's."""
    claimed = [*(finding for finding in findings if finding.infringing), *_shared(findings)]
    return [*_over_claimed(claimed, segment), *_conflicts(findings, policy), *_wishes_differ(findings)]


def _told(disputes: Iterable[Dispute]) -> list[Said]:
    return list(dict.fromkeys(why for _, why in disputes))


def _shared(findings: Iterable[Finding]) -> list[Finding]:
    return [f for f in findings if f.verdict == "left_up" and f.wish.ceiling == "share_revenue"]


def _wishes_differ(findings: Iterable[Finding]) -> list[Dispute]:
    found = []
    for finding in findings:
        if finding.work is not None and finding.verdict in ("infringing", "left_up") and len(finding.wish.asked) > 1:
            kinds = Listed(tuple(say(f"kind.{kind}") for kind in finding.wish.asked))
            found.append((finding.work, say("wishes", title=title(finding.work), kinds=kinds)))
    return found


def _exceptions(segment: Segment) -> list[Said]:
    claims = plain(", ".join(segment.exceptions_claimed))
    return [say("exception", claims=claims)] if claims else []


def _over_claimed(findings: Sequence[Finding], segment: Segment) -> list[Dispute]:
    found = []
    for work in works_of(findings):
        claimed = over_claimed(work, segment.territory)
        if claimed is not None:
            place, total = claimed
            where = {"territory": place} if place else {}
            phrase = "over_claimed" if place else "over_claimed.everywhere"
            found.append((work, say(phrase, title=title(work), total=Share(total), **where)))
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


def _conflicts(findings: Sequence[Finding], policy: Policy) -> list[Dispute]:
    claims = [finding for finding in findings if finding.verdict in ("infringing", "licensed", "left_up")]
    return [
        (one.work, say("twice", one=title(one.work), other=title(other.work)))
        for one, other in combinations(claims, 2)
        if one.work is not None and other.work is not None and _conflict(one, other, policy)
    ]


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
