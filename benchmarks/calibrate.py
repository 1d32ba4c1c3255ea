"""
Fit the tails of `search_audio`, on other packages than are reported on: `python -m benchmarks.calibrate`.

References are the music of the split `tune` and of half of the packages of `operate`; windows without them are the
music of the other half, and every fourth track of the first (of the same composers), alone and under speech.
"""

import argparse
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus
from benchmarks.costs import say
from benchmarks.sounds import HELD_OUT, PARAMS, Query, Speech, prints, queries
from sordino.fingerprints import audio, index, search_audio, verify_audio
from sordino.fingerprints.search_audio import AS_RECORDED, CHANGED, EXPECTED_JITTER, References, Search

KNOWN = ("naev-data", "nexuiz-music", "hedgewars-data")  # of the split `operate`: registered, but every fourth track
LEVELS: tuple[float | None, ...] = (None, None, 0.0, -6.0, -12.0)  # dB of the music against the speech
POSES = 5  # of each window, that are as wrong as any, for what an expected pose reaches by chance
FROM = 0.9  # the quantile from which on the tail is fitted
VERSIONS = 0.995  # ... and to which: beyond are other versions of registered pieces, which nobody lists

Scores = dict[str, list[NDArray[np.float64]]]


def gathered(n: int) -> tuple[Scores, float]:
    """Return the deviations of the best wrong candidate of `n` windows, and the hours that were searched."""
    operate = corpus.music("operate")
    known = [path for path in operate if corpus.name_of(path).split("/")[0] in KNOWN]
    registered = corpus.music("tune") + [path for k, path in enumerate(known) if k % HELD_OUT]
    strange = [path for path in operate if path not in set(registered)]
    references = References((index.build(list(prints(registered).values()), PARAMS),))
    rng = np.random.default_rng(1)
    voice = Speech("operate", rng)
    scores: Scores = {}
    for db in LEVELS:
        for k, query in enumerate(queries(strange, n // len(LEVELS), db, voice, rng)):
            if k % 50 == 0:
                say(f"{'alone' if db is None else db}: {k} of {n // len(LEVELS)}")
            for name, deviations in _scores(query, references, rng):
                scores.setdefault(name, []).append(deviations)
    print(f"{n} windows without any of the {len(registered)} references ({references.hours:.1f} h)")
    return scores, references.hours


def _scores(
    query: Query, references: References, rng: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield the deviations that both kinds of search reach, and those of a few poses that are as wrong."""
    for window in search_audio.windows(audio.query_print(query.sound, PARAMS), references):
        for name, how in (("AS_RECORDED", AS_RECORDED), ("CHANGED", CHANGED)):
            yield from _reached(name, window, references, how)
        (table,) = references.indexes
        poses = np.stack([rng.uniform(0, float(table.bases[-1]), POSES), np.ones(POSES), np.zeros(POSES)], axis=1)
        for row in window.deviations(verify_audio.verify(window.salient, table, poses, EXPECTED_JITTER)):
            yield "EXPECTED", row


def _reached(
    name: str, window: search_audio.Window, references: References, how: Search
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    rows = search_audio.candidates(window, references, how)
    if len(rows):
        deviations = window.deviations(rows)
        best = deviations.max(axis=0)
        yield f"{name} alone", best
        yield f"{name} outstanding", best - search_audio.others_reach(rows["reference"], deviations, window.wider)


def fitted(column: NDArray[np.float64], more: float) -> tuple[float, float]:
    """Return `at` and `decade` of an exponential tail; `more` decades of chance are added by the hours searched."""
    ordered = np.sort(column)
    low, high = (ordered[int(q * len(ordered))] for q in (FROM, VERSIONS))
    above = ordered[ordered > low]
    # the mean excess of what is cut off at the top is at least that of the cut: the usual censored estimate
    mean = (np.minimum(above, high) - low).sum() / max(1, (above < high).sum())
    decade = float(mean) * math.log(10)
    return float(low) + decade * (math.log10(1 - FROM) - more), decade


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("-n", type=int, default=1000, help="windows")
    parser.add_argument("--save", help="write the deviations to this .npz")
    arguments = parser.parse_args()
    scores, hours = gathered(arguments.n)
    for name, values in scores.items():
        more = 0.0 if name == "EXPECTED" else max(0.0, math.log10(hours / search_audio.SEARCHED_HOURS))
        for kind, column in zip(("whole", "run"), np.array(values).T, strict=True):
            at, decade = fitted(column, more)
            top = ", ".join(f"{s:.1f}" for s in np.sort(column)[::-1][:12])
            print(f"{name} {kind}: Tail({at:.2f}, {decade:.2f}); largest: {top}")
    if arguments.save:
        columns = {name.replace(" ", "_"): np.array(values) for name, values in scores.items()}
        np.savez(arguments.save, allow_pickle=False, **columns)


if __name__ == "__main__":
    main()
