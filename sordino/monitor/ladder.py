"""Pure: what a live stream is asked for from now on, rung by rung, in the stream's own time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sordino.fingerprints.model import Span, Track, union
from sordino.monitor.judging import Finding
from sordino.monitor.policy import RUNGS, LiveRules, Rung
from sordino.monitor.statements.chinese import CHINESE
from sordino.monitor.statements.english import ENGLISH
from sordino.monitor.statements.said import Said, Seconds, say
from sordino.monitor.weighing import EPSILON_S, SILENCES, Modality, total_s
from sordino.monitor.wording import clock
from sordino.pipelines.messages import Measure, MeasureKind, Recommendation, Segment, TimeSpan

# The highest rung within each ceiling that a holder may set; who objects to the sale only asks nothing of the stream.
HIGHEST: dict[MeasureKind, Rung] = {
    "erase_music": "warn_live",
    "mute": "mute_live",
    "blur_region": "mute_live",
    "trim": "slate_live",  # which takes sound and picture, too
    "blank": "slate_live",
    "restrict_territory": "slate_live",
    "remove": "interrupt_live",
}
_MODALITIES: dict[Track, Modality] = {"audio": "music", "video": "picture"}


@dataclass(frozen=True, slots=True)
class Ladder:
    """
    Where a stream stands: its rung (None: below the lowest) and what has been counted since it reached it.

    `sequence` is the newest segment that was counted and `at_s` its end in the stream's time. `grace_s` is left of the
    time that a warning gives. `music_s` and `picture_s` have infringed since, outside of it; `clean_s` are the latest
    seconds in a row that didn't.
    """

    rung: Rung | None = None
    sequence: int = -1
    at_s: float = 0.0
    grace_s: float = 0.0
    music_s: float = 0.0
    picture_s: float = 0.0
    clean_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch in which music or a picture infringes, and the highest rung that its holder asks for."""

    modality: Modality
    span: Span
    highest: Rung = "interrupt_live"


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What a segment showed, in the stream's time: where music and pictures infringe by more than is tolerated.

    `doubtful` where a human has to decide about it: then it says nothing, neither that the stream infringes nor that it
    doesn't.
    """

    sequence: int
    span: Span
    parts: tuple[Part, ...] = ()
    doubtful: bool = False
    ended: bool = False

    @property
    def infringes(self) -> bool:
        """Does it count against the stream."""
        return bool(self.parts) and not self.doubtful

    def spans(self, modality: Modality, rung: Rung) -> tuple[Span, ...]:
        """Return where this infringes, as far as the holders ask for so much."""
        parts = (p for p in self.parts if p.modality == modality and _height(p.highest) >= _height(rung))
        return union(part.span for part in parts)

    def admits(self, rung: Rung) -> bool:
        """Is there anything that infringes and whose holder asks for so much; muting is for music only."""
        modalities: tuple[Modality, ...] = ("music",) if rung == "mute_live" else ("music", "picture")
        return any(self.spans(modality, rung) for modality in modalities)


def seen(segment: Segment, answer: Recommendation, findings: Iterable[Finding]) -> Seen:
    """
    Return what counts of a segment, given what was recommended for it.

    What only restricts where it is shown, or sold, asks nothing of the host.
    """
    kinds = {measure.kind for measure in answer.measures} - {"restrict_territory", "disable_commerce"}
    taken: set[Modality] = {modality for kind in kinds for modality in SILENCES.get(kind, ())}
    return Seen(
        sequence=segment.sequence,
        span=Span(segment.start_s, segment.start_s + segment.duration_s),
        parts=tuple(part for finding in findings for part in _parts(finding) if part.modality in taken),
        doubtful=not answer.automatic,
        ended=segment.ended,
    )


def _parts(finding: Finding) -> list[Part]:
    highest = HIGHEST.get(finding.wish.ceiling)
    if highest is None or not finding.infringing:
        return []
    return [Part(_MODALITIES[finding.episode.track], span, highest) for span in finding.parts]


def step(ladder: Ladder, seen: Seen, rules: LiveRules) -> Ladder:
    """
    Return where the stream stands after a segment: one rung up at most, or down by what has been clean.

    A segment that isn't newer than what was counted changes nothing. Seconds that two segments share are counted once.
    A clock that jumps back is one that has started again. Who ends a stream begins at the bottom again.
    """
    if seen.sequence <= ladder.sequence:
        return ladder
    if seen.ended:
        return Ladder(sequence=seen.sequence, at_s=seen.span.end_s)
    goes_on = ladder.sequence >= 0 and seen.span.end_s > ladder.at_s
    from_s = ladder.at_s if goes_on else seen.span.start_s
    new = _since(seen.span, from_s)
    moved = replace(
        ladder,
        sequence=seen.sequence,
        at_s=seen.span.end_s,
        grace_s=max(0.0, ladder.grace_s - (seen.span.end_s - from_s)),
    )
    if seen.infringes:
        counted = _since(new, from_s + ladder.grace_s)
        music_s = ladder.music_s + _within_s(seen.spans("music", _next(ladder, "music", rules)), counted)
        picture_s = ladder.picture_s + _within_s(seen.spans("picture", _next(ladder, "picture", rules)), counted)
        return _climbed(replace(moved, music_s=music_s, picture_s=picture_s, clean_s=0.0), rules)
    if seen.doubtful:
        return moved
    return _descended(replace(moved, clean_s=ladder.clean_s + new.duration_s), rules)


def _since(span: Span, from_s: float) -> Span:
    return Span(min(max(span.start_s, from_s), span.end_s), span.end_s)


def _within_s(spans: Iterable[Span], whole: Span) -> float:
    return total_s(Span(max(s.start_s, whole.start_s), max(s.end_s, whole.start_s)) for s in spans)


def _next(ladder: Ladder, modality: Modality, rules: LiveRules) -> Rung:
    """Return the rung that this leads to from where the stream stands; the last one where there is none above."""
    rungs = [rung for rung in rules.rungs if not (rung == "mute_live" and modality == "picture")]
    return next((rung for rung in rungs if _height(rung) > _height(ladder.rung)), RUNGS[-1])


def _climbed(ladder: Ladder, rules: LiveRules) -> Ladder:
    rung = _due(ladder, rules)
    if rung is None:
        return ladder
    grace_s = rules.grace_s if rung == "warn_live" else 0.0
    picture_s = ladder.picture_s if rung == "mute_live" else 0.0  # muting is no answer to what is seen
    return replace(ladder, rung=rung, grace_s=grace_s, music_s=0.0, picture_s=picture_s)


def _due(ladder: Ladder, rules: LiveRules) -> Rung | None:
    """Return the next rung, if enough has infringed at this one; muting is passed over where only pictures have."""
    after_s: dict[Rung, float] = {
        "mute_live": rules.mute_after_s,
        "slate_live": rules.slate_after_s,
        "interrupt_live": rules.interrupt_after_s,
    }
    above = [rung for rung in rules.rungs if _height(rung) > _height(ladder.rung)]
    infringing_s = max(ladder.music_s, ladder.picture_s)
    if "warn_live" in above:
        return "warn_live"  # takes nothing away, and so waits for nothing
    if "mute_live" in above:
        if _enough(ladder.music_s, after_s["mute_live"]):
            return "mute_live"
        above.remove("mute_live")
        infringing_s = ladder.picture_s
    return above[0] if above and _enough(infringing_s, after_s[above[0]]) else None


def _height(rung: Rung | None) -> int:
    return -1 if rung is None else RUNGS.index(rung)


def _enough(seconds: float, needed_s: float) -> bool:
    return seconds > EPSILON_S and seconds >= needed_s - EPSILON_S


def _descended(ladder: Ladder, rules: LiveRules) -> Ladder:
    """Step down a rung for each `cool_down_s` without infringement; what was counted is forgotten with the rung."""
    while ladder.rung is not None and ladder.clean_s >= rules.cool_down_s - EPSILON_S:
        lower = [rung for rung in rules.rungs if _height(rung) < _height(ladder.rung)]
        clean_s = max(0.0, ladder.clean_s - rules.cool_down_s)
        ladder = Ladder(lower[-1] if lower else None, ladder.sequence, ladder.at_s, clean_s=clean_s)
    return ladder if ladder.rung is not None else replace(ladder, clean_s=0.0)


def asked(before: Ladder, after: Ladder, seen: Seen, rules: LiveRules, now: datetime) -> tuple[Measure, ...]:
    """
    Return what the stream is asked for from the segment's end on; nothing unless the segment infringes.

    A warning and the question to interrupt are asked once, when their rung is reached. What mutes or hides lasts for
    `hold_s` and is asked for again by each segment that infringes, so it ends by itself when the stream obeys, or when
    nothing is known of it any more.
    """
    if after.sequence == before.sequence or not seen.infringes or after.rung is None:
        return ()
    reached = after.rung != before.rung
    if after.rung == "warn_live":
        return (_from_now("warn_live", rules.grace_s, seen, now),) if reached else ()
    holding = _holding(after.rung, seen, rules)
    held = (_from_now(holding, rules.hold_s, seen, now),) if holding else ()
    if after.rung == "interrupt_live" and reached:
        return (Measure(kind="interrupt_live"), *held)
    return held


def _holding(rung: Rung, seen: Seen, rules: LiveRules) -> Rung | None:
    """Return what lasts at a rung, as far as holders ask for it: the slate, or muting where it is music."""
    lasting: tuple[Rung, ...] = ("slate_live", "mute_live")
    reached = (one for one in lasting if one in rules.rungs and _height(rung) >= _height(one))
    return next((one for one in reached if seen.admits(one)), None)


def _from_now(kind: Rung, lasting_s: float, seen: Seen, now: datetime) -> Measure:
    span = TimeSpan(start_s=seen.span.end_s, end_s=seen.span.end_s + lasting_s)
    return Measure(kind=kind, spans=(span,), expires=now + timedelta(seconds=lasting_s))


INTERRUPTING = say("brake.interrupt")  # why such an answer isn't automatic


def told(answer: Recommendation, asked: Sequence[Measure]) -> Recommendation:
    """Return the answer with what the live stream is asked for, which goes before what is done to the recording."""
    if not asked:
        return answer
    sentences = [say("live"), *(said(measure) for measure in asked)]
    return answer.model_copy(
        update={
            "measures": (*asked, *answer.measures),
            "statement": ENGLISH.space.join([answer.statement, ENGLISH.text(sentences)]),
            "statement_zh": CHINESE.space.join([answer.statement_zh, CHINESE.text(sentences)]),
        }
    )


def said(measure: Measure) -> Said:
    """Say what a live stream is asked for."""
    phrase = f"live.{measure.kind}"
    if not measure.spans:
        return say(phrase)
    (span,) = measure.spans
    return say(phrase, since=clock(span.start_s), lasting=Seconds(span.duration_s))
