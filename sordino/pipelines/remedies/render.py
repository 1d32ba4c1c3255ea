"""Media in, remedied media out: several measures in one pass, and only what changes is encoded again."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from sordino.pipelines.media import Limits, decode
from sordino.pipelines.remedies import encoder
from sordino.pipelines.remedies.containers import Container, container
from sordino.pipelines.remedies.encoder import Encoder, Job
from sordino.pipelines.remedies.gain import muted, trimmed
from sordino.pipelines.remedies.output import check_free, written
from sordino.pipelines.remedies.picture import filters
from sordino.pipelines.remedies.plan import Block, Plan, RemedyError, fitted
from sordino.pipelines.running import open_media
from sordino.pipelines.sound import Sounding, sound

Progress = Callable[[float], None]  # takes the share that is done


@dataclass(frozen=True, slots=True)
class Tracks:
    """What a file has: seconds to the end of its sound and pictures (0.0: it has none), and ffmpeg's codec names."""

    audio_s: float
    video_s: float
    codecs: dict[str, str]
    longest_gap_s: float = 0.0  # without a new picture
    others: int = 0  # tracks: subtitles, and further ones

    @property
    def duration_s(self) -> float:
        """Seconds to the end of the longer one."""
        return max(self.audio_s, self.video_s)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file that was written; `copied` are the kinds of track (Audio, Video) that are as they were, bit for bit."""

    out: Path
    copied: frozenset[str]
    warnings: tuple[str, ...]


def look(source: Path, limits: Limits) -> Tracks:
    """Find out what a file has; raises MediaError and DecoderMissing."""
    with decode(source, sample_rate=8000, frames_per_s=1, frame_side=16, keyframes=True, limits=limits) as decoding:
        for _ in decoding:
            pass
    others = decoding.tracks - len(decoding.codecs)
    return Tracks(decoding.audio_s, decoding.video_s, decoding.codecs, decoding.longest_gap_s, others)


def render(
    source: Path,
    out: Path,
    plan: Plan,
    *,
    tracks: Tracks | None = None,
    overwrite: bool = False,
    limits: Limits = Limits(),  # noqa: B008 -- a frozen value
    progress: Progress = lambda _: None,
) -> Rendered:
    """
    Write what a plan makes of a file; the container is that of the output's suffix.

    `tracks` is what `look` found, where that was asked before; `progress` is told the share that is done, up to 1. The
    first track of sound and of pictures is written, others are not: nobody has looked for works in them. Raises
    RemedyError, MediaError and DecoderMissing; then nothing was written.
    """
    box = container(out)
    check_free(source, out, overwrite=overwrite)
    tracks = tracks or look(source, limits)
    plan = fitted(plan, tracks.audio_s, tracks.video_s)
    warnings = _left_out(plan, tracks, box, out)
    with written(out, overwrite=overwrite) as new, open_media(os.fspath(source)) as file:
        if tracks.audio_s and box.audio and (plan.changes_sound or not box.holds("Audio", tracks.codecs["Audio"])):
            with sound(source, limits=limits) as heard:
                job, said = _with_sound(heard, plan, tracks, box, (limits, file, new, progress))
        else:
            job = _job(plan, tracks, box, "copy" if tracks.audio_s and box.audio else None)
            with Encoder(job, limits, file, new, progress) as encoding:
                encoding.finish()
            said = encoding.warnings
    copied = {"Video": job.pictures == "copy", "Audio": job.sound == "copy"}
    return Rendered(out, frozenset(kind for kind, is_so in copied.items() if is_so), (*warnings, *said))


def _left_out(plan: Plan, tracks: Tracks, box: Container, out: Path) -> list[str]:
    """Say which tracks are not written; raises RemedyError where nothing is left, or what was to be changed is not."""
    others = [f"{tracks.others} of its tracks are left out: nobody looks for works in them"] if tracks.others else []
    if not tracks.video_s or box.video:
        return others
    if plan.blur or plan.blank or not tracks.audio_s:
        raise RemedyError("bad_container", f"{out.name}: {out.suffix} has no place for pictures")
    return [*others, f"{out.suffix} has no place for pictures: they are left out"]


def _job(plan: Plan, tracks: Tracks, box: Container, heard: encoder.Sound | str | None) -> Job:
    pictures = None
    if tracks.video_s and box.video:
        stays = not plan.changes_pictures and box.holds("Video", tracks.codecs["Video"])
        pictures = "copy" if stays else filters(plan, tracks.longest_gap_s)
    both = bool(tracks.audio_s and tracks.video_s)
    return Job(box, pictures, heard, chapters=not plan.trim, beside=both, duration_s=tracks.duration_s)


def _with_sound(
    heard: Sounding, plan: Plan, tracks: Tracks, box: Container, rest: tuple[Limits, int, int, Progress]
) -> tuple[Job, tuple[str, ...]]:
    """Decode, change and feed the sound to the encoder."""
    first = next(iter(heard))
    codec = box.sound_codec(tracks.codecs["Audio"])
    job = _job(plan, tracks, box, encoder.Sound(codec, heard.sample_rate, heard.layout, first.shape[1]))
    with Encoder(job, *rest) as encoding:
        for block in _changed(chain([first], heard), heard.sample_rate, plan):
            if not encoding.write(np.asarray(block, "<f4").tobytes()):
                break
        encoding.finish()
    return job, tuple(dict.fromkeys((*heard.warnings, *encoding.warnings)))


def _changed(blocks: Iterator[Block], rate: int, plan: Plan) -> Iterator[Block]:
    for processor in plan.sound:
        blocks = processor(blocks, rate)
    return trimmed(muted(blocks, rate, plan.mute), rate, plan.trim)
