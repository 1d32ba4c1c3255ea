"""
How far: a catalogue that grows to thousands of hours. `python -m benchmarks.scale` prints the table for RESULTS.md.

The references that queries are cut from stay as they are. What is added is real prints played backwards, at other
tempos and pitches: nothing in them is any query's, but they cluster, repeat and keep to a key as music does.
"""

import argparse
import os
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus
from benchmarks.bench import WARM_UP
from benchmarks.costs import Costs, circumstances, memory_kib, say
from benchmarks.judge import Judge, Segment
from benchmarks.plot import Panel, svg
from benchmarks.rows import Row, Stage, negatives, positives
from benchmarks.sounds import PARAMS, QUERY_S, Query, Speech, prints, split_tracks
from benchmarks.speed import ONE_THREAD
from benchmarks.transforms import coded
from sordino.fingerprints.audio import query_print
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import AudioPrint, AudioQuery, Span
from sordino.monitor.corpus import default_cache

HOURS = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 5000.0)
SAVED_HOURS = 300.0  # at a time
SWEPT = 0.4  # each takes ten times as long
ROWS = {  # and the share of the queries that is asked
    "music -6 dB under speech": 1.0,
    "music -12 dB under speech": 1.0,
    "speed ±4 %": SWEPT,
    "pitch ±5 %, music -10 dB": SWEPT,
    "other music alone": SWEPT,
    "other music -6 dB under speech": SWEPT,
}
STRANGERS = default_cache() / "strangers"  # no such files: a name among those of real ones, for the judge
TEMPOS = (0.9, 1.25)
MOST_BANDS = 12  # up or down


@dataclass(frozen=True)
class Asked:
    """A row's queries, without their sound, and their prints."""

    row: Row
    queries: Sequence[Query]
    prints: Sequence[AudioQuery]


