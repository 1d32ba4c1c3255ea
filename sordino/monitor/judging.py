"""Pure: what is to be thought of each episode, and what keeps a measure from being taken without a human."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from sordino.fingerprints.model import Match, Span, Track
from sordino.monitor.policy import Policy
from sordino.monitor.timeline import Episode
from sordino.monitor.weighing import minus, union
from sordino.monitor.wording import plain
from sordino.monitor.works import Facts, Ownership, Work
from sordino.pipelines.messages import LicenceChecked, Segment

Verdict = Literal["infringing", "licensed", "too_short", "no_right_here", "withdrawn", "unregistered"]

OVERRUN_S = 1.0  # spans are right to within this; more beyond the segment's end means that its length is wrong
SHARE_SLACK = 0.001  # thirds are written 33.34 %


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What is thought of one episode.

    `part` is the stretch of it that lies in the segment, in the stream's time and to the millisecond; it may be empty.
    `work` is None where the reference isn't registered any more.
    """

    episode: Episode
    work: Work | None
    part: Span
    verdict: Verdict
    reason: str

    @property
    def infringing(self) -> bool:
        """Is it a use that nothing allows."""
        return self.verdict == "infringing"


def judge(
    episodes: Iterable[Episode], segment: Segment, facts: Facts, licences: Sequence[LicenceChecked], policy: Policy
) -> tuple[Finding, ...]:
    """Judge each episode; licences first, as a use that is licensed is nobody's infringement however it looks."""
    findings = []
    for episode in episodes:
        work = facts.works.get(episode.reference_id)
        verdict, reason = _verdict(episode, work, segment, licences, policy)
        findings.append(Finding(episode, work, _part(episode.query, segment), verdict, reason))
    return tuple(findings)


def _verdict(
    episode: Episode, work: Work | None, segment: Segment, licences: Sequence[LicenceChecked], policy: Policy
) -> tuple[Verdict, str]:
    if work is None:
        return "unregistered", "its reference is no longer registered, so nothing is asked for it"
    if work.withdrawn:
        return "withdrawn", "the work has been withdrawn, so nothing is asked for it"
    covering = [licence.licence_id for licence in licences if licence.covers and licence.work_id == work.work_id]
    if covering:
        return "licensed", f"licence {plain(covering[0])} covers this use"
    if episode.query.duration_s < policy.min_episode_s:
        lasts = f"it lasts {episode.query.duration_s:.1f} s, less than the {policy.min_episode_s:.1f} s"
        return "too_short", f"{lasts} from which this policy acts"
    if work.owners and segment.territory and not owners_in(work, segment.territory):
        return "no_right_here", f"none of its owners has rights in {segment.territory}"
    return "infringing", "no licence on record covers this use"


def _part(query: Span, segment: Segment) -> Span:
    start_s, end_s = segment.start_s, segment.start_s + segment.duration_s
    first, last = (min(max(round(at, 3), start_s), end_s) for at in (query.start_s, query.end_s))
    return Span(first, last)


def title(work: Work) -> str:
    """Return the work's title in quotation marks; its id where it has none."""
    return f"“{plain(work.title) or plain(work.work_id)}”"


def owners_in(work: Work, territory: str | None) -> tuple[Ownership, ...]:
    """Return who owns the work there; where it isn't known (None), the owners everywhere."""
    return tuple(o for o in work.owners if not o.territories or territory in o.territories)


def doubts(findings: Sequence[Finding], segment: Segment, policy: Policy) -> list[str]:
    """Return, in words, all that keeps a measure on these findings from being taken without a human."""
    infringing = [finding for finding in findings if finding.infringing]
    return [
        *_exceptions(segment),
        *_over_claimed(infringing, segment),
        *_nowhere(infringing, segment),
        *_conflicts(findings, policy),
        *_uncertain(infringing, policy),
    ]


def _exceptions(segment: Segment) -> list[str]:
    claims = plain(", ".join(segment.exceptions_claimed))
    return [f"the uploader claims an exception ({claims}), which only a human can weigh"] if claims else []


def _over_claimed(infringing: Sequence[Finding], segment: Segment) -> list[str]:
    found = []
    for work in works_of(infringing):
        named = {territory for owner in work.owners for territory in owner.territories}
        for territory in [segment.territory] if segment.territory else [None, *sorted(named)]:
            share = sum(owner.share for owner in owners_in(work, territory))
            if share > 1 + SHARE_SLACK:
                place = f"in {territory}" if territory else "everywhere"
                found.append(f"the shares claimed in {title(work)} {place} add up to {share:.0%}")
                break
    return found


def _nowhere(infringing: Sequence[Finding], segment: Segment) -> list[str]:
    """Name the works whose rights hold in some territories only, where the segment doesn't say where it is shown."""
    if segment.territory:
        return []
    limited = [work for work in works_of(infringing) if work.owners and not owners_in(work, None)]
    return [
        f"{title(work)} is owned in some territories only, and the segment doesn't say where it is shown"
        for work in limited
    ]


def _conflicts(findings: Sequence[Finding], policy: Policy) -> list[str]:
    claims = [finding for finding in findings if finding.verdict in ("infringing", "licensed")]
    found = [
        f"{title(one.work)} and {title(other.work)} are claimed by different owners for the same stretch"
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


def _uncertain(infringing: Sequence[Finding], policy: Policy) -> list[str]:
    """Name the works whose match is uncertain, unless certain ones on the same track cover the same stretch."""
    limit = policy.automatic_log10_false_positive
    certain = [finding for finding in infringing if finding.episode.log10_false_positive <= limit]
    unsure = [
        finding
        for finding in infringing
        if finding not in certain and minus([finding.part], _parts(certain, finding.episode.track))
    ]
    return [f"the match of {title(work)} isn't certain enough to act on alone" for work in works_of(unsure)]


def _parts(findings: Iterable[Finding], track: Track) -> tuple[Span, ...]:
    return union(finding.part for finding in findings if finding.episode.track == track)


def works_of(findings: Iterable[Finding]) -> list[Work]:
    """Return the works found, each once, in order of appearance."""
    return list({finding.work.work_id: finding.work for finding in findings if finding.work is not None}.values())


def overrun(matches: Iterable[Match], segment: Segment, infringing: Collection[str]) -> list[str]:
    """Return the doubt that arises where infringing references are found beyond the length that a segment states."""
    ends = [match.query.end_s for match in matches if match.reference_id in infringing]
    if not ends or max(ends) <= segment.duration_s + OVERRUN_S:
        return []
    return [f"the segment says that it lasts {segment.duration_s:.1f} s, but works were found up to {max(ends):.1f} s"]
