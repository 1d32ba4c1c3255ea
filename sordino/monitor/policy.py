"""What a platform tolerates, which measures it admits and what needs a human: data from `policies/*.toml`."""

import hashlib
import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sordino.monitor import territories
from sordino.monitor.works import TERRITORIES, WorkKind
from sordino.pipelines.messages import MeasureKind, Segment

# The kinds that the product can weigh and render so far; a policy that names another is refused, not half obeyed.
OFFERED: tuple[MeasureKind, ...] = (
    "label", "share_revenue", "track", "erase_music", "mute", "blur_region", "trim", "blank", "restrict_territory",
    "disable_commerce", "remove",
)  # fmt: skip
USUAL: tuple[MeasureKind, ...] = tuple(kind for kind in OFFERED if kind != "trim")  # not all players can be made to

Rung = Literal["warn_live", "mute_live", "slate_live", "interrupt_live"]
RUNGS: tuple[Rung, ...] = get_args(Rung)  # of the live ladder, from the least to the most intrusive

MAX_POLICY_BYTES = 1 << 16

PolicyName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class PolicyError(Exception):
    """A policy that can't be used: `code` is a snake_case word, the message is one line and names the policy."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Frozen(BaseModel):
    """Immutable, and strict about settings: one that doesn't exist is an error that names it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Deadlines(Frozen):
    """Hours within which a human should decide; of a live stream sooner, as the damage is done while it runs."""

    recorded_h: Annotated[float, Field(gt=0, le=8784)] = 24.0
    live_h: Annotated[float, Field(gt=0, le=8784)] = 1.0


class MinimumUse(Frozen):
    """A use so small that the law presumes it to be permitted, until somebody shows that it isn't."""

    law: Annotated[str, Field(min_length=1, max_length=120)]
    territories: Annotated[tuple[str, ...], Field(min_length=1)]
    up_to_s: Annotated[float, Field(gt=0)]  # of sound, and of pictures
    under_of_work: Annotated[float, Field(gt=0, le=1)]
    combined: bool = True  # with other content
    commercial: bool = False  # also where the segment sells
    not_live: tuple[WorkKind, ...] = ()  # kinds of works that are excepted while a stream is live
    outcome: Literal["allow", "label", "share_revenue", "track"] = "track"

    @field_validator("territories")
    @classmethod
    def _expanded(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(territories.expanded(names, territories.packaged())))


LiveSeconds = Annotated[float, Field(ge=0, le=86_400)]


class LiveRules(Frozen):
    """When a live stream climbs from rung to rung, and down again; no rungs: it is never told anything."""

    rungs: tuple[Rung, ...] = RUNGS
    grace_s: LiveSeconds = 15.0
    mute_after_s: LiveSeconds = 5.0
    slate_after_s: LiveSeconds = 30.0
    interrupt_after_s: LiveSeconds = 60.0
    hold_s: LiveSeconds = 30.0
    cool_down_s: Annotated[float, Field(ge=1, le=86_400)] = 60.0

    @model_validator(mode="after")
    def _remembered(self) -> "LiveRules":
        if self.cool_down_s < self.hold_s:
            raise ValueError("cool_down_s is less than hold_s, so a rung would be forgotten while its measure lasts")
        return self

    @field_validator("rungs")
    @classmethod
    def _warned_first(cls, rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
        if rungs and "warn_live" not in rungs:
            raise ValueError("warn_live has to be among them, as nothing is taken away without a warning")
        return tuple(rung for rung in RUNGS if rung in rungs)


Quota = Annotated[int, Field(gt=0, lt=2**31, strict=True)]


class BrakeRules(Frozen):
    """How many answers a UTC day may be acted on without a human, for one rights holder and for one reference."""

    per_holder_a_day: Quota = 100_000
    per_reference_a_day: Quota = 10_000


class Policy(Frozen):
    """A policy pack; `docs/policy.md` says what each figure does."""

    kind: Literal["platform"] = "platform"
    name: PolicyName
    version: Annotated[int, Field(ge=1)]
    regime: Annotated[str, Field(min_length=1, max_length=64)] = "none"
    admissible: tuple[MeasureKind, ...] = USUAL
    tolerated_residual_s: Annotated[float, Field(ge=0)] = 0.5
    tolerated_residual_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    min_episode_s: Annotated[float, Field(ge=0)] = 3.0
    automatic_log10_false_positive: Annotated[float, Field(le=0)] = -4.0
    conflict_overlap: Annotated[float, Field(gt=0, le=1)] = 0.5
    deadlines: Deadlines = Deadlines()
    audience: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
    minimum_use: MinimumUse | None = None
    live: LiveRules = LiveRules()
    brakes: BrakeRules = BrakeRules()

    @field_validator("admissible")
    @classmethod
    def _offered(cls, kinds: tuple[MeasureKind, ...]) -> tuple[MeasureKind, ...]:
        missing = sorted(set(kinds) - set(OFFERED))
        if missing:
            raise ValueError(f"this version can't do {', '.join(missing)}; it can do {', '.join(sorted(OFFERED))}")
        return kinds

    @field_validator("audience")
    @classmethod
    def _shares(cls, audience: dict[str, float]) -> dict[str, float]:
        territories.expanded(audience, {})
        if sum(audience.values()) > 1 + 1e-9:
            raise ValueError(f"the shares add up to {sum(audience.values()):.3f}, more than all of the audience")
        return audience

    @property
    def version_name(self) -> str:
        """Name, version and a short hash of every figure: `default@1+9c1f0a7b`. Equal names mean equal answers."""
        return hashed_name(self)

    def audience_in(self, codes: Collection[str], shown: Collection[str]) -> float:
        """
        Return which share of those who are shown something is in these territories.

        What the policy says nothing of is spread evenly over the other territories.
        """
        others = [code for code in TERRITORIES if code not in self.audience]
        rest = max(1.0 - sum(self.audience.values()), 0.0) / len(others) if others else 0.0
        here, all_ = (sum(self.audience.get(code, rest) for code in places) for places in (codes, shown))
        return here / all_ if all_ else 0.0

    def tolerated_s(self, duration_s: float) -> float:
        """Return the infringing seconds that may stay in a segment of this length."""
        return min(self.tolerated_residual_s, self.tolerated_residual_share * duration_s)

    def deadline(self, segment: Segment, now: datetime) -> datetime:
        """Return the time by which a human should have decided on this segment."""
        return now + timedelta(hours=self.deadlines.live_h if segment.live else self.deadlines.recorded_h)


def hashed_name(policy: BaseModel) -> str:
    """Return a policy's name and version, and a short hash of all that it says."""
    values = policy.model_dump(mode="json")
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return f"{values['name']}@{values['version']}+{digest[:8]}"
