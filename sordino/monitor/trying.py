"""Whether the music that infringes in a segment can be taken out of it: tried, before it is recommended."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sordino.fingerprints.model import Match, Span
from sordino.monitor.home import Home
from sordino.monitor.layers import Trial
from sordino.monitor.recommend import BOTH_TRACKS, judged
from sordino.monitor.timeline import Episode
from sordino.monitor.works import Facts
from sordino.pipelines.analyse import Report
from sordino.pipelines.media import MediaError
from sordino.pipelines.messages import Segment
from sordino.pipelines.remedies.erase import LOOSE_S, Outcome, Song
from sordino.pipelines.remedies.trial import tried


def trials(path: Path, segment: Segment, report: Report, episodes: Sequence[Episode], home: Home) -> tuple[Trial, ...]:
    """
    Take out what infringes, for once, and say how well that went; spans count from the segment's start.

    `episodes` are the stream's, this segment's matches included. Nothing is tried where the policy doesn't admit
    erasing, nor for what is licensed or let be: trying costs more than finding. What can't be tried has no trial.
    """
    if "erase_music" not in home.policy.admissible or not any(match.track == "audio" for match in report.matches):
        return ()
    facts = home.store.facts_for({episode.reference_id for episode in episodes}, segment.account)
    _, findings = judged(
        segment,
        report.matches,
        episodes,
        facts,
        home.policy,
        now=datetime.now(UTC),
        holders=home.holders,
        tracks=report.tracks or BOTH_TRACKS,
    )
    infringing = {one.episode.reference_id for one in findings if one.infringing and one.episode.track == "audio"}
    songs = dict(_songs((match for match in report.matches if match.reference_id in infringing), facts, home))
    if not songs:
        return ()
    try:
        outcomes = tried(path, songs, home.catalogue, home.segment_limits)
    except MediaError:  # a reference's media is damaged, or the copy's sound can't be had at its own rate
        return ()
    return tuple(_trial(outcome, songs[outcome.song]) for outcome in outcomes)


def _songs(matches: Iterable[Match], facts: Facts, home: Home) -> Iterable[tuple[Song, str]]:
    """Yield what is to be erased, with its reference's id; a live feed's media isn't kept."""
    for match in matches:
        work = facts.works.get(match.reference_id)
        references = work.references if work is not None else ()
        kept = next((r.sha256 for r in references if r.reference_id == match.reference_id), None)
        if match.track == "audio" and kept is not None and (home.settings.home / "media" / kept).is_file():
            path = home.settings.home / "media" / kept
            yield Song(path, match.query, match.reference, match.speed, match.pitch_semitones), match.reference_id


def _trial(outcome: Outcome, reference_id: str) -> Trial:
    """Return what was tried; the eraser follows the music beyond a match's ends, as far as they may be wrong."""
    query = outcome.song.query
    reached = Span(max(0.0, query.start_s - LOOSE_S), query.end_s + LOOSE_S)
    return Trial(reference_id, reached, outcome.suppression_db, outcome.ok, outcome.why)
