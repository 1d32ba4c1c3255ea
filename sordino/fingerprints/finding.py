"""Searching the parts of a catalogue: queries in, matches out; and what a stream's last matches lead to expect."""

from collections.abc import Iterator, Sequence

from sordino.fingerprints import align_audio, align_video
from sordino.fingerprints.align_audio import AudioAlignment
from sordino.fingerprints.align_video import VideoAlignment
from sordino.fingerprints.chain_video import Line
from sordino.fingerprints.index_video import VideoIndex
from sordino.fingerprints.manifest import Entry
from sordino.fingerprints.model import AudioQuery, Match, Region, Span, VideoQuery
from sordino.fingerprints.params import AudioParams
from sordino.fingerprints.parts import Part
from sordino.fingerprints.search_audio import Pose, References
from sordino.fingerprints.search_video import Expected
from sordino.fingerprints.video import coarser

OUTSHINES = 0.3  # of the strongest score in a stretch: a weaker reference says nothing there

There = Sequence[tuple[Entry, Part]]


def find_audio(query: AudioQuery, there: There, expected: Sequence[Match]) -> list[Match]:
    """Search the parts as one: what chance reaches and what others reach is of all of them."""
    references = References(tuple(part.audio for _, part in there))
    matches: list[Match] = []
    for found in align_audio.find(query, references, _poses(there, expected, query.landmarks.params)):
        number, ordinal = references.place(found.ordinal)
        matches += _match(there[number], ordinal, found)
    return _standing_out(matches)


def find_video(query: VideoQuery, there: There, expected: Sequence[Match]) -> list[Match]:
    """Search the parts, the hot ones as closely as the query was described."""
    return [
        match
        for seen, mine in _looks(query, there)
        for found in align_video.find(seen, _pictures(mine), _places(mine, expected))
        for match in _match(mine[found.number], found.ordinal, found)
    ]


def glimpse(query: VideoQuery, there: There) -> float:
    """Return how many landmarks a few frames of a query show of any reference, where they show most; 0 for none."""
    looks = _looks(query, there)
    return max((align_video.clearest_glimpse(seen, _pictures(mine)) for seen, mine in looks), default=0.0)


def _looks(query: VideoQuery, there: There) -> Iterator[tuple[VideoQuery, There]]:
    """Yield what is looked for where: hot references as closely as the query was described, others less so."""
    for hot in (False, True):
        if mine := [(entry, part) for entry, part in there if entry.hot == hot]:
            yield query if hot else coarser(query, query.landmarks.params.query_side), mine


def _pictures(there: There) -> list[VideoIndex]:
    return [part.video for _, part in there]


def _poses(there: There, expected: Sequence[Match], params: AudioParams) -> list[Pose]:
    places = ((reference_id, entry) for entry, _ in there for reference_id in entry.reference_ids)
    # A reference that was replaced is in two parts, in one of them as removed.
    ordinals = {i: k for k, (i, entry) in enumerate(places) if i not in entry.removed} if expected else {}
    return [
        Pose(
            ordinals[m.reference_id],
            (m.reference.end_s - m.speed * m.query.end_s) * params.frames_per_s,
            m.speed,
            m.pitch_semitones * params.bands_per_octave / 12,
        )
        for m in expected
        if m.track == "audio" and m.reference_id in ordinals
    ]


def _places(there: There, expected: Sequence[Match]) -> list[Expected]:
    seen = [m for m in expected if m.track == "video" and m.region]
    wanted = {m.reference_id for m in seen}
    ids = {
        reference_id: (number, ordinal)
        for number, (entry, part) in enumerate(there if wanted else ())
        for ordinal, reference_id in enumerate(part.reference_ids)
        if reference_id in wanted and reference_id not in entry.removed
    }
    return [
        Expected(*ids[m.reference_id], m.mirrored, Line(m.reference.end_s - m.speed * m.query.end_s, m.speed), m.region)
        for m in seen
        if m.reference_id in ids and m.region
    ]


def _standing_out(matches: Sequence[Match]) -> list[Match]:
    """
    Leave out sounds that another reference in the same stretch outshines by far.

    They are in tune with what plays there, and that is no accident: the chance of it was not calibrated. The same
    recording registered twice scores alike, so both stay.
    """
    return [
        m
        for m in matches
        if m.track != "audio"
        or not any(
            other.track == "audio"
            and m.score < OUTSHINES * other.score
            and align_audio.share_stretch(m.query, other.query)
            for other in matches
        )
    ]


def _match(there: tuple[Entry, Part], ordinal: int, found: AudioAlignment | VideoAlignment) -> Iterator[Match]:
    """
    Yield an alignment as a match, unless the reference was removed.

    Figures are as long as they mean something: spans to a millisecond.
    """
    entry, part = there
    if part.reference_ids[ordinal] in entry.removed:
        return
    table = part.audio if isinstance(found, AudioAlignment) else part.video
    lasts_s = float(table.durations_s[ordinal])
    reference = _to_ms(found.reference)
    yield Match(
        reference_id=part.reference_ids[ordinal],
        track="audio" if isinstance(found, AudioAlignment) else "video",
        query=_to_ms(found.query),
        reference=Span(min(reference.start_s, lasts_s), min(reference.end_s, lasts_s)),
        speed=round(found.speed, 5),
        pitch_semitones=round(found.pitch_semitones, 2) if isinstance(found, AudioAlignment) else 0.0,
        mirrored=isinstance(found, VideoAlignment) and found.mirrored,
        region=_rounded(found.region) if isinstance(found, VideoAlignment) else None,
        score=round(found.score, 2),
        log10_false_positive=round(found.log10_false_positive, 2),
    )


def _rounded(region: Region) -> Region:
    return Region(*(round(v, 4) for v in (region.x, region.y, region.w, region.h)))


def _to_ms(span: Span) -> Span:
    return Span(round(span.start_s, 3), round(span.end_s, 3))
