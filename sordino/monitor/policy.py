"""What a platform tolerates, which measures it admits and what needs a human: data from `policies/*.toml`."""

import hashlib
import json
import tomllib
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sordino.pipelines.messages import MeasureKind, Segment

# The kinds that the product can weigh and render so far; a policy that names another is refused, not half obeyed.
OFFERED: frozenset[MeasureKind] = frozenset({"mute", "blank", "remove"})

Rung = Literal["warn_live", "mute_live", "slate_live", "interrupt_live"]
RUNGS: tuple[Rung, ...] = get_args(Rung)  # of the live ladder, from the least to the most intrusive

MAX_POLICY_BYTES = 1 << 16


class PolicyError(Exception):
    """A policy that can't be used: `code` is a snake_case word, the message is one line and names the policy."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Deadlines(_Frozen):
    """Hours within which a human should decide; of a live stream sooner, as the damage is done while it runs."""

    recorded_h: Annotated[float, Field(gt=0, le=8784)] = 24.0
    live_h: Annotated[float, Field(gt=0, le=8784)] = 1.0


LiveSeconds = Annotated[float, Field(ge=0, le=86_400)]


class LiveRules(_Frozen):
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


class BrakeRules(_Frozen):
    """How many answers a UTC day may be acted on without a human, for one rights holder and for one reference."""

    per_holder_a_day: Quota = 100_000
    per_reference_a_day: Quota = 10_000


class Policy(_Frozen):
    """A policy pack; `docs/policy.md` says what each figure does."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    version: Annotated[int, Field(ge=1)]
    regime: Annotated[str, Field(min_length=1, max_length=64)] = "none"
    admissible: tuple[MeasureKind, ...] = ("mute", "blank", "remove")
    tolerated_residual_s: Annotated[float, Field(ge=0)] = 0.5
    tolerated_residual_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    min_episode_s: Annotated[float, Field(ge=0)] = 3.0
    automatic_log10_false_positive: Annotated[float, Field(le=0)] = -4.0
    conflict_overlap: Annotated[float, Field(gt=0, le=1)] = 0.5
    deadlines: Deadlines = Deadlines()
    live: LiveRules = LiveRules()
    brakes: BrakeRules = BrakeRules()

    @field_validator("admissible")
    @classmethod
    def _offered(cls, kinds: tuple[MeasureKind, ...]) -> tuple[MeasureKind, ...]:
        missing = sorted(set(kinds) - OFFERED)
        if missing:
            raise ValueError(f"this version can't do {', '.join(missing)}; it can do {', '.join(sorted(OFFERED))}")
        return kinds

    @property
    def version_name(self) -> str:
        """Name, version and a short hash of every figure: `default@1+9c1f0a7b`. Equal names mean equal answers."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return f"{self.name}@{self.version}+{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def tolerated_s(self, duration_s: float) -> float:
        """Return the infringing seconds that may stay in a segment of this length."""
        return min(self.tolerated_residual_s, self.tolerated_residual_share * duration_s)

    def deadline(self, segment: Segment, now: datetime) -> datetime:
        """Return the time by which a human should have decided on this segment."""
        return now + timedelta(hours=self.deadlines.live_h if segment.live else self.deadlines.recorded_h)


def load(name_or_path: str | Path = "default") -> Policy:
    """
    Read a packaged policy by its name, or any by the path of its file (which ends in `.toml`).

    Raises PolicyError: `policy_not_found`, `policy_unreadable`, `policy_not_toml` or `policy_invalid`.

    >>> load("default").name
    'default'
    """
    text = str(name_or_path)
    content = _read(Path(name_or_path)) if text.endswith(".toml") else _packaged(text)
    try:
        return Policy.model_validate(tomllib.loads(content))
    except tomllib.TOMLDecodeError as error:
        raise PolicyError("policy_not_toml", f"policy {text!r} isn't TOML: {error}") from error
    except ValidationError as error:
        raise PolicyError("policy_invalid", f"policy {text!r}: {_one_line(error)}") from error


def packaged() -> list[str]:
    """Return the names of the policies that come with the product, sorted."""
    folder = resources.files("sordino.monitor").joinpath("policies")
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def _packaged(name: str) -> str:
    if name not in packaged():  # also keeps names such as `../x` from being looked up
        raise PolicyError("policy_not_found", f"no policy {name!r}; there are: {', '.join(packaged())}")
    return resources.files("sordino.monitor").joinpath("policies", f"{name}.toml").read_text(encoding="utf-8")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_POLICY_BYTES + 1)
    except FileNotFoundError as error:
        raise PolicyError("policy_not_found", f"no policy file {str(path)!r}") from error
    except OSError as error:
        raise PolicyError("policy_unreadable", f"policy {str(path)!r}: {error.strerror}") from error
    if len(content) > MAX_POLICY_BYTES:
        raise PolicyError("policy_unreadable", f"policy {str(path)!r} is over {MAX_POLICY_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError("policy_not_toml", f"policy {str(path)!r} isn't UTF-8 text") from error


def _one_line(error: ValidationError) -> str:
    parts = []
    for detail in error.errors(include_url=False):
        where = ".".join(str(part) for part in detail["loc"])
        what = (
            "there is no such setting"
            if detail["type"] == "extra_forbidden"
            else detail["msg"].removeprefix("Value error, ")
        )
        parts.append(f"{where}: {what}" if where else what)
    return "; ".join(parts)
