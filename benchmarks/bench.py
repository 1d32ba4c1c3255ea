"""The bench of the audio benchmarks: registered tracks, and rows of queries that are looked up among them."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus, peers
from benchmarks.costs import say
from benchmarks.judge import Judge, Outcome, Segment
from benchmarks.rows import Row, Stage, negatives, positives
from benchmarks.sounds import PARAMS, RATE, Speech, prints, queries, split_tracks
from benchmarks.transforms import coded
from sordino.fingerprints.audio import query_print
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import AudioQuery, Match, Span
from sordino.monitor import process, timeline
from sordino.pipelines import messages

WARM_UP = 5  # queries
BATCH = 10  # queries that are encoded and decoded together


@dataclass(frozen=True)
class Bench:
    """All that measuring takes; each process has its own."""

    catalogue: Catalogue
    peer: peers.Prints
    stage: Stage
    judge: Judge

    def measure(self, row: Row, numbers: Sequence[int]) -> list[Outcome]:
        """Make, encode, decode and look up some of a row's queries; one outcome each for each of `row.after`."""
        asked = [row.query(self.stage, k) for k in numbers]
        pieces = [np.array_split(query.sound, max(row.after)) for query in asked]
        sounds = iter(coded([piece for mine in pieces for piece in mine], row.codec))
        outcomes = []
        for k, query, mine in zip(numbers, asked, pieces, strict=True):
            segments = self._stream([next(sounds) for _ in mine])
            outcomes += [self.judge.outcome(row.title(after), k, query, segments[:after]) for after in row.after]
        return outcomes

    def _stream(self, sounds: Sequence[NDArray[np.int16]]) -> list[Segment]:
        """Look up consecutive segments, expecting in each what was found before, as the product does."""
        segments: list[Segment] = []
        episodes: list[timeline.Episode] = []
        for k, sound in enumerate(sounds):
            message = _message(k, len(sound) / RATE)
            expected = process._expected(episodes, message)
            matches, cpu_ms = self.find(query_print(sound, PARAMS), expected)
            episodes = timeline.extend(episodes, message, matches)
            span = Span(message.start_s, message.start_s + message.duration_s)
            segments.append(Segment(span, tuple(matches), cpu_ms, self.peer.errors(sound)))
        return segments

    def find(self, sound: AudioQuery, expected: Sequence[Match] = ()) -> tuple[list[Match], float]:
        """Return the matches, and the CPU time that the lookup took, in milliseconds."""
        before = time.process_time()
        matches = self.catalogue.find(sound, None, expected)
        return matches, 1000 * (time.process_time() - before)


def _message(k: int, length_s: float) -> messages.Segment:
    media = messages.Media(uri="file:///benchmark")
    return messages.Segment(stream_id="benchmark", sequence=k, start_s=k * length_s, duration_s=length_s, media=media)


@lru_cache(maxsize=1)
def opened(folder: Path) -> Bench:
    """Open the bench whose catalogue is in `folder`; kernels are compiled and pages read before anything is timed."""
    known, strange = split_tracks(corpus.music("report"))
    voice = Speech("report", np.random.default_rng(2))
    stage, judge = Stage(known, strange, voice), Judge(known, corpus.duplicates(), corpus.versions())
    bench = Bench(Catalogue.open(folder), peers.Prints.of(known), stage, judge)
    for query in queries(known, WARM_UP, None, voice, np.random.default_rng(0)):
        bench.find(query_print(query.sound, PARAMS))
    return bench


def register(folder: Path) -> str:
    """Register the tracks that are to be found in a new catalogue; return what they are."""
    known, strange = split_tracks(corpus.music("report"))
    catalogue = Catalogue.open(folder)
    for path, made in prints(known).items():
        catalogue.add(str(path), made, None)
    catalogue.save()
    peers.Prints.of(known)  # so that they are in the cache before several processes ask
    packages = sorted({corpus.name_of(path).split("/")[0] for path in known})
    hours = catalogue.hours()[0]
    return f"{len(known)} references, {hours:.1f} h, of {', '.join(packages)}; {len(strange)} tracks held out"


def _batch(folder: Path, name: str, numbers: Sequence[int]) -> list[Outcome]:
    row = next(row for row in [*negatives(), *positives()] if row.name == name)
    return opened(folder).measure(row, numbers)


def outcomes(folder: Path, rows: Sequence[Row], n: int, workers: int) -> Iterator[tuple[Row, list[Outcome]]]:
    """Yield each row with what came of its queries."""
    batches = [(row, range(k, min(k + BATCH, n))) for row in rows for k in range(0, n, BATCH)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        arguments = [folder] * len(batches), [row.name for row, _ in batches], [numbers for _, numbers in batches]
        made = (pool.map if workers > 1 else map)(_batch, *arguments)
        done: list[Outcome] = []
        for (row, numbers), some in zip(batches, made, strict=True):
            done += some
            if numbers[-1] == n - 1:
                say(f"{row.name}: {n} queries")
                yield row, done
                done = []
