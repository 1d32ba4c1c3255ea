"""What `match` and `check` do with a file that is no part of a stream: answered, and not remembered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sordino.monitor import timeline
from sordino.monitor.console import one_line
from sordino.monitor.deciding import decide
from sordino.monitor.home import Home
from sordino.monitor.recommend import wired
from sordino.monitor.territories import named
from sordino.monitor.trying import trials
from sordino.monitor.wording import clock
from sordino.pipelines.analyse import Report, analyse
from sordino.pipelines.media import MediaError
from sordino.pipelines.messages import Match, Media, Recommendation, Segment

NOT_READ = Report((), 0.0, 0.0, ())


@dataclass(frozen=True, slots=True)
class Found:
    """The registered works in a file."""

    path: Path
    duration_s: float
    matches: tuple[Match, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the line that the contract promises."""
        return {
            "path": str(self.path),
            "duration_s": round(self.duration_s, 3),
            "matches": [m.model_dump(mode="json") for m in self.matches],
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer that the monitor would give to a file; `error` is why it could not be read."""

    path: Path
    recommendation: Recommendation
    warnings: tuple[str, ...]
    error: tuple[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the line that the contract promises."""
        recommendation = self.recommendation.model_dump(mode="json")
        return {
            "path": str(self.path),
            "matches": recommendation["because"],
            "recommendation": recommendation,
            "warnings": list(self.warnings),
        }


def match(home: Home, path: Path) -> Found:
    """Find the works in a file; raises MediaError and DecoderMissing."""
    report = analyse(path, home.catalogue, limits=home.segment_limits)
    works = home.store.facts_for({m.reference_id for m in report.matches}).works
    known = [wired(m, m.query, works[m.reference_id]) for m in report.matches if m.reference_id in works]
    return Found(path, report.duration_s, tuple(known), report.warnings)


def check(home: Home, path: Path, situation: Mapping[str, Any]) -> Checked:
    """
    Answer a file as a stream of one segment; what can't be read is answered by a review.

    `situation` has the fields of a segment that say who publishes it, where and what for. Raises DecoderMissing.
    """
    report, error = NOT_READ, None
    try:
        report = analyse(path, home.catalogue, limits=home.segment_limits)
    except MediaError as refused:
        error = (refused.code, str(refused))
    name = one_line(path.name)[:256] or "file"  # a file may be called what no stream may
    segment = Segment.model_validate(
        {
            "stream_id": name,
            "sequence": 0,
            "start_s": 0.0,
            "duration_s": report.duration_s,
            "media": Media(uri=name),
            **situation,
        }
    )
    episodes = timeline.extend((), segment, report.matches)
    tried = trials(path, segment, report, episodes, home)
    decision = decide(segment, report, error, episodes, home, datetime.now(UTC), tried)
    return Checked(path, decision.answer, report.warnings, error)


def told(found: Match) -> str:
    """Return a match as a line of text."""
    chance = f"chance of error 10^{found.log10_false_positive:.0f}"
    there = f"{clock(found.query.start_s)}-{clock(found.query.end_s)}"
    source = f"{clock(found.reference.start_s)}-{clock(found.reference.end_s)}"
    return f"{there} {found.track}: {found.title} ({found.work_id}) {source}, {chance}"


def in_short(recommendation: Recommendation) -> str:
    """
    Return the measures in a few words.

    >>> from sordino.pipelines.messages import Measure
    >>> in_short(Recommendation.model_construct(measures=(Measure(kind="allow"),), automatic=True))
    'allow'
    """
    measures = [
        " ".join([m.kind, *named(m.territories), *(f"{clock(s.start_s)}-{clock(s.end_s)}" for s in m.spans)])
        for m in recommendation.measures
    ]
    return " + ".join(measures) + ("" if recommendation.automatic else " (needs a human)")
