"""What is protected, by whom, and who may use it."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

WorkKind = Literal["recording", "composition", "film", "show", "sport", "short_video"]
WORK_KINDS: tuple[str, ...] = get_args(WorkKind)

LicensedUse = Literal["any", "live", "recorded"]

# ISO 3166-1 alpha-2, officially assigned
TERRITORIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
    CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
    GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
    KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
    MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
    SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
    UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()  # noqa: SIM905 - 249 quotation marks would be no clearer
)

_BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class InvalidWork(ValueError):  # noqa: N818 - named as its siblings in the pipelines
    """What was said of a work can't be so: `code` is a snake_case word, the message one line with the culprit."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who owns how much of a work, and where; no territories means everywhere."""

    holder: str
    share: float = 1.0
    territories: tuple[str, ...] = ()  # ISO 3166-1 alpha-2
    policy: str | None = None  # the name of this owner's policy; None: the work's

    def __post_init__(self) -> None:
        if not self.holder.strip():
            raise InvalidWork("bad_holder", "an owner has no name")
        if not 0 < self.share <= 1:  # NaN is not, either
            raise InvalidWork("bad_share", f"the share of {self.holder!r} is {self.share}; it is a part of 1")
        _check_territories(self.territories)


@dataclass(frozen=True, slots=True)
class Excluded:
    """A stretch of a reference that nobody's claim rests on: a library sample, applause, noise."""

    start_s: float
    end_s: float
    reason: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.start_s < self.end_s < math.inf:  # NaN is not, either
            raise InvalidWork("bad_interval", f"{self.start_s} s to {self.end_s} s is no stretch of a reference")


@dataclass(frozen=True, slots=True)
class Reference:
    """One media rendering of a work, fingerprinted."""

    reference_id: str
    work_id: str
    path: str  # as it was given at registration
    sha256: (
        str | None
    )  # of the media's bytes: its name in the home folder's media store; None: a feed's segments are it
    audio_s: float
    video_s: float
    chromaprint: str | None = None  # AcoustID-compatible, of the first 120 s
    begins_s: float | None = None  # in the live feed that it is a part of
    excluded: tuple[Excluded, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """
    What is protected. Raises InvalidWork, also where an identifier is not as its `parse_` function writes it.

    Shares may add up to more than 1: that owners conflict is a fact to decide on, not a slip.
    """

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
    public_domain: bool = False

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise InvalidWork("bad_title", f"work {self.work_id} has no title")
        if self.kind not in WORK_KINDS:
            raise InvalidWork("bad_kind", f"there is no kind of work {self.kind!r}; there are: {', '.join(WORK_KINDS)}")
        _check_identifier(self.isrc, parse_isrc)
        _check_identifier(self.iswc, parse_iswc)
        _check_identifier(self.eidr, parse_eidr)
        _check_aware("registered", self.registered)


@dataclass(frozen=True, slots=True)
class Licence:
    """
    Who may use a work, or all works of a holder (its catalogue): where, until when, on which accounts.

    Neither accounts nor groups of accounts means every account, no territories everywhere, no date no limit. A licence
    that is not `commercial` does not cover a segment that sells. A catalogue's covers what its holder owns.
    """

    licence_id: str
    work_id: str | None
    licensee: str
    accounts: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    starts: datetime | None = None  # UTC, inclusive
    expires: datetime | None = None  # UTC, exclusive
    commercial: bool = True
    holder: str | None = None
    account_groups: tuple[str, ...] = ()
    use: str = "any"  # a LicensedUse

    def __post_init__(self) -> None:
        if (self.work_id is None) == (not self.holder):
            raise InvalidWork("bad_licence", "a licence is for a work or for the works of a holder: name one of them")
        if self.use not in get_args(LicensedUse):
            raise InvalidWork("bad_use", f"there is no use {self.use!r}; there are: {', '.join(get_args(LicensedUse))}")
        _check_territories(self.territories)
        _check_aware("starts", self.starts)
        _check_aware("expires", self.expires)
        if self.starts is not None and self.expires is not None and self.expires <= self.starts:
            raise InvalidWork("bad_period", f"licence {self.licence_id} expires before it starts")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store knows that bears on a segment's matches: works by reference, licences, groups of the account."""

    works: dict[str, Work] = field(default_factory=dict)  # reference_id -> Work
    licences: tuple[Licence, ...] = ()
    account_groups: frozenset[str] = frozenset()


def parse_isrc(text: str) -> str:
    """
    Return an International Standard Recording Code (ISO 3901) in its 12 characters; it has no check digit.

    >>> parse_isrc("ISRC us-rc1-76-07839")
    'USRC17607839'
    """
    code = re.sub(r"^ISRC:?|[\s-]", "", text.strip().upper())
    if not re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", code):
        raise InvalidWork("bad_isrc", f"{text!r} is no ISRC: two letters, three letters or digits, seven digits")
    return code


def parse_iswc(text: str) -> str:
    """
    Return an International Standard Musical Work Code (ISO 15707), its check digit verified.

    >>> parse_iswc("T0345246801")
    'T-034.524.680-1'
    """
    code = re.sub(r"^ISWC:?|[\s.-]", "", text.strip().upper())
    if not re.fullmatch(r"T[0-9]{10}", code):
        raise InvalidWork("bad_iswc", f"{text!r} is no ISWC: T, nine digits and a check digit")
    digits = [int(digit) for digit in code[1:]]
    total = 1 + sum(place * digit for place, digit in enumerate(digits[:9], start=1))
    if (total + digits[9]) % 10:
        raise InvalidWork("bad_iswc", f"{text!r} is no ISWC: its check digit is wrong")
    return f"T-{code[1:4]}.{code[4:7]}.{code[7:10]}-{code[10]}"


def parse_eidr(text: str) -> str:
    """
    Return an EIDR content ID (a DOI under 10.5240), its ISO 7064 mod 37,36 check character verified.

    >>> parse_eidr("10.5240/7791-8534-2c23-9030-8610-5")
    '10.5240/7791-8534-2C23-9030-8610-5'
    """
    code = re.sub(r"^(HTTPS?://(DX\.)?DOI\.ORG/|DOI:|EIDR:)", "", text.strip().upper())
    if not re.fullmatch(r"10\.5240/([0-9A-F]{4}-){5}[0-9A-Z]", code):
        raise InvalidWork("bad_eidr", f"{text!r} is no EIDR: 10.5240/, five times four hexadecimal digits, a check")
    check = 36
    for character in code[8:-1].replace("-", ""):
        check = (check + _BASE_36.index(character)) % 36 or 36
        check = check * 2 % 37
    if (check + _BASE_36.index(code[-1])) % 36 != 1:
        raise InvalidWork("bad_eidr", f"{text!r} is no EIDR: its check character is wrong")
    return code


def parse_territory(text: str) -> str:
    """
    Return a territory's ISO 3166-1 alpha-2 code.

    >>> parse_territory("de")
    'DE'
    """
    code = text.strip().upper()
    if code not in TERRITORIES:
        raise InvalidWork("bad_territory", f"{text!r} is no territory: expected an ISO 3166-1 code of two letters")
    return code


def _check_territories(codes: Iterable[str]) -> None:
    for code in codes:
        _check_identifier(code, parse_territory)


def _check_identifier(value: str | None, parse: Callable[[str], str]) -> None:
    if value is not None and (parsed := parse(value)) != value:
        raise InvalidWork("not_normal", f"{value!r} is written {parsed!r}")


def _check_aware(name: str, time: datetime | None) -> None:
    if time is not None and time.tzinfo is None:
        raise InvalidWork("bad_time", f"{name} {time} has no time zone")
