"""Pure: what may be done without a human, and no more of it a day than the policy grants."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sordino.monitor.cases import Case, CaseKind, Subject, new_id
from sordino.monitor.judging import Finding, title
from sordino.monitor.ownership import concerned
from sordino.monitor.policy import BrakeRules
from sordino.monitor.statements.english import ENGLISH
from sordino.monitor.statements.said import Said, say
from sordino.monitor.wording import plain
from sordino.monitor.works import Work
from sordino.pipelines.messages import Measure, MeasureKind

# What takes nothing away isn't counted, nor is what waits for a human anyway.
FREE: frozenset[MeasureKind] = frozenset({"allow", "label", "share_revenue", "track", "warn_live", "review"})


@dataclass(frozen=True, slots=True)
class Usage:
    """What has been done without a human today, and which references are in quarantine."""

    counts: Mapping[Subject, int] = field(default_factory=dict)
    quarantined: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stop:
    """A brake that holds: for whom, why, and the case that a person should look into."""

    subject: Subject
    work: Work
    why: Said
    opens: CaseKind | None = None  # None: it is open already

    def case(self, now: datetime) -> Case | None:
        """Return the case to be opened, if any."""
        if self.opens is None:
            return None
        work_id = self.work.work_id if self.subject.kind == "reference" else None
        return Case(new_id(), self.opens, self.subject, ENGLISH.say(self.why), now, work_id)


def acts(measures: Iterable[Measure]) -> bool:
    """Is anything taken away."""
    return any(measure.kind not in FREE for measure in measures)


def subjects(findings: Iterable[Finding], territory: str | None) -> dict[Subject, Work]:
    """Return what a measure on these findings is counted for: each reference that infringes, and each work's owners."""
    counted: dict[Subject, Work] = {}
    for finding in findings:
        if finding.infringing and finding.parts and finding.work is not None:
            counted.setdefault(Subject("reference", finding.episode.reference_id), finding.work)
            for owner in concerned(finding.work, territory):
                counted.setdefault(Subject("holder", owner.holder), finding.work)
    return counted


def quota(subject: Subject, rules: BrakeRules) -> int:
    """Return how many answers a day may be acted on without a human for a subject."""
    return rules.per_reference_a_day if subject.kind == "reference" else rules.per_holder_a_day


def stops(counted: Mapping[Subject, Work], usage: Usage, rules: BrakeRules) -> Sequence[Stop]:
    """Return every brake that holds."""
    found = []
    for subject, work in sorted(counted.items(), key=lambda item: item[0]):
        if subject.kind == "reference" and subject.name in usage.quarantined:
            found.append(Stop(subject, work, _why(subject, work, None)))
        elif usage.counts.get(subject, 0) >= quota(subject, rules):
            why = _why(subject, work, quota(subject, rules))
            found.append(Stop(subject, work, why, "quarantine" if subject.kind == "reference" else "quota"))
    return found


def _why(subject: Subject, work: Work, most: int | None) -> Said:
    """Say why a brake holds; `most` a day are used up, None where it is the quarantine."""
    name = plain(subject.name)
    if subject.kind == "holder":
        return say("brake.holder", most=str(most), holder=name)
    if most is None:
        return say("brake.quarantine", id=name, title=title(work))
    return say("brake.reference", most=str(most), id=name, title=title(work))
