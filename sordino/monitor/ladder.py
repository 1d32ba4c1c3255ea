"""Pure: what a live stream is asked for from now on, rung by rung, in the stream's own time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sordino.fingerprints.model import Span, Track
from sordino.monitor.judging import Finding
from sordino.monitor.policy import RUNGS, LiveRules, Rung
from sordino.monitor.weighing import EPSILON_S, SILENCES, Modality, total_s, union
from sordino.monitor.wording import amount, clock
from sordino.pipelines.messages import Measure, Recommendation, Segment, TimeSpan


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
class Seen:
    """
    What a segment showed, in the stream's time: where music and pictures infringe by more than is tolerated.

    `doubtful` where a human has to decide about it: then it says nothing, neither that the stream infringes nor that it
    doesn't.
    """

    sequence: int
    span: Span
    music: tuple[Span, ...] = ()
    picture: tuple[Span, ...] = ()
    doubtful: bool = False
    ended: bool = False

    @property
    def infringes(self) -> bool:
        """Does it count against the stream."""
        return bool(self.music or self.picture) and not self.doubtful


def seen(segment: Segment, answer: Recommendation, findings: Iterable[Finding]) -> Seen:
    """Return what counts of a segment, given what was recommended for it."""
    infringing = [finding for finding in findings if finding.infringing]
    taken: set[Modality] = {modality for m in answer.measures for modality in SILENCES.get(m.kind, ())}

    def parts(track: Track, modality: Modality) -> tuple[Span, ...]:
        return union(f.part for f in infringing if f.episode.track == track) if modality in taken else ()

    return Seen(
        sequence=segment.sequence,
        span=Span(segment.start_s, segment.start_s + segment.duration_s),
        music=parts("audio", "music"),
        picture=parts("video", "picture"),
        doubtful=not answer.automatic,
        ended=segment.ended,
    )


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
        music_s = ladder.music_s + _within_s(seen.music, counted)
        picture_s = ladder.picture_s + _within_s(seen.picture, counted)
        return _climbed(replace(moved, music_s=music_s, picture_s=picture_s, clean_s=0.0), rules)
    if seen.doubtful:
        return moved
    return _descended(replace(moved, clean_s=ladder.clean_s + new.duration_s), rules)


def _since(span: Span, from_s: float) -> Span:
    return Span(min(max(span.start_s, from_s), span.end_s), span.end_s)


def _within_s(spans: Iterable[Span], whole: Span) -> float:
    return total_s(Span(max(s.start_s, whole.start_s), max(s.end_s, whole.start_s)) for s in spans)


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
    """Return what lasts at a rung: the slate, or muting where it is music that infringes."""
    if "slate_live" in rules.rungs and _height(rung) >= _height("slate_live"):
        return "slate_live"
    return "mute_live" if "mute_live" in rules.rungs and seen.music else None


def _from_now(kind: Rung, lasting_s: float, seen: Seen, now: datetime) -> Measure:
    span = TimeSpan(start_s=seen.span.end_s, end_s=seen.span.end_s + lasting_s)
    return Measure(kind=kind, spans=(span,), expires=now + timedelta(seconds=lasting_s))


INTERRUPTING = "interrupting the stream is recommended with it"  # why such an answer isn't automatic


def told(answer: Recommendation, asked: Sequence[Measure]) -> Recommendation:
    """Return the answer with what the live stream is asked for, which goes before what is done to the recording."""
    if not asked:
        return answer
    statement = " ".join([answer.statement, "That is for the recording.", *(said(measure) for measure in asked)])
    return answer.model_copy(update={"measures": (*asked, *answer.measures), "statement": statement})


def said(measure: Measure) -> str:
    """Say what a live stream is asked for."""
    since, lasting = "", ""
    for span in measure.spans:
        since, lasting = clock(span.start_s), amount(span.duration_s)
    if measure.kind == "warn_live":
        return f"Live: warn the host, who has {lasting} from {since} on to stop what infringes."
    if measure.kind == "mute_live":
        return f"Live: mute the stream from {since} on, for {lasting} after each segment that infringes."
    if measure.kind == "slate_live":
        return f"Live: show a slate instead of the stream from {since} on, for {lasting} after each that infringes."
    return "Live: interrupt the stream, as what was asked before wasn't heeded; only a human may decide that."
