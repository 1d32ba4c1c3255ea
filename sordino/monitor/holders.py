"""Rights holders' policies: what a holder asks for, under which conditions; data from TOML. Pure once they are read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import AwareDatetime, Field, PrivateAttr, field_validator, model_validator

from sordino.fingerprints.model import Track
from sordino.monitor import territories
from sordino.monitor.ownership import concerned
from sordino.monitor.policy import Frozen, PolicyName, hashed_name
from sordino.monitor.uses import Use
from sordino.monitor.weighing import LADDER
from sordino.monitor.works import InvalidWork, Work
from sordino.pipelines.messages import MeasureKind, Segment

Outcome = Literal[
    "allow", "label", "share_revenue", "track", "erase_music", "mute", "blur_region", "trim", "blank",
    "restrict_territory", "disable_commerce", "remove", "review",
]  # fmt: skip
ANYTHING: MeasureKind = "remove"  # who says nothing sets no ceiling

_Share = Annotated[float, Field(ge=0, le=1)]
_Seconds = Annotated[float, Field(ge=0)]
_Names = Annotated[tuple[str, ...], Field(min_length=1, max_length=10_000)]


class Conditions(Frozen):
    """All that is given has to hold. Seconds and shares are those of the work's use in the stream so far."""

    tracks: Literal["audio", "video", "both"] | None = None
    at_least_s: _Seconds | None = None
    under_s: _Seconds | None = None
    at_least_of_copy: _Share | None = None
    under_of_copy: _Share | None = None
    at_least_of_reference: _Share | None = None
    under_of_reference: _Share | None = None
    territories: _Names | None = None
    live: bool | None = None
    commercial: bool | None = None
    accounts: _Names | None = None
    account_groups: _Names | None = None
    starts: AwareDatetime | None = None  # inclusive
    ends: AwareDatetime | None = None  # exclusive

    @model_validator(mode="after")
    def _possible(self) -> "Conditions":
        ranges = (
            ("at_least_s", "under_s"),
            ("at_least_of_copy", "under_of_copy"),
            ("at_least_of_reference", "under_of_reference"),
            ("starts", "ends"),
        )
        for low, high in ranges:
            least, limit = getattr(self, low), getattr(self, high)
            if least is not None and limit is not None and limit <= least:
                raise ValueError(f"nothing is at least {least} ({low}) and under {limit} ({high})")
        return self


class Rule(Frozen):
    """What is asked for where the conditions hold."""

    outcome: Outcome
    when: Conditions = Conditions()


