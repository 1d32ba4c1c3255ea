"""Which registered music is to be taken out of a file, and what became of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sordino.fingerprints.model import Span, union
from sordino.monitor.home import Home
from sordino.monitor.measures import Asked
from sordino.monitor.wording import clock
from sordino.monitor.works import Reference
from sordino.pipelines.messages import Match
from sordino.pipelines.remedies.erase import LOOSE_S, Outcome, Song, erase
from sordino.pipelines.remedies.plan import Block, RemedyError
from sordino.pipelines.remedies.replace import replaced


@dataclass(frozen=True, slots=True)
class Erasure:
    """A measure that erases or replaces music, and the stretches of songs that it is about; `outcomes` come with it."""

    asked: Asked
    songs: tuple[Song, ...]
    other: Path | None
    home: Home
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where music is erased."""
        return union(song.query for song in self.songs)

    @property
    def erased(self) -> tuple[Span, ...]:
        """Where that worked."""
        return union(outcome.song.query for outcome in self.outcomes if outcome.ok)

    @property
    def failed(self) -> list[str]:
        """Where it did not, and why."""
        return [f"{_times(o.song.query)} could not be erased: {o.why}" for o in self.outcomes if not o.ok]

    def process(self, blocks: Iterator[Block], sample_rate: int) -> Iterator[Block]:
        """Erase, and play the other work, if any."""
        if self.other is None:
            return self._erase(blocks, sample_rate)
        return replaced(blocks, sample_rate, self._erase, self.spans, self.other, self.home.segment_limits)

    def as_json(self) -> dict[str, Any]:
        """Return what is told of it besides what every measure tells."""
        told = {"work_id": self.asked.work_id, "replaced_by": self.asked.replaced_by}
        return {**{name: value for name, value in told.items() if value}, "erased": [_told(o) for o in self.outcomes]}

    def _erase(self, blocks: Iterator[Block], sample_rate: int) -> Iterator[Block]:
        return erase(blocks, sample_rate, self.songs, self.outcomes)


def prepare(home: Home, asked: Asked, matches: Sequence[Match]) -> Erasure:
    """
    Find the songs that a measure is about, and their media.

    Raises RemedyError work_not_found and reference_media_gone, and StoreError not_found.
    """
    if asked.work_id is not None:
        home.store.work(asked.work_id)  # an unknown work is told as one, not as one that isn't heard
    other = asked.replaced_by and _media(home, _reference(home, asked.replaced_by))
    heard = [m for m in matches if m.track == "audio" and asked.work_id in (None, m.work_id)]
    songs = [song for match in heard for song in _songs(home, match, asked.spans)]
    if not songs:
        where = f" in {', '.join(map(_times, asked.spans))}" if asked.spans else ""
        raise RemedyError(
            "work_not_found", f"{asked.text}: {asked.work_id or 'no registered work'} is not heard{where}"
        )
    return Erasure(asked, tuple(songs), other or None, home)


def _songs(home: Home, match: Match, spans: Sequence[Span]) -> Iterator[Song]:
    """Yield what of a match is in the spans (none: all of it), with the stretch of the reference that belongs to it."""
    query = Span(match.query.start_s, match.query.end_s)
    for span in spans or (query,):
        start_s, end_s = max(query.start_s, span.start_s), min(query.end_s, span.end_s)
        if end_s > start_s:
            at_s = match.reference.start_s + (start_s - query.start_s) * match.speed
            reference = Span(at_s, at_s + (end_s - start_s) * match.speed)
            path = _media(home, _of_match(home, match))
            room_s = min(start_s - span.start_s, span.end_s - end_s) if spans else LOOSE_S
            yield Song(
                path, Span(start_s, end_s), reference, match.speed, match.pitch_semitones, loose_s=min(LOOSE_S, room_s)
            )


def _of_match(home: Home, match: Match) -> Reference:
    work = home.store.work(match.work_id)
    return next(one for one in work.references if one.reference_id == match.reference_id)


def _reference(home: Home, work_id: str) -> Reference:
    """Return a work's first reference that is heard."""
    for reference in home.store.work(work_id).references:
        if reference.audio_s:
            return reference
    raise RemedyError("work_not_found", f"work {work_id} has no sound to play")


def _media(home: Home, reference: Reference) -> Path:
    if reference.sha256 is None:
        raise RemedyError(
            "reference_media_gone", f"reference {reference.reference_id} is of a live feed, whose media is not kept"
        )
    path = home.settings.home / "media" / reference.sha256
    if not path.is_file():
        raise RemedyError(
            "reference_media_gone", f"the media of reference {reference.reference_id} is gone: {path} is not there"
        )
    return path


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "span": {"start_s": round(outcome.song.query.start_s, 3), "end_s": round(outcome.song.query.end_s, 3)},
        "suppression_db": round(outcome.suppression_db, 1),
        "ok": outcome.ok,
        "why": outcome.why,
    }


def _times(span: Span) -> str:
    return f"{clock(span.start_s)}-{clock(span.end_s)}"
