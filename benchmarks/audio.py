"""
How well: songs under speech, on real media. `python -m benchmarks.audio` prints the table for benchmarks/RESULTS.md.

`--calibrate` fits the tails of `align_audio` instead: on other packages than those that are reported on.
"""

import argparse
import hashlib
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus
from sordino.fingerprints import audio, index, verify_audio
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import AudioPrint, Match
from sordino.fingerprints.params import AudioParams, VideoParams, stamp
from sordino.monitor.corpus import default_cache
from sordino.pipelines.analyse import analyse

PARAMS = AudioParams()
RATE = PARAMS.sample_rate
QUERY_S = 10.0
LEVEL = 0.1  # RMS
QUIET = 1e-3  # RMS of the excerpt as it is in the file: there is no music to find below this
ROWS: tuple[float | None, ...] = (None, 0.0, -6.0, -12.0, -15.0)  # dB of the music against the speech
HELD_OUT = 4  # every fourth track of a package is never registered


@dataclass(frozen=True)
class Query:
    """Ten seconds of sound; `track` is what sounds in it, from `start_s`."""

    sound: NDArray[np.float32]
    track: Path | None
    start_s: float = 0.0


def decoded(path: Path, start_s: float = 0.0, length_s: float | None = None) -> NDArray[np.float32]:
    """Return a file's sound, mono at 16 kHz."""
    bare = ["-f", "g722"] if path.suffix == ".g722" else []
    cut = ["-ss", f"{start_s}"] if start_s else []
    cut += ["-t", f"{length_s}"] if length_s else []
    command = ["ffmpeg", "-v", "error", "-nostdin", *bare, *cut, "-i", f"file:{path}"]
    command += ["-ac", "1", "-ar", f"{RATE}", "-f", "s16le", "-"]
    pcm = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)


def prints(paths: Sequence[Path]) -> dict[Path, AudioPrint]:
    """Return each file's reference print; kept in the cache, under the parameters' stamp."""
    folder = default_cache().parent / "prints" / stamp(PARAMS, VideoParams())
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for path in paths:
        kept = folder / (hashlib.sha256(str(path).encode()).hexdigest()[:24] + ".npz")
        if not kept.exists():
            pcm = decoded(path)
            new = audio.reference_print(pcm, PARAMS)
            np.savez(kept, duration_s=len(pcm) / RATE, frames=new.frames, bands=new.bands)
        held = np.load(kept)
        made[path] = AudioPrint(PARAMS, float(held["duration_s"]), held["frames"], held["bands"])
    return made


class Speech:
    """Real speech without end: clips of one split, in random order, each at the same level."""

    def __init__(self, split: corpus.Split, rng: np.random.Generator, n_clips: int = 300) -> None:
        clips = corpus.speech(split)
        chosen = rng.permutation(len(clips))[:n_clips]
        sounds = [decoded(clips[k]) for k in chosen]
        voiced = [s / rms(s) * LEVEL for s in sounds if len(s) > RATE and rms(s) > QUIET]
        self._sound = np.concatenate(voiced)
        self._rng = rng

    def take(self, n: int) -> NDArray[np.float32]:
        """Return `n` samples from somewhere."""
        start = self._rng.integers(0, len(self._sound) - n)
        return self._sound[start : start + n]


def rms(sound: NDArray[np.float32]) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(sound**2))) if len(sound) else 0.0


def queries(
    tracks: Sequence[Path], n: int, db: float | None, voice: Speech, rng: np.random.Generator
) -> Iterator[Query]:
    """Yield excerpts of random tracks, under speech where `db` says how far."""
    length = round(QUERY_S * RATE)
    while n:
        track = tracks[int(rng.integers(len(tracks)))]
        longest_s = prints([track])[track].duration_s - QUERY_S
        start_s = float(rng.uniform(0, max(longest_s, 0)))
        music = decoded(track, start_s, QUERY_S)
        if len(music) < length * 0.99 or rms(music) < QUIET:
            continue
        music = np.resize(music, length) / rms(music) * LEVEL
        mixed = music if db is None else voice.take(length) + music * 10 ** (db / 20)
        yield Query((mixed / np.abs(mixed).max() * 0.7).astype(np.float32), track, start_s)
        n -= 1


