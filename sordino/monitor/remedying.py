"""What `remedy` does, and `check` with `--remedy`: render measures, and tell what is left of what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sordino.fingerprints.model import Span, Track, union
from sordino.monitor import checking, erasing
from sordino.monitor.erasing import Erasure
from sordino.monitor.home import Home
from sordino.monitor.measures import RENDERED, Asked, check_together, of_recommendation, region_of
from sordino.monitor.remains import Done, figures
from sordino.pipelines.messages import Match, Recommendation
from sordino.pipelines.remedies.containers import CONTAINERS, container
from sordino.pipelines.remedies.output import check_free
from sordino.pipelines.remedies.plan import Blur, Plan, inside
from sordino.pipelines.remedies.render import Progress, Tracks, look, render


@dataclass(frozen=True, slots=True)
class Rendering:
    """A file that was rendered: its measures as the contract has them, and what they came to; or `why` none was."""

    out: Path | None
    measures: tuple[dict[str, Any], ...] = ()
    done: Done = field(default_factory=Done)
    warnings: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()  # measures that did not come to what they should
    why: str | None = None

    def __str__(self) -> str:
        return self.why or f"rendered to {self.out}"

    def as_json(self) -> dict[str, Any]:
        """Return what the contract promises of it."""
        told = {"out": self.out and str(self.out), "measures": list(self.measures)}
        return told if self.why is None else {**told, "why": self.why}


@dataclass(frozen=True, slots=True)
class Remedied:
    """A rendering that was asked for by hand, weighed against all that is found in the file."""

    path: Path
    rendering: Rendering
    residual_s: float
    collateral_s: float
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the line that the contract promises."""
        return {
            "path": str(self.path),
            **self.rendering.as_json(),
            "residual_s": self.residual_s,
            "collateral_s": self.collateral_s,
            "warnings": list(self.warnings),
        }


def remedy(
    home: Home, source: Path, out: Path, asked: Sequence[Asked], *, overwrite: bool, progress: Progress
) -> Remedied:
    """
    Render measures that were asked for by hand.

    Raises RemedyError, MediaError, StoreError and DecoderMissing; then nothing was written.
    """
    container(out)
    check_free(source, out, overwrite=overwrite)
    tracks = look(source, home.segment_limits)
    asked = [replace(one, spans=tuple(inside(span, tracks.duration_s) for span in one.spans)) for one in asked]
    check_together(asked, tracks.duration_s)
    found = checking.match(home, source)
    rendering = _rendered(home, source, out, asked, found.matches, tracks, overwrite=overwrite, progress=progress)
    residual_s, collateral_s = _figures(found.matches, rendering.done, tracks)
    warnings = tuple(dict.fromkeys((*found.warnings, *rendering.warnings)))
    return Remedied(source, rendering, residual_s, collateral_s, warnings)


@dataclass(frozen=True, slots=True)
class Target:
    """Where remedied files go: to `out` itself, or into it where there are several or it is a folder."""

    out: Path
    overwrite: bool
    several: bool

    def of(self, source: Path) -> Path:
        """Return where an input's remedied file goes; the folder is made. Raises OSError."""
        if not self.several and not self.out.is_dir():
            return self.out
        self.out.mkdir(parents=True, exist_ok=True)
        return self.out / (source.name if source.suffix.lower() in CONTAINERS else f"{source.stem}.mkv")


def remedy_checked(home: Home, source: Path, into: Target, answer: Recommendation) -> Rendering:
    """
    Render what was recommended; nothing where nothing has to be done to the file, or a human has to decide first.

    Raises RemedyError, MediaError, StoreError, OSError and DecoderMissing; then nothing was written.
    """
    asked = of_recommendation(answer.measures)
    if not answer.automatic:
        return Rendering(None, why="nothing is rendered: a human has to decide")
    if not asked:
        return Rendering(None, why="nothing is rendered: nothing has to be done to the file itself")
    out = into.of(source)
    container(out)
    check_free(source, out, overwrite=into.overwrite)
    tracks = look(source, home.segment_limits)
    licensed = {licence.work_id for licence in answer.licences_checked if licence.covers}
    matches = [match for match in answer.because if match.work_id not in licensed]  # nor is what is licensed erased
    return _rendered(home, source, out, asked, matches, tracks, overwrite=into.overwrite)


def _rendered(
    home: Home,
    source: Path,
    out: Path,
    asked: Sequence[Asked],
    matches: Sequence[Match],
    tracks: Tracks,
    *,
    overwrite: bool,
    progress: Progress = lambda _: None,
) -> Rendering:
    erasures = {one: erasing.prepare(home, one, matches) for one in asked if one.kind == "erase_music"}
    spans = {one: erasures[one].spans if one in erasures else _within(one, tracks) for one in asked}
    check_together([replace(one, spans=where) for one, where in spans.items()])
    plan = _plan(spans, list(erasures.values()))
    rendered = render(
        source, out, plan, tracks=tracks, overwrite=overwrite, limits=home.segment_limits, progress=progress
    )
    told = []
    for one, where in spans.items():
        measure = one.as_measure(where).model_dump(mode="json")
        told.append({**measure, **erasures[one].as_json()} if one in erasures else measure)
    failed = tuple(line for erasure in erasures.values() for line in erasure.failed)
    return Rendering(out, tuple(told), _done(plan, list(erasures.values())), rendered.warnings, failed)


def _plan(spans: Mapping[Asked, Sequence[Span]], erasures: Sequence[Erasure]) -> Plan:
    of_kind = {kind: union(span for one in spans if one.kind == kind for span in spans[one]) for kind in RENDERED}
    return Plan(
        mute=of_kind["mute"],
        blur=tuple(Blur(span, one.region) for one in spans if one.kind == "blur_region" for span in spans[one]),
        blank=of_kind["blank"],
        trim=of_kind["trim"],
        sound=tuple(erasure.process for erasure in erasures),
    )


def _done(plan: Plan, erasures: Sequence[Erasure]) -> Done:
    return Done(
        muted=plan.mute,
        erased=union(span for erasure in erasures for span in erasure.erased),
        hidden=(*((blur.span, blur.region) for blur in plan.blur), *((span, None) for span in plan.blank)),
        trimmed=plan.trim,
    )


def _within(one: Asked, tracks: Tracks) -> tuple[Span, ...]:
    return union(inside(span, tracks.duration_s) for span in one.within(tracks.duration_s))


def _figures(matches: Sequence[Match], done: Done, tracks: Tracks) -> tuple[float, float]:
    heard = [Span(m.query.start_s, m.query.end_s) for m in matches if m.track == "audio"]
    seen = [(Span(m.query.start_s, m.query.end_s), region_of(m)) for m in matches if m.track == "video"]
    lengths: dict[Track, float] = {"audio": tracks.audio_s, "video": tracks.video_s}
    there = [track for track, length_s in lengths.items() if length_s]
    return figures(heard, seen, done, tracks.duration_s, there)
