"""The wire contract: pydantic models of what goes over Kafka and out of `--json`."""

import base64
import binascii
import math
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

SEGMENTS = "sordino.segments.v1"
RECOMMENDATIONS = "sordino.recommendations.v1"
DEADLETTERS = "sordino.deadletters.v1"

MAX_INLINE_BYTES = 1 << 20
MAX_INLINE_CHARS = 4 * ((MAX_INLINE_BYTES + 2) // 3)  # as base64

MeasureKind = Literal[
    "allow", "label", "share_revenue", "track", "erase_music", "mute", "blur_region", "trim", "blank",
    "restrict_territory", "disable_commerce", "warn_live", "mute_live", "slate_live", "interrupt_live", "remove",
    "review",
]  # fmt: skip


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return round(value, 6)  # sums of times end in ...9999999998


def _base64(value: str) -> str:
    if len(value) > MAX_INLINE_CHARS:
        raise PydanticCustomError("inline_too_large", "is over 1 MiB")
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise PydanticCustomError("bad_base64", "is not base64") from None
    return value


Seconds = Annotated[float, AfterValidator(_finite)]
StreamSeconds = Annotated[float, Field(ge=0, le=1e9)]  # 30 years: sums of such numbers stay finite
Territory = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]  # ISO 3166-1 alpha-2
# Databases refuse NUL, terminals and logs are fooled by the other control characters.
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
Text = Annotated[str, Field(max_length=65_536, pattern=r"^[^\x00]*$")]
Base64 = Annotated[
    str,
    AfterValidator(_base64),
    Field(json_schema_extra={"contentEncoding": "base64", "maxLength": MAX_INLINE_CHARS}),
]


class Message(BaseModel):
    """Immutable, and strict about fields: a misspelt one is an error that names it, not a wish that is lost."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TimeSpan(Message):
    """A stretch of time in seconds."""

    start_s: Seconds
    end_s: Seconds

    @model_validator(mode="after")
    def _ordered(self) -> "TimeSpan":
        if self.end_s < self.start_s:
            raise ValueError("end_s is before start_s")
        return self

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


class PictureRegion(Message):
    """A rectangle; fractions of the picture's width and height."""

    x: Annotated[float, Field(ge=0, le=1)]
    y: Annotated[float, Field(ge=0, le=1)]
    w: Annotated[float, Field(ge=0, le=1)]
    h: Annotated[float, Field(ge=0, le=1)]


class Media(Message):
    """Where a segment's media is: a `uri` from the allowed prefixes, or `inline` (base64, at most 1 MiB decoded)."""

    uri: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    inline: Base64 | None = None

    @model_validator(mode="after")
    def _one(self) -> "Media":
        if (self.uri is None) == (self.inline is None):
            raise ValueError("needs either uri or inline")
        return self

    def inline_bytes(self) -> bytes | None:
        """Return the decoded `inline`, or None where the media is at a `uri`."""
        return None if self.inline is None else base64.b64decode(self.inline)


class Segment(Message):
    """A piece of a live stream, `(stream_id, sequence)`; a short video is a stream of one segment."""

    stream_id: Name
    sequence: Annotated[int, Field(ge=0, lt=2**63)]
    start_s: Annotated[StreamSeconds, Field(description="stream time at which the segment begins")]
    duration_s: Annotated[StreamSeconds, Field(description="as far as it is known; what counts is what is decoded")]
    media: Media | None = Field(default=None, description="may be absent only where `ended` is true")
    live: bool = False
    account: Name | None = None
    territory: Territory | None = None
    commercial: bool = False
    title: Text | None = None
    captions: Text | None = None
    declared_licences: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    exceptions_claimed: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    ended: bool = False

    @model_validator(mode="after")
    def _media_unless_ended(self) -> "Segment":
        if self.media is None and not self.ended:
            raise ValueError("media is missing")
        return self


class Match(Message):
    """A verified finding; `query` is in the stream's time (a file's stream begins at 0)."""

    work_id: str
    reference_id: str
    title: str
    track: Literal["audio", "video"]
    query: TimeSpan
    reference: TimeSpan
    speed: float
    pitch_semitones: float
    mirrored: bool
    region: PictureRegion | None
    score: float
    log10_false_positive: float


class Measure(Message):
    """One thing that a platform can do; `spans` are in the stream's time, none means all of it."""

    kind: MeasureKind
    spans: tuple[TimeSpan, ...] = ()
    region: PictureRegion | None = None
    territories: tuple[Territory, ...] = ()
    expires: datetime | None = None


class Rejected(Message):
    """An alternative that was weighed, and why it was not chosen."""

    measure: Measure
    together_with: tuple[Measure, ...] = ()
    residual_s: float
    collateral_s: float
    why: str


class LicenceChecked(Message):
    """A licence that was looked up, and whether it covers this use."""

    licence_id: str
    work_id: str
    covers: bool
    why: str


class Recommendation(Message):
    """The chosen measures, why, what was rejected and why."""

    recommendation_id: str
    stream_id: str
    sequence: int
    measures: tuple[Measure, ...]
    residual_s: float
    collateral_s: float
    automatic: bool = Field(description="may it be applied without a human")
    because: tuple[Match, ...]
    rejected: tuple[Rejected, ...]
    licences_checked: tuple[LicenceChecked, ...]
    exceptions_claimed: tuple[str, ...]
    regime: str
    deadline: datetime | None
    policy_version: str
    holder_policies: Annotated[tuple[str, ...], Field(description="rights holders' policies, and which version")] = ()
    engine_version: str
    supersedes: str | None
    statement: Annotated[str, Field(description="in plain English")]
    statement_zh: Annotated[str, Field(description="the same in Simplified Chinese")] = ""


class DeadLetter(Message):
    """
    A message that could not be worked on, with the reason; the Kafka key is the original's.

    `original` is what was received, at most 2 MiB of it; topic, partition and offset say where the whole of it is.
    """

    original: Annotated[str, Field(description="the original value", json_schema_extra={"contentEncoding": "base64"})]
    original_size: Annotated[int, Field(ge=0, description="bytes; more than `original` holds where that was cut")]
    topic: str
    partition: int
    offset: int
    code: str
    message: Annotated[str, Field(max_length=500)]
