"""The main job end to end: real works registered, a live stream answered as it comes, and what was right about it."""

import contextlib
import tempfile
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sordino.fingerprints.model import Span, union
from sordino.monitor import checking, registration, settings
from sordino.monitor.checking import in_short
from sordino.monitor.console import Output, errors, fail, one_line, tracked
from sordino.monitor.corpus import default_cache
from sordino.monitor.demo_encoding import MediaNotMade
from sordino.monitor.demo_media import SEGMENT_S, Clip, Scene, compose
from sordino.monitor.home import Home, opened
from sordino.monitor.process import process
from sordino.monitor.weighing import total_s
from sordino.monitor.wording import clock
from sordino.monitor.works import Licence, Ownership, Work
from sordino.pipelines.messages import Match, Media, Recommendation, Segment

ACCOUNT = "demo-shop"
STREAM = "demo-stream"
GAP_S = 0.1


def run(home: Path | None, output: Output, *, real: bool) -> None:
    """
    Run the demo; where no home is named it has one of its own, which goes with it.

    Leaves with a failure where what was planted was not found: a demo that shows less than it says is broken.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sordino-demo-") as scratch:
        wrong = _show(home or Path(scratch) / "home", Path(scratch) / "media", output, real=real)
    _say(f"Done in {time.monotonic() - started:.0f} s.")
    if wrong:
        raise fail("; ".join(wrong))


def _show(home: Path, media: Path, output: Output, *, real: bool) -> list[str]:
    _say("Fetching real music, speech and video, and mixing the demo's stream ...")
    try:
        scene = compose(default_cache(), media, _say, real=real)
    except MediaNotMade as error:
        raise fail(str(error)) from error
    for note in scene.notes:
        _say(note)
    with opened(settings.load(home=home)) as opened_home:
        works = _register(opened_home, output, scene)
        return _watch_stream(opened_home, output, scene) + _check_clips(opened_home, output, scene, works)


def _register(home: Home, output: Output, scene: Scene) -> dict[Path, str]:
    """Register the tracks and the film; return each one's work."""
    _say(f"\n1. A rights holder registers {len(scene.tracks)} tracks and a film.")
    works = {}
    for path in tracked((*scene.tracks, scene.film), len(scene.tracks) + 1, "registering"):
        work = Work(f"W{uuid.uuid4().hex[:16]}", one_line(path.stem), "recording", (Ownership("Demo Records"),))
        new = registration.register(home, path, work, kind_is_given=False).reference
        works[path] = new.work_id
    licence = Licence(f"L{uuid.uuid4().hex[:16]}", works[scene.licensed], ACCOUNT, (ACCOUNT,))
    home.store.add_licence(licence)
    sound_h, picture_h = home.catalogue.hours()
    values = {"step": "registered", "works": len(works), "sound_h": round(sound_h, 3), "picture_h": round(picture_h, 3)}
    lengths = f"{clock(round(sound_h * 3600))} of sound, {clock(round(picture_h * 3600))} of picture"
    output.done(values, f"   {len(works)} works: {lengths}")
    return works


