"""What finding copied pictures costs: bytes of index, and CPU time against a bare decode of the same frames."""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.costs import Costs, say
from benchmarks.rendering import Video
from sordino.fingerprints import video as extractor
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.params import VideoParams
from sordino.pipelines import analyse, decoder
from sordino.pipelines.media import Frame, Limits, decode

SEGMENT_S = 10.0
RATES = {720: "2000k", 1080: "4000k"}  # bits a second by height, as live streams have them
TARGETS = {720: 30, 1080: 20}  # streams a core
RATIO = 1.5  # to a bare decode, at most
COLUMNS = ("segments", "n", "found", "CPU s", "bare, all frames", "bare, keyframes", "ratio to all", "CPU s an hour",
           "streams a core", "decode ms", "print ms", "find ms")  # fmt: skip
UPSIDE_DOWN = "hflip,vflip,"  # as costly to decode, but of no reference


def costs(film: Video, catalogue: Catalogue, index: Path, folder: Path, n: int = 16) -> Iterator[str]:
    """Yield the tables, of `n` segments a row that are cut from a registered film."""
    hours = catalogue.hours()[1]
    held = sum(file.stat().st_size for file in index.rglob("video_*.npy"))
    parts = len(list(index.glob("part-*")))
    yield f"The index has {held / 1e6 / hours:.1f} MB an hour of pictures ({hours:.1f} h in {parts} parts).\n"
    yield f"Segments of {SEGMENT_S:g} s, H.264 without sound, through `analyse`, and a bare `ffmpeg` that decodes the"
    yield "same frames to null, or keyframes only, in turns; CPU of the process and its child, medians, one thread.\n"
    yield from ("| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS))
    for height in RATES:
        for shown, name in (("", "of a registered film"), (UPSIDE_DOWN, "upside down")):
            files = list(cut(film, n, height, shown, folder))
            yield _row(f"{height}p, {name}", files, catalogue, TARGETS[height])
    streams = ", ".join(f"{target} streams a core at {height}p" for height, target in TARGETS.items())
    yield f"\nTargets: a ratio of at most {RATIO:g}; {streams}."


def cut(film: Video, n: int, height: int, shown: str, folder: Path) -> Iterator[Path]:
    """Write segments from all over a film."""
    for k, start_s in enumerate(np.linspace(0.05, 0.9, n) * (film.duration_s - SEGMENT_S)):
        out = folder / f"{height}-{bool(shown)}-{k}.mp4"
        say(f"cutting {out.name}")
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-ss", f"{start_s:.2f}", "-t", f"{SEGMENT_S}"]
        command += ["-i", f"file:{film.path}", "-an", "-vf", f"{shown}scale=-2:{height}", "-c:v", "libx264"]
        rate = RATES[height]
        command += ["-preset", "veryfast", "-threads", "1", "-pix_fmt", "yuv420p", "-g", "48"]
        command += ["-b:v", rate, "-maxrate", rate, "-bufsize", rate, f"file:{out}"]
        subprocess.run(command, check=True)
        yield out


def bare_command(path: Path, params: VideoParams, limits: Limits, *, keyframes: bool = False) -> list[str]:
    """Return the command of a bare ffmpeg that decodes and picks the same frames as the product, to null."""
    ours = decoder.command(decoder.Want(16_000, params.frames_per_s, False, True), limits, 0)
    select = ours[ours.index("-filter:v:0") + 1].split(",scale=")[0]
    skipped = ["-skip_frame", "nokey"] if keyframes else []
    command = ["ffmpeg", "-v", "error", "-nostdin", "-filter_threads", "1", "-threads", str(limits.threads), *skipped]
    return [*command, "-i", str(path), "-map", "0:V:0", "-vf", select, "-f", "null", "-"]


def _row(name: str, files: Sequence[Path], catalogue: Catalogue, target: int) -> str:
    measured, limits, found = Costs(), Limits(), 0
    analyse.analyse(files[0], catalogue, limits=limits)
    for k, path in enumerate(files):
        for what in ("bare", "keyframes", "whole")[:: -1 if k % 2 else 1]:
            command = bare_command(path, catalogue.video_params, limits, keyframes=what == "keyframes")
            with measured.of(what):
                if what == "whole":
                    matches = analyse.analyse(path, catalogue, limits=limits).matches
                else:
                    subprocess.run(command, check=True)
        found += bool(matches)
        _stages(path, catalogue, limits, measured)
    ours, bare, keyed = (float(np.median(measured.column(what, "cpu_s"))) for what in ("whole", "bare", "keyframes"))
    ratio, streams = ours / bare, SEGMENT_S / ours
    cells = [name, str(len(files)), str(found), f"{ours:.3f}", f"{bare:.3f}", f"{keyed:.3f}"]
    cells += [_bold(f"{ratio:.2f}", ratio > RATIO), f"{3600 / SEGMENT_S * ours:.0f}"]
    cells += [_bold(f"{streams:.1f}", streams < target)]
    cells += [f"{1000 * np.median(measured.column(stage, 'cpu_s')):.0f}" for stage in ("decode", "print", "find")]
    return "| " + " | ".join(cells) + " |"


def _bold(text: str, missed: bool) -> str:
    return f"**{text}**" if missed else text


def _stages(path: Path, catalogue: Catalogue, limits: Limits, measured: Costs) -> None:
    params = catalogue.video_params
    with measured.of("decode"):
        items = list(decode(path, frames_per_s=params.frames_per_s, frame_side=params.query_side, limits=limits))
    frames = [item for item in items if isinstance(item, Frame)]
    with measured.of("print"):
        times_s = np.array([frame.time_s for frame in frames])
        seen = extractor.query_print(times_s, (frame.luma for frame in frames), SEGMENT_S, params)
    with measured.of("find"):
        catalogue.find(None, seen)
