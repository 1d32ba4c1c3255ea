"""What waits for a person to look into, and isn't one segment's answer."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

CaseKind = Literal["quarantine", "quota", "interrupt", "removal", "owner_conflict"]
SubjectKind = Literal["reference", "holder", "stream", "work"]


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What a case is about, or what automatic measures are counted for: an id, or a rights holder's name."""

    kind: SubjectKind
    name: str


def new_id() -> str:
    """Return an id that no other case has."""
    return f"C{uuid.uuid4().hex[:16]}"


@dataclass(frozen=True, slots=True)
class Case:
    """
    A case; of one kind and subject one is open at a time.

    A reference with an open `quarantine` leads to no automatic measures; `quota` says that a holder's are used up. Of a
    stream, `interrupt` or `removal` is recommended and waits; about a work, `owner_conflict`, its owners are at odds.
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
