"""
How well a registered song is taken out from under a voice. `python -m benchmarks.erase` prints the table.

Everything is of the split `report`; the eraser was tuned on `tune`. Levels, stretches and errors of the match are
random and seeded.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from benchmarks import corpus, mixtures
from benchmarks.bench import register
from benchmarks.costs import circumstances, say
from benchmarks.mixtures import (
    AAC_64,
    AAC_64_MONO,
    OPUS_48,
    RATE,
    TWICE,
    TWICE_MONO,
    Recipe,
    Sound,
    ducked,
    equalised,
    roomy,
    widened,
)
from benchmarks.sounds import PARAMS
from sordino.fingerprints.audio import query_print
from sordino.fingerprints.catalogue import Catalogue
from sordino.pipelines.downmix import Downmix
from sordino.pipelines.remedies.erase import Outcome, erase

try:
    from pystoi import stoi
except ImportError:  # its column stays empty
    stoi = None

BLOCK = 4096


@dataclass(frozen=True)
class Row:
    """A row of the table: mixtures of one kind, and the SI-SDR in dB that they should reach."""

    name: str
    recipe: Recipe
    target_db: float | None = None


ROWS = (
    Row("0 dB, AAC 128k", Recipe(), 20),
    Row("-6 dB, AAC 128k", Recipe(-6)),
    Row("-12 dB, AAC 128k", Recipe(-12)),
    Row("0 dB, AAC 64k, mono", Recipe(codecs=AAC_64_MONO), 17),
    Row("0 dB, AAC 64k, stereo", Recipe(codecs=AAC_64), 17),
    Row("0 dB, AAC 128k, then 64k, mono", Recipe(codecs=TWICE_MONO), 17),
    Row("0 dB, AAC 128k, then 64k, stereo", Recipe(codecs=TWICE), 17),
    Row("0 dB, Opus 48k, stereo", Recipe(codecs=OPUS_48)),
    Row("0 dB, speed +4 %", Recipe(speed=1.04), 15),
    Row("0 dB, speed -4 %", Recipe(speed=0.96), 15),
    Row("0 dB, ducked", Recipe(effect=ducked), 15),
    Row("0 dB, equalised", Recipe(effect=equalised)),
    Row("0 dB, stereo width", Recipe(effect=widened)),
    Row("0 dB, in a room", Recipe(effect=roomy)),
    Row("0 dB, starts and stops", Recipe(inside=True)),
)


@dataclass(frozen=True)
class Erased:
    """What came of a mixture: SI-SDR of the voice in dB, STOI, what the eraser says, is the song still found."""

    before_db: float
    after_db: float
    limit_db: float
    intelligible: float | None
    outcome: Outcome
    found_before: bool
    found_after: bool
    speed: float


def si_sdr(voice: Sound, heard: Sound) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB (Le Roux et al., 2019)."""
    target, estimate = voice.ravel().astype(np.float64), heard.ravel().astype(np.float64)
    target *= (estimate @ target) / (target @ target)
    return float(10 * np.log10((target @ target) / ((estimate - target) @ (estimate - target))))


@lru_cache(maxsize=1)
def _catalogue(folder: Path) -> Catalogue:
    return Catalogue.open(folder)


def _measured(folder: Path, name: str, k: int) -> Erased:
    row = next(row for row in ROWS if row.name == name)
    mixed = mixtures.mixture(row.recipe, "report", np.random.default_rng([k, ROWS.index(row)]))
    outcomes: list[Outcome] = []
    before = time.process_time()
    blocks = (mixed.heard[at : at + BLOCK] for at in range(0, len(mixed.heard), BLOCK))
    erased = np.concatenate(list(erase(blocks, RATE, [mixed.song], outcomes)))
    taken_s = time.process_time() - before
    intelligible = stoi(mixed.voice.mean(axis=1), erased.mean(axis=1), RATE) if stoi else None
    return Erased(
        si_sdr(mixed.voice, mixed.heard),
        si_sdr(mixed.voice, erased),
        si_sdr(mixed.voice, mixed.heard - mixed.music),
        intelligible,
        outcomes[0],
        _found(folder, mixed.heard, mixed.song.path),
        _found(folder, erased, mixed.song.path),
        mixtures.LENGTH_S / taken_s,
    )


def _found(folder: Path, heard: Sound, track: Path) -> bool:
    slow = scipy.signal.resample_poly(heard, PARAMS.sample_rate, RATE, axis=0).astype(np.float32)
    mixing = Downmix(PARAMS.sample_rate)
    pcm: NDArray[np.int16] = np.concatenate([mixing.push(slow), mixing.finish()])
    matches = _catalogue(folder).find(query_print(pcm, PARAMS), None)
    return any(match.reference_id == str(track) for match in matches)


def line(row: Row, made: Sequence[Erased]) -> str:
    """Return a row of the table."""
    after = np.array([one.after_db for one in made])
    mean = f"{after.mean():.1f}"
    cells = [
        row.name,
        str(len(made)),
        f"{np.mean([one.before_db for one in made]):.1f}",
        f"**{mean}**" if row.target_db and after.mean() < row.target_db else mean,
        f"{row.target_db:g}" if row.target_db else "",
        f"{np.quantile(after, 0.1):.1f}",
        f"{np.mean([one.limit_db for one in made]):.1f}",
        str(sum(one.after_db < one.before_db - 0.05 for one in made)),
        f"{np.mean([one.intelligible for one in made if one.intelligible is not None]):.3f}" if stoi else "-",
        f"{np.median([one.outcome.suppression_db for one in made]):.1f}",
        f"{np.mean([one.outcome.ok for one in made]):.2f}",
        _gone(made),
        f"{np.median([one.speed for one in made]):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _gone(made: Sequence[Erased]) -> str:
    found = [one for one in made if one.found_before]
    return f"{sum(not one.found_after for one in found)} of {len(found)}"


COLUMNS = (
    "mixture",
    "n",
    "SI-SDR before",
    "after",
    "target",
    "worst tenth",
    "codec's own",
    "worse than before",
    "STOI",
    "suppression told",
    "offered",
    "not found again, of found",
    "times real time",
)
HEADER = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def _rows(folder: Path, rows: Sequence[Row], n: int, workers: int) -> Iterator[tuple[Row, list[Erased]]]:
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for row in rows:
            made = list(pool.map(_measured, [folder] * n, [row.name] * n, range(n)))
            say(f"{row.name}: {n} mixtures")
            yield row, made


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("-n", type=int, default=40, help="mixtures a row")
    parser.add_argument("--rows", default="", help="only rows whose name has this in it")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    print("# Songs taken out from under a voice\n")
    print("\n".join(circumstances("benchmarks.erase", sys.argv[1:])))
    corpus.speech("report")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(f"- {register(folder)}\n\n{HEADER}", flush=True)
        chosen = [row for row in ROWS if arguments.rows.lower() in row.name.lower()]
        for row, made in _rows(folder, chosen, arguments.n, arguments.workers):
            print(line(row, made), flush=True)


if __name__ == "__main__":
    main()