def plain_negatives(n: int, voice: Speech, rng: np.random.Generator) -> Iterator[Query]:
    """Yield speech alone, noise, silence and tones."""
    length = round(QUERY_S * RATE)
    t = np.arange(length) / RATE
    for k in range(n):
        tones = sum(np.sin(2 * np.pi * f * t) for f in rng.uniform(100, 3000, 4))
        sounds = [voice.take(length), 0.1 * rng.standard_normal(length), np.zeros(length), 0.05 * np.asarray(tones)]
        yield Query(np.asarray(sounds[k % 4], np.float32), None)


def encoded(query: Query, folder: Path) -> Path:
    """Write a query as a platform would get it: AAC at 96 kbit/s in an MP4."""
    path = folder / "query.mp4"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "f32le", "-ar", f"{RATE}", "-ac", "1", "-i", "-"]
    command += ["-c:a", "aac", "-b:a", "96k", str(path)]
    subprocess.run(command, input=query.sound.tobytes(), check=True)
    return path


def split_tracks(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return references and held-out tracks; files of one recording stay together."""
    same = corpus.duplicates()
    held = {p for k, p in enumerate(paths) if k % HELD_OUT == 0 and corpus.name_of(p) not in same}
    return [p for p in paths if p not in held], sorted(held)


def calibrate(n: int) -> None:
    """Print the tails as fitted on the packages that thresholds are set on."""
    rng = np.random.default_rng(1)
    references = prints(corpus.music("tune") + corpus.music("report"))
    table = index.build(list(references.values()), PARAMS)
    hours = sum(p.duration_s for p in references.values()) / 3600
    voice, strange = Speech("operate", rng), corpus.music("operate")
    scores: dict[str, list[NDArray[np.float64]]] = {"OUTSTANDING": [], "SEARCHED": [], "EXPECTED": []}
    for db in (None, None, 0.0, -6.0, -12.0):
        for query in queries(strange, n // 5, db, voice, rng):
            _score(query, table, rng, scores)
    print(f"{len(scores['SEARCHED'])} windows without any of the {len(references)} references ({hours:.1f} h)")
    for name, values in scores.items():
        more = 0.0 if name == "EXPECTED" else max(0.0, math.log10(hours / verify_audio.SEARCHED_HOURS))
        for kind, column in zip(("whole", "run"), np.array(values).T, strict=True):
            threshold = float(np.quantile(column, 0.9))
            decade = float((column[column > threshold] - threshold).mean()) * math.log(10)
            top = ", ".join(f"{s:.1f}" for s in np.sort(column)[::-1][:8])
            print(f"{name} {kind}: Tail({threshold - decade * (1 + more):.2f}, {decade:.2f}); largest: {top}")


def _score(
    query: Query, table: index.AudioIndex, rng: np.random.Generator, scores: dict[str, list[NDArray[np.float64]]]
) -> None:
    """Add the deviations that the search reaches, and those of a few poses that are as wrong."""
    first, part = next(verify_audio.windows(audio.query_print(query.sound, PARAMS)))
    chance = verify_audio.chance(part.contrast, table)
    window = verify_audio.Window(part.contrast, first, table, chance)
    found = index.candidates(index.vote(table, part.landmarks), verify_audio.CANDIDATES)
    rows = verify_audio.verify(part.contrast, table, found, verify_audio.JITTER, 0)
    best = window.deviations(rows).max(axis=0) if len(rows) else np.zeros(2)
    scores["SEARCHED"].append(best)
    scores["OUTSTANDING"].append(best - verify_audio.others_reach(rows[:, 0], window.deviations(rows)))
    some = rng.integers(0, int(table.bases[-1]), 5)
    rows = verify_audio.verify(part.contrast, table, some, verify_audio.EXPECTED_JITTER, 0)
    scores["EXPECTED"].extend(window.deviations(rows))


@dataclass
class Row:
    """What came of one row of queries."""

    name: str
    n: int = 0
    found: int = 0
    sure: int = 0
    wrong: int = 0
    wrong_sure: int = 0
    placed: int = 0
    cpu_s: float = 0.0

    def line(self) -> str:
        """Return the row in Markdown."""
        share = f"{self.found / self.n:.3f} | {self.sure / self.n:.3f}" if self.found else "- | -"
        placed = f"{self.placed / self.found:.3f}" if self.found else "-"
        return (
            f"| {self.name} | {self.n} | {share} | {placed} | {self.wrong} | {self.wrong_sure} "
            f"| {1000 * self.cpu_s / self.n:.0f} |"
        )


def report(n: int, sure: float) -> None:
    """Print the table."""
    rng = np.random.default_rng(2)
    references, held = split_tracks(corpus.music("report"))
    voice = Speech("report", rng)
    strangers = held + corpus.music("operate")
    same = corpus.duplicates()
    with tempfile.TemporaryDirectory() as scratch:
        catalogue = Catalogue.open(Path(scratch) / "catalogue")
        for path, made in prints(references).items():
            catalogue.add(str(path), made, None)
        catalogue.save()
        packages = sorted({corpus.name_of(p).split("/")[0] for p in references})
        print(f"{len(references)} references, {catalogue.hours()[0]:.1f} h, of {', '.join(packages)}; sure: {sure:g}\n")
        print("| query | n | found | found, sure | of these in place | wrong | wrong, sure | CPU ms |")
        print("|---|---|---|---|---|---|---|---|")
        for db in ROWS:
            name = "music alone" if db is None else f"music {db:+g} dB under speech"
            row = Row(name)
            for query in queries(references, n, db, voice, rng):
                _judge(row, query, _answer(query, catalogue, Path(scratch), row), same, sure)
            print(row.line(), flush=True)
        for db in (None, 0.0, -6.0, -12.0):
            row = Row("other music alone" if db is None else f"other music {db:+g} dB under speech")
            for query in queries(strangers, n, db, voice, rng):
                _judge(row, query, _answer(query, catalogue, Path(scratch), row), same, sure)
            print(row.line(), flush=True)
        row = Row("speech, noise, silence, tones")
        for query in plain_negatives(n, voice, rng):
            _judge(row, query, _answer(query, catalogue, Path(scratch), row), same, sure)
        print(row.line())


def _answer(query: Query, catalogue: Catalogue, folder: Path, row: Row) -> Sequence[Match]:
    path = encoded(query, folder)
    before = time.process_time()
    matches = analyse(path, catalogue).matches
    row.cpu_s += time.process_time() - before
    return matches


def _judge(row: Row, query: Query, matches: Sequence[Match], same: dict[str, str], sure: float) -> None:
    name = corpus.name_of(query.track) if query.track else ""
    group = {name, *(n for n, g in same.items() if same.get(name) == g)}
    mine = [m for m in matches if corpus.name_of(Path(m.reference_id)) in group]
    other = [m for m in matches if m not in mine]
    row.n += 1
    row.wrong += bool(other)
    row.wrong_sure += any(m.log10_false_positive <= sure for m in other)
    row.found += bool(mine)
    row.sure += any(m.log10_false_positive <= sure for m in mine)
    row.placed += bool(mine) and abs(mine[0].query.start_s) <= 1 and abs(mine[0].query.end_s - QUERY_S) <= 1
    for m in other:
        told = f"{name} taken for {corpus.name_of(Path(m.reference_id))}"
        print(f"{row.name}: {told}, 10^{m.log10_false_positive:.1f}, score {m.score:.1f}", file=sys.stderr)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("-n", type=int, default=100, help="queries a row")
    parser.add_argument("--sure", type=float, default=-4.0, help="log10 of the chance at which a match is acted on")
    arguments = parser.parse_args()
    if arguments.calibrate:
        calibrate(arguments.n)
    else:
        report(arguments.n, arguments.sure)


if __name__ == "__main__":
    main()
