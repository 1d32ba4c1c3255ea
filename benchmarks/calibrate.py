"""Fit the tails of `verify_audio`, on other packages than are reported on: `python -m benchmarks.calibrate`."""

import argparse
import math

import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus
from benchmarks.sounds import PARAMS, Query, Speech, prints, queries
from sordino.fingerprints import audio, index, verify_audio


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


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip())
    parser.add_argument("-n", type=int, default=100, help="windows")
    calibrate(parser.parse_args().n)


if __name__ == "__main__":
    main()
