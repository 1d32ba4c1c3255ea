"""
How fast, and in how much memory. `python -m benchmarks.speed` prints the tables for benchmarks/RESULTS.md.

CPU seconds are user and system time of this process, of all its threads, and of its child processes. Nothing here runs
on more than one thread, as where one worker is started for each core.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus, live
from benchmarks.costs import Costs, circumstances, memory_kib, say
from benchmarks.live import LiveSegment, Scene
from benchmarks.sounds import PARAMS, RATE, Speech, decoded, prints, queries
from sordino.fingerprints import video
from sordino.fingerprints.audio import query_print, reference_print
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import AudioPrint
from sordino.monitor.home import Home, opened
from sordino.monitor.process import process
from sordino.monitor.settings import Settings, load
from sordino.pipelines import analyse, decoder
from sordino.pipelines.media import Frame, Pcm, decode

SECTIONS = ("pipeline", "audio", "query", "memory")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
FILM = "bbb.mp4"
STRANGE = 12  # tracks that are never registered
WARM_UP = 3  # segments, queries: kernels are loaded, pages are read


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    live: int = 36  # segments through the pipeline
    queries: int = 20  # a row
    hours: tuple[float, ...] = (1, 5, 10, 20)  # of references
    home_hours: float = 10  # of them in the home that the pipeline runs in
    film_hours: float = 1.0
    pcm_s: float = 600.0
    repeats: int = 5
    memory: int = 2000  # segments
    memory_files: int = 20
    memory_warm_up: int = 100
    heights: tuple[int, int] = (720, 360)  # of the pipeline's and of the memory row's segments


def pipeline(scene: Scene, home: Home, size: Size, folder: Path, rng: np.random.Generator) -> Iterator[str]:
    """Yield the tables of the whole route of a segment, against bare decoding."""
    segments = live.cut(scene, size.live, size.heights[0], folder, rng)
    for k, segment in enumerate(segments[:WARM_UP]):
        _answer(segment, home, f"warm-up {k}", 0)
        _stages(segment, home, Costs())
    costs, found = Costs(), np.zeros((len(segments), 2), bool)
    for k, segment in enumerate(segments):
        say(f"pipeline: segment {k + 1} of {len(segments)}")
        for what in ("bare", "whole") if k % 2 else ("whole", "bare"):
            with costs.of(what):
                if what == "bare":
                    subprocess.run(bare_command(segment.path, home), check=True)
                else:
                    tracks = _answer(segment, home, f"{k % 2}-{k // 2 // live.STREAM_SEGMENTS}", k // 2)
        found[k] = ["audio" in tracks, "video" in tracks]
        _stages(segment, home, costs)
    sound_h, picture_h = home.catalogue.hours()
    parts = len(list((home.settings.home / "catalogue").glob("part-*")))
    kbits = np.median([s.path.stat().st_size for s in segments]) * 8 / live.SEGMENT_S / 1000
    yield f"{len(segments)} segments of {live.SEGMENT_S:g} s, {size.heights[0]}p H.264 and AAC, {kbits:.0f} kbit/s"
    yield f"(median), against {sound_h:.1f} h of sound and {picture_h:.1f} h of picture in {parts} parts.\n"
    yield from _pipeline_table(costs, found, np.array([s.has_works for s in segments]))
    yield ""
    yield from _stage_table(costs)


def bare_command(path: Path, home: Home) -> list[str]:
    """Return the command of a bare ffmpeg that decodes the same sound and picks the same frames, to null."""
    limits = home.segment_limits
    video_params = home.catalogue.video_params
    ours = decoder.command(decoder.Want(PARAMS.sample_rate, video_params.frames_per_s, True, True), limits, 0)
    select = ours[ours.index("-filter:v:0") + 1].split(",scale=")[0]
    command = ["ffmpeg", "-v", "error", "-nostdin", "-filter_threads", "1", "-threads", str(limits.threads)]
    return [*command, "-i", str(path), "-map", "0:a:0", "-map", "0:v:0", "-vf", select, "-f", "null", "-"]


def _answer(segment: LiveSegment, home: Home, stream_id: str, sequence: int) -> set[str]:
    message = segment.message(stream_id, sequence)
    recommendation = process(message, segment.media(message), home).recommendation
    return {match.track for match in recommendation.because}


def _stages(segment: LiveSegment, home: Home, costs: Costs) -> None:
    """Take the route apart: the same calls as `analyse` makes, one by one; then `analyse` itself."""
    catalogue = home.catalogue
    with costs.of("decode"):
        rate, side = catalogue.video_params.frames_per_s, catalogue.video_params.query_side
        items = list(decode(segment.path, frames_per_s=rate, frame_side=side, limits=home.segment_limits))
    pcm = np.concatenate([item.samples for item in items if isinstance(item, Pcm)])
    frames = [item for item in items if isinstance(item, Frame)]
    with costs.of("fingerprint sound"):
        sound = query_print(pcm, catalogue.audio_params)
    with costs.of("find sound"):
        catalogue.find(sound, None)
    with costs.of("fingerprint pictures"):
        times_s = np.array([f.time_s for f in frames])
        seen = video.query_print(times_s, (f.luma for f in frames), live.SEGMENT_S)
    with costs.of("find pictures"):
        catalogue.find(None, seen)
    with costs.of("analyse"):
        analyse.analyse(segment.path, catalogue, limits=home.segment_limits)


def _pipeline_table(costs: Costs, found: NDArray[np.bool_], has_works: NDArray[np.bool_]) -> Iterator[str]:
    yield "| segments | n | sound found | film found | CPU s | bare ffmpeg | ratio | 5 % to 95 % | streams a core |"
    yield "|---|---|---|---|---|---|---|---|---|"
    ours, bare = costs.column("whole", "cpu_s"), costs.column("bare", "child_s")
    rows = {"with works in them": has_works, "without": ~has_works, "all": np.ones_like(has_works)}
    for name, rows_of in rows.items():
        ratio = ours[rows_of] / bare[rows_of]
        low, high = np.quantile(ratio, [0.05, 0.95])
        yield (
            f"| {name} | {rows_of.sum()} | {found[rows_of, 0].sum()} | {found[rows_of, 1].sum()} "
            f"| {np.median(ours[rows_of]):.3f} | {np.median(bare[rows_of]):.3f} | **{np.median(ratio):.2f}** "
            f"| {low:.2f} to {high:.2f} | {live.SEGMENT_S / np.median(ours[rows_of]):.1f} |"
        )
    wall_s = float(np.median(costs.column("whole", "wall_s")))
    yield f"\nOne process answers {1 / wall_s:.2f} segments a second. The target of the ratio is 2 at most."


def _stage_table(costs: Costs) -> Iterator[str]:
    yield "| stage | CPU ms, this process | CPU ms, ffmpeg |"
    yield "|---|---|---|"
    own = {}
    for name in ("decode", "fingerprint sound", "find sound", "fingerprint pictures", "find pictures"):
        own[name] = 1000 * float(np.median(costs.column(name, "own_s")))
        child = 1000 * float(np.median(costs.column(name, "child_s")))
        yield f"| {name} | {own[name]:.1f} | {child:.0f} |"
    rest = costs.column("whole", "own_s") - costs.column("analyse", "own_s")
    yield f"| look up, decide, store (the whole less `analyse`) | {1000 * np.median(rest):.1f} | 0 |"


def fingerprints(scene: Scene, size: Size) -> Iterator[str]:
    """Yield the table of sound to prints."""
    n = round(size.pcm_s * RATE)
    sound = np.concatenate([decoded(path) for path in live.limited(scene.known, size.pcm_s / 3600 * 1.5)])[:n]
    pcm = (sound * 32767).astype(np.int16)
    segment = pcm[: round(live.SEGMENT_S * RATE)]
    yield "| sound to print | seconds of sound | CPU s, median | most | times real time |"
    yield "|---|---|---|---|---|"
    for name, piece, times in (("reference", pcm, size.repeats), ("query", segment, size.repeats * 10)):
        make = reference_print if name == "reference" else query_print
        make(segment)
        costs = Costs()
        for _ in range(times):
            with costs.of(name):
                make(piece)
        spent_s, length_s = costs.column(name, "own_s"), len(piece) / RATE
        middle_s = np.median(spent_s)
        yield f"| {name} | {length_s:.0f} | {middle_s:.4f} | {spent_s.max():.4f} | **{length_s / middle_s:.0f}** |"
    yield "\nThe target is 1,500 times real time."


def query_times(scene: Scene, size: Size, rng: np.random.Generator) -> Iterator[str]:
    """Yield the table of queries by hours of references."""
    known = list(live.limited(scene.known, min(size.hours)))  # these are in every catalogue of the table
    asked = {
        "music alone": list(queries(known, size.queries, None, scene.voice, rng)),
        f"music {live.MUSIC_DB:g} dB under speech": list(queries(known, size.queries, live.MUSIC_DB, scene.voice, rng)),
        "strange music alone": list(queries(scene.strange, size.queries, None, scene.voice, rng)),
        "speech over strange": list(queries(scene.strange, size.queries, live.MUSIC_DB, scene.voice, rng)),
    }
    sounds = {name: [query_print(query.sound, PARAMS) for query in them] for name, them in asked.items()}
    yield f"CPU ms of looking up a print of {live.SEGMENT_S:g} s, median (95 %), {size.queries} queries each.\n"
    yield f"| hours of references | saved | index MB an hour | {' | '.join(sounds)} |"
    yield "|---|---|---|" + "---|" * len(sounds)
    settings = [(hours, False) for hours in size.hours] + [(size.home_hours, True)]
    for hours, one_by_one in settings:
        say(f"query: {hours:g} h")
        with tempfile.TemporaryDirectory() as folder:
            catalogue = _catalogue(Path(folder), live.limited(scene.known, hours), one_by_one)
            cells = []
            for name, them in sounds.items():
                for sound in them[:WARM_UP]:
                    catalogue.find(sound, None)
                costs = Costs()
                for sound in them:
                    with costs.of(name):
                        catalogue.find(sound, None)
                spent_ms = 1000 * costs.column(name, "own_s")
                cells.append(f"{np.median(spent_ms):.0f} ({np.quantile(spent_ms, 0.95):.0f})")
            held = list(Path(folder).rglob("audio_*.npy"))
            there, megabytes = catalogue.hours()[0], sum(f.stat().st_size for f in held) / 1e6
            parts = len({f.parent for f in held})
            saved = f"one by one: {parts} parts" if one_by_one else f"at once: {parts} part"
            yield f"| {there:.1f} | {saved} | {megabytes / there:.1f} | {' | '.join(cells)} |"
    yield "\nThe targets are 20 ms where the plain query answers and 150 ms with the sweep, at 10 h."


def _catalogue(folder: Path, made: Mapping[Path, AudioPrint], one_by_one: bool) -> Catalogue:
    catalogue = Catalogue.open(folder)
    for path, sound in made.items():
        catalogue.add(str(path), sound, None)
        if one_by_one:
            catalogue.save()
    catalogue.save()
    return catalogue


def memory(segments: Sequence[LiveSegment], home: Home, size: Size) -> Iterator[str]:
    """Yield the table of a worker's memory: a process of its own, which does nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as worker:
        run = worker.submit(_work, segments, home.settings, size).result()
    kib = run[:, :2]
    yield f"{size.memory} segments of {live.SEGMENT_S:g} s, {size.heights[1]}p to save time, {len(segments)} files over"
    yield "and over in streams of as many; a process of its own, which does nothing else.\n"
    yield "| after segments | resident, MiB | of this its own | database, MiB |"
    yield "|---|---|---|---|"
    step = max(1, size.memory // 10)
    for k in sorted({size.memory_warm_up, *range(step, size.memory + 1, step)}):
        resident, own, database = run[k - 1] / 1024
        yield f"| {k} | {resident:.1f} | {own:.1f} | {database:.1f} |"
    since = {f"after {size.memory_warm_up} segments": size.memory_warm_up, "in the second half": size.memory // 2}
    for name, first in since.items():
        measured = np.arange(first, size.memory)
        resident, own = (np.polyfit(measured, column[measured], 1)[0] for column in kib.T)
        yield f"\nGrowth {name}, least squares: **{resident:+.2f} KiB a segment** resident, {own:+.2f} of it its own;"
    yield "the rest are pages of the mapped catalogue and of libraries. Caches fill first; a leak would not end."


def _work(segments: Sequence[LiveSegment], settings: Settings, size: Size) -> NDArray[np.float64]:
    """Answer segments; return KiB of memory, resident and own, and of the database after each: float64[n, 3]."""
    cv2.setNumThreads(1)
    run = np.empty((size.memory, 3))
    with opened(settings) as home:
        for k in range(size.memory):
            stream, sequence = divmod(k, len(segments))
            _answer(segments[sequence], home, f"memory {stream}", sequence)
            database = sum(f.stat().st_size for f in settings.home.glob("sordino.db*"))
            run[k] = *memory_kib(), database / 1024
            if (k + 1) % 100 == 0:
                say(f"memory: {k + 1} of {size.memory} segments, {run[k, 0] / 1024:.1f} MiB")
    return run


def report(scene: Scene, films: Sequence[Path], size: Size, only: Sequence[str]) -> Iterator[str]:
    """Yield the sections that are asked for, as Markdown."""
    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if "audio" in only:
            yield "\n## Fingerprinting sound\n"
            yield from fingerprints(scene, size)
        if "query" in only:
            yield "\n## Looking a query up\n"
            yield from query_times(scene, size, rng)
        if {"pipeline", "memory"} & set(only):
            scene = replace(scene, known=live.limited(scene.known, size.home_hours))
            with opened(load(home=folder / "home")) as home:
                _register(home, scene, films, size)
                if "pipeline" in only:
                    yield "\n## The whole pipeline\n"
                    yield from pipeline(scene, home, size, folder, rng)
                if "memory" in only:
                    yield "\n## A worker's memory\n"
                    (folder / "small").mkdir()
                    segments = live.cut(scene, size.memory_files, size.heights[1], folder / "small", rng)
                    yield from memory(segments, home, size)


def _register(home: Home, scene: Scene, films: Sequence[Path], size: Size) -> None:
    for k, (path, sound) in enumerate(scene.known.items()):
        live.register(home, path.name, sound, None)
        if k % 50 == 0:
            say(f"registered {k} of {len(scene.known)} tracks")
    for name, pictures in live.film_references(scene, films, size.film_hours):
        live.register(home, name, None, pictures)


def _sections(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := set(chosen) - set(SECTIONS):
        raise argparse.ArgumentTypeError(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    return chosen


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--only", type=_sections, default=SECTIONS, help=f"of {','.join(SECTIONS)}; all if not given")
    parser.add_argument("--segments", type=int, default=Size.memory, help="of the memory row")
    parser.add_argument("--live", type=int, default=Size.live, help="segments through the pipeline")
    parser.add_argument("--queries", type=int, default=Size.queries, help="a row")
    arguments = parser.parse_args(words)
    if not ONE_THREAD.items() <= os.environ.items():  # libraries read it when they are loaded
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ONE_THREAD})
    cv2.setNumThreads(1)
    size = Size(live=arguments.live, queries=arguments.queries, memory=arguments.segments)
    tracks, films = corpus.music(), corpus.video()
    film = next((path for path in films if path.name == FILM), None)
    if not tracks or film is None:
        raise SystemExit("the corpus can't be had: see the lines above")
    rng = np.random.default_rng(0)
    order = [tracks[k] for k in rng.permutation(len(tracks))]
    known, strange = prints(order[:-STRANGE]), order[-STRANGE:]
    print("# Speed and memory\n")
    print("\n".join(circumstances("benchmarks.speed", sys.argv[1:])))
    print("- one thread everywhere (BLAS, numba, OpenCV, ffmpeg)")
    films.remove(film)
    for line in report(Scene(known, strange, Speech("report", rng), film), films, size, arguments.only):
        print(line, flush=True)


if __name__ == "__main__":
    main()
