"""What waits for a person to look into, and isn't one segment's answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

CaseKind = Literal["quarantine", "quota"]
SubjectKind = Literal["reference", "holder"]


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What a case is about, or what automatic measures are counted for: a reference's id, a rights holder's name."""

    kind: SubjectKind
    name: str


@dataclass(frozen=True, slots=True)
class Case:
    """
    A case; of one kind and subject one is open at a time.

    A reference with an open `quarantine` leads to no automatic measures; `quota` says that a holder's are used up.
    """

    case_id: str
    kind: CaseKind
    subject: Subject
    why: str
    opened: datetime  # UTC
    work_id: str | None = None
    closed: datetime | None = None  # UTC

    @property
    def state(self) -> Literal["open", "closed"]:
        """Whether somebody still has to look into it."""
        return "open" if self.closed is None else "closed"
