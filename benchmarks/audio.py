"""
How well: songs under speech, on real media. `python -m benchmarks.audio` prints the table for benchmarks/RESULTS.md.

Everything is of the split `report`: nothing was tuned, and no threshold was set, on its music and speech. `--rows`
picks rows, `--json` writes what came of each query; `--reliability` checks the calibration instead.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from benchmarks import reliability, table
from benchmarks.bench import outcomes, register
from benchmarks.costs import circumstances, say
from benchmarks.judge import Outcome
from benchmarks.rows import negatives, positives


def report(folder: Path, n: int, wanted: str, workers: int, out: TextIO | None) -> None:
    """Print the tables: negatives first, as they say where no negative passes."""
    print(f"{table.LEGEND}\n")
    strict, refused = table.Strict(), list[Outcome]()
    for heading, rows in (("Nothing to be found", negatives()), ("Songs to be found", positives())):
        chosen = [row for row in rows if wanted.lower() in row.name.lower()]
        print("\n".join([f"## {heading}\n", *table.header()]), flush=True)
        for row, made in outcomes(folder, chosen, n, workers):
            for after, target in zip(row.after, row.targets, strict=True):
                mine = [o for o in made if o.row == row.title(after)]
                print(table.line(row.title(after), mine, strict, target, row.ends_target), flush=True)
            refused += made if row.negative else []
            _write(made, out)
        if refused and heading == "Nothing to be found":
            strict = table.Strict.of(refused)
            print(f"\n{table.negatives(refused, strict)}\n")


def _write(made: Sequence[Outcome], out: TextIO | None) -> None:
    for outcome in made:
        if outcome.mistaken_for:
            heard = " and ".join(outcome.tracks) or outcome.stranger or "no music"
            say(f"{outcome.row} {outcome.k}: {heard} taken for {outcome.mistaken_for}, 10^{outcome.wrong}")
        if out:
            print(outcome.as_json(), file=out, flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("-n", type=int, default=150, help="queries a row")
    parser.add_argument("--rows", default="", help="only rows whose name has this in it")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--json", type=argparse.FileType("w"), help="a file for what came of each query, a line each")
    parser.add_argument("--reliability", type=int, metavar="N", help="check the calibration on N negative windows")
    arguments = parser.parse_args()
    print("# Songs under speech\n")
    print("\n".join(circumstances("benchmarks.audio", sys.argv[1:])))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(f"- {register(folder)}\n", flush=True)
        if arguments.reliability:
            reliability.report(folder, arguments.reliability, arguments.workers)
        else:
            report(folder, arguments.n, arguments.rows, arguments.workers, arguments.json)


if __name__ == "__main__":
    main()
