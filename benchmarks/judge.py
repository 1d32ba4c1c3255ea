"""What was found of a query, against what is in it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus, peers
from benchmarks.sounds import Plant, Query
from sordino.fingerprints.model import Match, Span

PLACED_S = 2.0
ENDS_S = 1.0
SPEED = 0.003
SEMITONES = 0.2
NEVER = float("inf")
Place = tuple[float, ...]  # seconds of the query's start and end and of the reference's start, speed, semitones


@dataclass(frozen=True)
class Segment:
    """What came of a segment of a query: matches (in its own time), CPU time, and the peer's errors by reference."""

    span: Span  # of the query
    matches: tuple[Match, ...]
    cpu_ms: float
    errors: NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """
    What came of a query.

    `right` is the log10 of the chance of the match that there should be (of the least sure one, where there should be
    several), `wrong` that of the surest one that there should not be, `version` that of the surest one of another
    version of what sounds; `NEVER` where there is none. From `placed` to `pitch` it is about the matches that are
    right. `truth` and `told` have a place for each planted track, what is told only where it was found. The peer's two
    are its least shares of wrong bits.
    """

    row: str
    k: int
    tracks: tuple[str, ...]
    truth: tuple[Place, ...]
    told: tuple[Place, ...]
    right: float
    wrong: float
    version: float
    stranger: str
    mistaken_for: str
    placed: bool
    ends: bool
    speed: bool
    pitch: bool
    cpu_ms: tuple[float, ...]
    peer_right: float | None  # where anything is planted
    peer_wrong: float

    def as_json(self) -> str:
        """Return it as a line; there is no infinity in JSON."""
        return json.dumps({key: None if value == NEVER else value for key, value in asdict(self).items()})


@dataclass(frozen=True)
class Judge:
    """Knows the references, and which files hold the same recording, or another version (`corpus.versions`)."""

    references: Sequence[Path]
    groups: Mapping[str, str]
    versions: Mapping[str, str]

    def outcome(self, row: str, k: int, query: Query, segments: Sequence[Segment]) -> Outcome:
        """Compare what was found with the truth."""
        found = sorted(((s.span, m) for s in segments for m in s.matches), key=lambda f: f[1].log10_false_positive)
        surest = [next((f for f in found if self._same(f[1].reference_id, p.track)), None) for p in query.plants]
        right = [(plant, *f) for plant, f in zip(query.plants, surest, strict=True) if f]
        others = [m for _, m in found if not any(self._same(m.reference_id, p.track) for p in query.plants)]
        wrong = [m for m in others if not self.is_version(m, query)]
        version = [m for m in others if self.is_version(m, query)]
        complete = len(right) == len(query.plants) > 0
        peer_right, peer_wrong = self._peer(query, segments)
        return Outcome(
            row=row,
            k=k,
            tracks=tuple(corpus.name_of(plant.track) for plant in query.plants),
            truth=tuple((*_ends_of(p.query), p.reference_s, p.speed, p.semitones) for p in query.plants),
            told=tuple(_told(span, m) for _, span, m in right),
            right=max(m.log10_false_positive for _, _, m in right) if complete else NEVER,
            wrong=wrong[0].log10_false_positive if wrong else NEVER,
            version=version[0].log10_false_positive if version else NEVER,
            stranger=corpus.name_of(query.stranger) if query.stranger else "",
            mistaken_for=corpus.name_of(Path(wrong[0].reference_id)) if wrong else "",
            placed=all(_placed(*r) for r in right),
            ends=all(_ends(*r) for r in right),
            speed=all(abs(m.speed / p.speed - 1) <= SPEED for p, _, m in right),
            pitch=all(abs(m.pitch_semitones - p.semitones) <= SEMITONES for p, _, m in right),
            cpu_ms=tuple(round(s.cpu_ms, 1) for s in segments),
            peer_right=peer_right,
            peer_wrong=peer_wrong,
        )

    def _peer(self, query: Query, segments: Sequence[Segment]) -> tuple[float | None, float]:
        errors = np.min([s.errors for s in segments], axis=0)
        mine = np.array([[self._same(r, p.track) for r in self.references] for p in query.plants], bool)
        right = max((float(errors[m].min()) for m in mine), default=None)
        others = errors[~mine.any(axis=0)] if len(mine) else errors
        return right, float(others.min(initial=peers.NOTHING))

    def is_version(self, match: Match, query: Query) -> bool:
        """Tell whether a match is of another version of something that sounds in the query."""
        group = self.versions.get(corpus.name_of(Path(match.reference_id)))
        tracks = [plant.track for plant in query.plants] + ([query.stranger] if query.stranger else [])
        return group is not None and any(self.versions.get(corpus.name_of(track)) == group for track in tracks)

    def _same(self, one: Path | str, other: Path | str) -> bool:
        a, b = (corpus.name_of(Path(path)) for path in (one, other))
        return self.groups.get(a, a) == self.groups.get(b, b)


def _told(segment: Span, match: Match) -> Place:
    query = _ends_of(match.query.shifted(segment.start_s))
    return (*query, match.reference.start_s, match.speed, match.pitch_semitones)


def _ends_of(span: Span) -> Place:
    return round(span.start_s, 3), round(span.end_s, 3)


def _placed(plant: Plant, segment: Span, match: Match) -> bool:
    """Tell whether the reference time in the middle of what the segment has of the song is right."""
    truth = _within(plant, segment)
    middle_s = (truth.start_s + truth.end_s) / 2
    told_s = match.reference.start_s + (middle_s - segment.start_s - match.query.start_s) * match.speed
    return abs(told_s - plant.reference_at(middle_s)) <= PLACED_S


def _ends(plant: Plant, segment: Span, match: Match) -> bool:
    truth, told = _within(plant, segment), match.query.shifted(segment.start_s)
    return abs(told.start_s - truth.start_s) <= ENDS_S and abs(told.end_s - truth.end_s) <= ENDS_S


def _within(plant: Plant, segment: Span) -> Span:
    start_s = max(plant.query.start_s, segment.start_s)
    return Span(start_s, max(start_s, min(plant.query.end_s, segment.end_s)))