def backwards(p: AudioPrint, rng: np.random.Generator) -> AudioPrint:
    """Return what a print would be of the same sound backwards, at a random tempo and pitch."""
    tempo, shift = float(rng.uniform(*TEMPOS)), int(rng.integers(-MOST_BANDS, MOST_BANDS + 1))
    last = p.duration_s * PARAMS.frames_per_s - 1
    frames = np.rint((last - p.frames[::-1]) / tempo).clip(0).astype(np.int32)
    bands = p.bands[::-1] + np.int16(shift)
    order = np.lexsort((rng.random(len(frames)), frames // round(PARAMS.frames_per_s)))
    second = frames[order] // round(PARAMS.frames_per_s)
    rank = np.arange(len(second)) - np.searchsorted(second, second)
    here = (rank < PARAMS.reference_rate) & (bands[order] >= 0) & (bands[order] < PARAMS.n_bands)
    kept = order[here][np.lexsort((bands[order[here]], frames[order[here]]))]
    return AudioPrint(PARAMS, p.duration_s / tempo, frames[kept], bands[kept])


def strangers(real: Sequence[AudioPrint], rng: np.random.Generator) -> Iterator[AudioPrint]:
    """Yield prints without end that are none of the real ones."""
    while True:
        for k in rng.permutation(len(real)):
            yield backwards(real[k], rng)


@dataclass(frozen=True)
class Size:
    """What came of one size of the catalogue."""

    hours: float
    parts: int
    megabytes: float  # of the index
    built_s: float  # since the size before
    peak_mib: float  # of the process so far
    resident_mib: float
    cpu_ms: Mapping[str, NDArray[np.float64]]  # by row
    recall: Mapping[str, float]
    false: Mapping[str, int]

    @staticmethod
    def targets(row: str) -> bool:
        """Tell whether there is anything to be found in a row."""
        return not row.startswith("other")


def asked(n: int) -> tuple[list[Asked], Judge, list[Path]]:
    """Return the queries, who judges what is found, and the tracks that they are cut from."""
    known, strange = split_tracks(corpus.music("report"))
    stage = Stage(known, strange, Speech("report", np.random.default_rng(2)))
    rows = []
    for row in [*positives(), *negatives()]:
        if row.name in ROWS:
            say(row.name)
            queries = [row.query(stage, k) for k in range(round(n * ROWS[row.name]))]
            sounds = [query_print(sound, PARAMS) for sound in coded([q.sound for q in queries], row.codec)]
            rows.append(Asked(row, [Query(q.sound[:0], q.plants, q.stranger) for q in queries], sounds))
    return rows, Judge(known, corpus.duplicates(), corpus.versions()), known


def grow(catalogue: Catalogue, hours: float, more: Iterator[AudioPrint]) -> None:
    """Register strangers until the catalogue has so many hours."""
    there = catalogue.hours()[0]
    while there < hours:
        until = min(hours, there + SAVED_HOURS)
        while there < until:
            new = next(more)
            catalogue.add(str(STRANGERS / f"at {there:.6f} h"), new, None)
            there += new.duration_s / 3600
        catalogue.save()
        say(f"{there:.0f} h")


def measure(catalogue: Catalogue, folder: Path, rows: Sequence[Asked], judge: Judge, built_s: float) -> Size:
    """Ask everything of a catalogue."""
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    costs, recall, false = Costs(), {}, {}
    for a in rows:
        for sound in a.prints[:WARM_UP]:
            catalogue.find(sound, None)
        outcomes = []
        for k, (query, sound) in enumerate(zip(a.queries, a.prints, strict=True)):
            with costs.of(a.row.name):
                matches = catalogue.find(sound, None)
            segment = Segment(Span(0.0, QUERY_S), tuple(matches), 0.0, np.ones(len(judge.references)))
            outcomes.append(judge.outcome(a.row.name, k, query, [segment]))
        recall[a.row.name] = float(np.mean([o.right <= 0 for o in outcomes]))
        false[a.row.name] = sum(o.wrong <= 0 for o in outcomes)
    held = list(folder.rglob("audio_*.npy"))
    return Size(
        catalogue.hours()[0],
        len({f.parent for f in held}),
        sum(f.stat().st_size for f in held) / 1e6,
        built_s,
        peak_mib,
        memory_kib()[0] / 1024,
        {a.row.name: 1000 * costs.column(a.row.name, "own_s") for a in rows},
        recall,
        false,
    )


def sizes(hours: Sequence[float], n: int, folder: Path) -> Iterator[Size]:
    """Yield what comes of a catalogue as it grows."""
    rows, judge, known = asked(n)
    catalogue = Catalogue.open(folder)
    for path, sound in prints(known).items():
        catalogue.add(str(path), sound, None)
    catalogue.save()
    real = list(prints([*corpus.music("tune"), *corpus.music("operate"), *known]).values())
    more = strangers(real, np.random.default_rng(1))
    for until in hours:
        costs = Costs()
        with costs.of("build"):
            grow(catalogue, until, more)
        yield measure(catalogue, folder, rows, judge, float(costs.column("build", "own_s").sum()))


def header(size: Size) -> Iterator[str]:
    """Yield the table's first two lines."""
    columns = [
        *("hours", "parts", "index MB/h", "CPU s to grow", "peak MiB until then", "resident MiB"),
        *(f"{name}: CPU ms (95 %)" for name in size.cpu_ms),
        *(f"{name}: found" for name in size.recall if size.targets(name)),
        "queries with a false match",
    ]
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"


def line(size: Size) -> str:
    """Return the table's line of a size."""
    times = [f"{np.median(ms):.0f} ({np.quantile(ms, 0.95):.0f})" for ms in size.cpu_ms.values()]
    found = [f"{share:.3f}" for name, share in size.recall.items() if size.targets(name)]
    cells = [
        *(f"{size.hours:,.0f}", f"{size.parts}", f"{size.megabytes / size.hours:.2f}", f"{size.built_s:.0f}"),
        *(f"{size.peak_mib:.0f}", f"{size.resident_mib:.0f}", *times, *found, f"{sum(size.false.values())}"),
    ]
    return f"| {' | '.join(cells)} |"


def picture(done: Sequence[Size]) -> str:
    """Return time, recall and memory by hours, as SVG."""
    first = done[0]
    times = {name: [(s.hours, float(np.median(s.cpu_ms[name]))) for s in done] for name in first.cpu_ms}
    slowest = max(times.values(), key=lambda points: points[0][1])[0]
    root = [(s.hours, slowest[1] * (s.hours / first.hours) ** 0.5) for s in done]
    recall = {n: [(s.hours, s.recall[n]) for s in done] for n in first.recall if first.targets(n)}
    memory = {
        "index on disk": [(s.hours, s.megabytes) for s in done],
        "resident after the queries": [(s.hours, s.resident_mib) for s in done],
    }
    return svg(
        [
            Panel("CPU ms a query of 10 s", "hours of references", times, {"as the square root": root}),
            Panel("found", "hours of references", recall, even=(0.0, 1.0)),
            Panel("MB", "hours of references", memory),
        ]
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("-n", type=int, default=100, help="queries a row")
    parser.add_argument("--hours", type=lambda t: [float(h) for h in t.split(",")], default=HOURS, help="the sizes")
    parser.add_argument("--plot", type=Path, help="an SVG file to write")
    arguments = parser.parse_args()
    if not ONE_THREAD.items() <= os.environ.items():  # libraries read it when they are loaded
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ONE_THREAD})
    cv2.setNumThreads(1)
    print("# Growth\n")
    print("\n".join(circumstances("benchmarks.scale", sys.argv[1:])) + "\n")
    done: list[Size] = []
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes(arguments.hours, arguments.n, Path(scratch)):
            done.append(size)
            print("\n".join([*(header(size) if len(done) == 1 else ()), line(size)]), flush=True)
            if arguments.plot and len(done) > 1:
                arguments.plot.write_text(picture(done))


if __name__ == "__main__":
    main()
