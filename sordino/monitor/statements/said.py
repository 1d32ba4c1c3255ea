"""Something to be said, in no language yet: the name of a phrase, and what fills its gaps."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sordino.fingerprints.model import Span


@dataclass(frozen=True, slots=True)
class Seconds:
    """How many seconds."""

    value: float


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, which is 1."""

    value: float


@dataclass(frozen=True, slots=True)
class Title:
    """A work's title, which each language puts in quotation marks of its own."""

    text: str


@dataclass(frozen=True, slots=True)
class Where:
    """Stretches of time."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """Several things as a sentence lists them; reasons, which may have commas in them, are set further apart."""

    parts: tuple["Gap", ...]
    reasons: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """A phrase by its name in the tables, with its gaps filled."""

    phrase: str
    gaps: tuple[tuple[str, "Gap"], ...] = ()


Gap: TypeAlias = str | Seconds | Share | Title | Where | Listed | Said | datetime


def say(phrase: str, **gaps: Gap) -> Said:
    """
    Return what is to be said.

    >>> say("licensed", licence="L-1")
    Said(phrase='licensed', gaps=(('licence', 'L-1'),))
    """
    return Said(phrase, tuple(sorted(gaps.items())))