class HolderPolicy(Frozen):
    """A rights holder's policy; `docs/policy.md` says what each setting does. The first rule that holds decides."""

    kind: Literal["holder"]
    name: PolicyName
    version: Annotated[int, Field(ge=1)]
    outcome: Outcome  # where no rule holds
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict, max_length=100)
    rules: Annotated[tuple[Rule, ...], Field(max_length=100)] = ()
    _groups: territories.Groups = PrivateAttr(default_factory=dict)

    @field_validator("groups")
    @classmethod
    def _sound(cls, groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        territories.resolved(groups, territories.packaged())
        return groups

    @model_validator(mode="after")
    def _known(self) -> "HolderPolicy":
        self._groups = territories.resolved(self.groups, territories.packaged())
        for number, rule in enumerate(self.rules, start=1):
            try:
                self.codes(rule)
            except InvalidWork as error:
                raise ValueError(f"rule {number}: {error}") from error
        return self

    @property
    def version_name(self) -> str:
        """Name, version and a short hash of every setting. Equal names mean equal wishes."""
        return hashed_name(self)

    def codes(self, rule: Rule) -> frozenset[str]:
        """Return the territories that a rule names, groups written out; raises InvalidWork."""
        return territories.expanded(rule.when.territories or (), self._groups)


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What the owners of a work ask for together: no more than `ceiling`.

    `policy` names the policy that set it, `asked` are the owners' different wishes, `humans` the policies by which a
    human has to look, `unknown` the policies that aren't there.
    """

    ceiling: MeasureKind = ANYTHING
    policy: str = ""
    asked: tuple[MeasureKind, ...] = (ANYTHING,)
    humans: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


NO_WISH = Wish()


@dataclass(frozen=True, slots=True)
class Situation:
    """A segment with what else conditions may ask for: the groups of its account, and what time it is."""

    segment: Segment
    account_groups: frozenset[str]
    now: datetime


def wish(work: Work, use: Use, situation: Situation, policies: Mapping[str, HolderPolicy]) -> Wish:
    """
    Return what a work's owners ask for; where they differ, the least restrictive.

    A policy that isn't there is no wish, and told. What isn't known of the segment never makes a wish stronger.
    """
    owners = concerned(work, situation.segment.territory)
    names = [owner.policy or work.policy for owner in owners] or [work.policy]
    unknown = sorted({name for name in names if name is not None and name not in policies})
    asked: dict[MeasureKind, str] = {}
    humans = set()
    for name in sorted({name or "" for name in names} - set(unknown)):
        outcome = asked_for(policies[name], use, situation) if name else ANYTHING
        if outcome == "review":
            humans.add(name)
        asked.setdefault(ANYTHING if outcome == "review" else outcome, name)
    kinds = tuple(sorted(asked or {ANYTHING: ""}, key=LADDER.index))
    return Wish(kinds[0], asked.get(kinds[0], ""), kinds, tuple(sorted(humans)), tuple(unknown))


def asked_for(policy: HolderPolicy, use: Use, situation: Situation) -> Outcome:
    """Return the outcome of the first rule that holds; of those that may hold before it, too, the least restrictive."""
    possible: list[Outcome] = []
    for rule in policy.rules:
        holds = _holds(rule.when, policy.codes(rule), use, situation)
        if holds is not False:
            possible.append(rule.outcome)
        if holds:
            break
    else:
        possible.append(policy.outcome)
    return min(possible, key=_restrictive)


def _restrictive(outcome: Outcome) -> int:
    return len(LADDER) if outcome == "review" else LADDER.index(outcome)


def _holds(when: Conditions, codes: frozenset[str], use: Use, situation: Situation) -> bool | None:
    """Tell whether all conditions hold; None where that depends on what isn't known."""
    answers = [*_of_use(when, use), *_of_segment(when, codes, situation), *_of_time(when, situation.now)]
    if False in answers:
        return False
    return None if None in answers else True


def _of_use(when: Conditions, use: Use) -> Iterator[bool | None]:
    if when.tracks is not None:
        wanted = set(get_args(Track)) if when.tracks == "both" else {when.tracks}
        yield {track for track, seconds in use.matched_s.items() if seconds > 0} == wanted
    yield from _within(use.together_s, when.at_least_s, when.under_s)
    yield from _within(use.of_copy, when.at_least_of_copy, when.under_of_copy)
    yield from _within(use.of_reference, when.at_least_of_reference, when.under_of_reference)


def _within(value: float | None, least: float | None, limit: float | None) -> Iterator[bool | None]:
    if least is not None:
        yield None if value is None else value >= least
    if limit is not None:
        yield None if value is None else value < limit


def _of_segment(when: Conditions, codes: frozenset[str], situation: Situation) -> Iterator[bool | None]:
    segment = situation.segment
    if when.live is not None:
        yield when.live == segment.live
    if when.commercial is not None:
        yield when.commercial == segment.commercial
    if when.territories is not None:
        yield None if segment.territory is None else segment.territory in codes
    if when.accounts is not None:
        yield None if segment.account is None else segment.account in when.accounts
    if when.account_groups is not None:
        yield None if segment.account is None else not situation.account_groups.isdisjoint(when.account_groups)


def _of_time(when: Conditions, now: datetime) -> Iterator[bool]:
    if when.starts is not None:
        yield now >= when.starts
    if when.ends is not None:
        yield now < when.ends
