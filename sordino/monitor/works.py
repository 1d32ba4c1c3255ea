"""What is protected, by whom, and who may use it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

WorkKind = Literal["recording", "composition", "film", "show", "sport", "short_video"]
WORK_KINDS: tuple[str, ...] = get_args(WorkKind)


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who owns how much of a work, and where; no territories means everywhere."""

    holder: str
    share: float = 1.0
    territories: tuple[str, ...] = ()  # ISO 3166-1 alpha-2


@dataclass(frozen=True, slots=True)
class Reference:
    """One media rendering of a work, fingerprinted."""

    reference_id: str
    work_id: str
    path: str  # as it was given at registration
    sha256: str  # of the media's bytes: its name in the home folder's media store
    audio_s: float
    video_s: float
    chromaprint: str | None = None  # AcoustID-compatible, of the first 120 s


@dataclass(frozen=True, slots=True)
class Work:
    """What is protected."""

    work_id: str
    title: str
    kind: str
    owners: tuple[Ownership, ...]
    references: tuple[Reference, ...] = ()
    isrc: str | None = None
    iswc: str | None = None
    eidr: str | None = None
    policy: str | None = None  # the name of the rights holder's policy
    registered: datetime | None = None  # UTC
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Licence:
    """
    Who may use which work, where, until when, on which accounts.

    No accounts means every account, no territories everywhere, no date no limit. A licence that is not `commercial`
    does not cover a segment that sells.
    """

    licence_id: str
    work_id: str
    licensee: str
    accounts: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    starts: datetime | None = None  # UTC, inclusive
    expires: datetime | None = None  # UTC, exclusive
    commercial: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store knows that bears on a segment's matches: works by reference, and their licences."""

    works: dict[str, Work] = field(default_factory=dict)  # reference_id -> Work
    licences: tuple[Licence, ...] = ()