def _watch_stream(home: Home, output: Output, scene: Scene) -> list[str]:
    """Answer the stream's segments one by one; return what went wrong."""
    truth = scene.planted.query
    _say(
        f"\n2. A host talks for {len(scene.segments) * SEGMENT_S:.0f} s. From {clock(truth.start_s)} to "
        f"{clock(truth.end_s)} a registered track plays 10 dB below the voice."
    )
    answers = []
    for number, path in enumerate(tracked(scene.segments, len(scene.segments), "monitoring")):
        segment = Segment(
            stream_id=STREAM,
            sequence=number,
            start_s=number * SEGMENT_S,
            duration_s=SEGMENT_S,
            media=Media(uri=path.as_uri()),
            live=True,
            account=ACCOUNT,
            commercial=True,
        )
        answer = process(segment, contextlib.nullcontext(path), home).recommendation
        answers.append(answer)
        at = f"{clock(segment.start_s)}-{clock(segment.start_s + segment.duration_s)}"
        output.done(_values("segment", answer), f"   {at:>11}  {_told(answer)}")
    episodes = home.store.episodes(STREAM)
    found = _joined(e.query for e in episodes if e.track == "audio")
    gone = {
        kind: _joined(Span(s.start_s, s.end_s) for a in answers for m in a.measures if m.kind == kind for s in m.spans)
        for kind in ("erase_music", "mute")
    }
    silenced = _joined(span for spans in gone.values() for span in spans)
    titles = sorted({m.title for a in answers for m in a.because})
    values = {
        "step": "stream",
        "found": _pairs(found),
        **{kind: _pairs(spans) for kind, spans in gone.items()},
        "truth": _pairs([truth]),
    }
    kept_s = len(answers) * SEGMENT_S - total_s(gone["mute"])
    done = f"taken out {_list(gone['erase_music'])}, muted {_list(gone['mute'])}"
    kept = f"{kept_s:.0f} of {len(answers) * SEGMENT_S:.0f} s of the voice are kept, and all pictures"
    output.done(values, f"   => {', '.join(titles) or 'nothing'}: {done}; {kept}")
    example = next((a for a in answers if a.rejected), None)
    if example:
        output.done(_values("why", example), f"   Why, for segment {example.sequence}: {one_line(example.statement)}")
    off_s = max((abs(a - b) for a, b in zip(_ends(silenced), _ends([truth]), strict=False)), default=99.0)
    wrong = f"the song is at {_list([truth])}, but it is taken out or muted at {_list(silenced)}"
    return [] if len(silenced) == 1 and off_s <= 1.0 else [wrong]


def _check_clips(home: Home, output: Output, scene: Scene, works: dict[Path, str]) -> list[str]:
    """Check three short videos before they are posted; return what went wrong."""
    _say("\n3. Three short videos are checked before they are posted.")
    licensed = _check(home, output, scene.licensed_clip, "a licensed track under speech")
    unregistered = _check(home, output, scene.unregistered_clip, "an unregistered track under speech")
    replay = _check(home, output, scene.replay_clip, "a film replayed")
    wrong = []
    if works[scene.licensed] not in {m.work_id for m in licensed.because} or _kinds(licensed) != {"allow"}:
        wrong.append("the licensed track was not found, or not allowed")
    if unregistered.because or _kinds(unregistered) != {"allow"}:
        wrong.append("the unregistered track was matched")
    if not _kinds(replay) <= {"blank", "blur_region"}:
        wrong.append("the film was not found")
    return wrong


def _check(home: Home, output: Output, clip: Clip, what: str) -> Recommendation:
    answer = checking.check(home, clip.path, {"account": ACCOUNT, "commercial": True}).recommendation
    output.done(_values(what, answer), f"   {what}: {_told(answer)}")
    return answer


def _told(answer: Recommendation) -> str:
    licences = [licence for licence in answer.licences_checked if licence.covers]
    found = "; ".join(_found(m) for m in answer.because) or "no registered work"
    return f"{found} -> {in_short(answer)}" + (f", covered by licence {licences[0].licence_id}" if licences else "")


def _found(match: Match) -> str:
    return f"{match.title} {clock(match.query.start_s)}-{clock(match.query.end_s)}"


def _values(step: str, answer: Recommendation) -> dict[str, Any]:
    return {"step": step, **answer.model_dump(mode="json")}


def _kinds(answer: Recommendation) -> set[str]:
    return {measure.kind for measure in answer.measures}


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the union, with gaps closed that nobody hears."""
    return tuple(Span(s.start_s, s.end_s - GAP_S) for s in union(Span(s.start_s, s.end_s + GAP_S) for s in spans))


def _pairs(spans: Iterable[Span]) -> list[tuple[float, float]]:
    return [(round(s.start_s, 2), round(s.end_s, 2)) for s in spans]


def _ends(spans: Iterable[Span]) -> list[float]:
    return [end for span in spans for end in (span.start_s, span.end_s)]


def _list(spans: Iterable[Span]) -> str:
    return ", ".join(f"{clock(s.start_s)}-{clock(s.end_s)}" for s in spans) or "nothing"


def _say(line: str) -> None:
    errors.print(line, markup=False)
