"""
How well: copied pictures, on real videos. `python -m benchmarks.video` prints the tables for benchmarks/RESULTS.md.

Clips of real videos, changed as copies are and encoded, are looked up among five hours of other pictures, as the
product does; then segments in which nothing is to be found; then what it costs. `--rows` picks changes by pieces of
their names, `--json` writes what was drawn for each query and what came of it, `--sheets` draws contact sheets.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import cv2

from benchmarks import clips, distractors, sheets, unrelated, video_costs, video_peers, video_table
from benchmarks.clips import Query
from benchmarks.costs import circumstances, say
from benchmarks.pictures import Picture
from benchmarks.rendering import Clip, Row
from benchmarks.sheets import Pair
from benchmarks.video_judge import Judge, Outcome
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import Match
from sordino.pipelines import analyse

SECTIONS = ("clips", "hot", "negatives", "costs")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
FILM = "bbb.mp4"
MOST_FALSE = 1  # of the negatives
NEAREST = 12  # of those that were refused, shown


class Stopwatch(Catalogue):
    """A catalogue that notes the CPU time that finding took."""

    found_ms = 0.0

    def find(self, *query: Any, **more: Any) -> list[Match]:
        """Find, as a catalogue does."""
        before = time.process_time()
        matches = super().find(*query, **more)
        self.found_ms = 1000 * (time.process_time() - before)
        return matches


@dataclass(frozen=True)
class Bench:
    """All that measuring takes."""

    catalogue: Stopwatch
    folder: Path
    sheets: Path | None
    out: TextIO | None
    peers: bool
    judge: Judge = field(default_factory=lambda: Judge(clips.WORKS))

    def outcome(self, row: Row, clip: Clip, k: int) -> tuple[Query, Outcome]:
        """Look a query up."""
        query = clips.query(row, clip, k)
        matches = analyse.analyse(query.path, self.catalogue).matches
        peers = video_peers.asked(query, clip.video.path) if self.peers else {}
        cpu_ms = self.catalogue.found_ms
        return query, self.judge.outcome(row.name, k, query.truth, query.parameters, matches, cpu_ms, peers)

    def row(self, row: Row, chosen: Sequence[Clip]) -> list[Outcome]:
        """Look all queries of a row up; draw its sheet."""
        made = [self.outcome(row, clip, k) for k, clip in enumerate(chosen)]
        for _, outcome in made:
            if self.out:
                print(outcome.as_json(), file=self.out, flush=True)
        if self.sheets:
            worst_first = sorted(made, key=lambda m: (m[1].found, not m[1].wrong, m[1].iou))
            sheets.write(self.sheets / sheets.named(row.name), [pair for m in worst_first for pair in pairs(*m)])
        return [outcome for _, outcome in made]


def pairs(query: Query, outcome: Outcome) -> Iterator[Pair]:
    """Yield a hit or a miss, and what the query was mistaken for."""
    truth, right = outcome.truth, outcome.right
    middle_s = (truth.query.start_s + truth.query.end_s) / 2
    there_s = (truth.reference.start_s + truth.reference.end_s) / 2
    text = [f"{outcome.k}: {truth.video} {there_s:.1f} s", "missed"]
    if right:
        ends = f"{right.query.start_s - truth.query.start_s:+.2f} {right.query.end_s - truth.query.end_s:+.2f} s"
        text[1] = f"found; ends {ends}; IoU {outcome.iou:.2f}; score {right.score:g}"
    picture = sheets.frame_at(query.path, round(middle_s * query.rate))
    reference = distractors.picture_at(truth.video, there_s, list(clips.videos().values()))
    colour = (255, 255, 255) if right else sheets.MISSED
    yield Pair(picture, truth.region, right.region if right else None, reference, text, colour)
    wrong = {reference_id for reference_id, _ in outcome.wrong}
    for match in outcome.matches:
        if match.reference_id in wrong:
            picture = sheets.frame_at(query.path, round(_middle_s(match) * query.rate))
            yield mistaken(picture, match, f"{outcome.k}: {truth.video}")


def mistaken(picture: Picture, match: Match, name: str) -> Pair:
    """Return a false match as a pair."""
    span = match.reference
    reference = distractors.picture_at(
        match.reference_id, (span.start_s + span.end_s) / 2, list(clips.videos().values())
    )
    text = [name, f"is not {match.reference_id}; score {match.score:g}, 10^{match.log10_false_positive:.1f}"]
    return Pair(picture, None, match.region, reference, text, sheets.WRONG)


def _middle_s(match: Match) -> float:
    return (match.query.start_s + match.query.end_s) / 2


def positives(bench: Bench, n: int, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the table of changes, then every miss."""
    chosen = clips.clips(n)
    names = Counter(clip.video.name for clip in chosen)
    shares = ", ".join(f"{name} {count}" for name, count in names.most_common())
    lengths = [clip.span.duration_s for clip in chosen]
    yield f"{n} clips of {min(lengths):.1f} to {max(lengths):.1f} s from {len(names)} videos: {shares}. Before, after,"
    yield f"around and over them: {', '.join(clips.STRANGE)}.\n\n{video_table.LEGEND}\n"
    yield from video_table.header()
    outcomes: list[Outcome] = []
    for row in rows:
        made = bench.row(row, chosen)
        say(f"{row.name}: {sum(o.found for o in made)} of {len(made)}")
        outcomes += made
        yield video_table.line(row.name, made, row.target)
    yield from video_table.total(outcomes)
    yield "\nMissed, or taken for another work:\n"
    yield from (f"- {text}" for text in video_table.missed(outcomes))
    sure = [o.right.log10_false_positive for o in outcomes if o.right]
    yield f"\nThe least sure right match: 10^{max(sure):.2f}." if sure else "\nNothing was found."


def negatives(bench: Bench, n: int) -> Iterator[str]:
    """Yield how many segments were mistaken, and which."""
    all_ = unrelated.spread(list(unrelated.segments()), n)
    kinds = Counter(segment.kind for segment in all_)
    made: list[unrelated.Mistake] = []
    with unrelated.lenient() as strict:
        for first in range(0, len(all_), 100):
            made += unrelated.mistakes(all_[first : first + 100], bench.catalogue, bench.judge)
            say(f"negatives: {min(first + 100, len(all_))} of {len(all_)}")
    made.sort(key=lambda m: m.match.log10_false_positive)
    false = [m for m in made if m.match.log10_false_positive <= strict]
    yield f"{len(all_)} segments, {len(_segments(false))} with a false match; at most {MOST_FALSE} is allowed.\n"
    yield "| segments | n | with a false match | with one of the same footage, turned |\n|---|---|---|---|"
    for kind, count in kinds.items():
        mine = [m for m in false if m.segment.kind == kind]
        yield f"| {kind} | {count} | {len(_segments(mine))} | {len(_segments([m for m in mine if m.same_footage]))} |"
    yield "\n| chance as told, at most | segments with such a match | expected |\n|---|---|---|"
    for chance in (-1, -2, -3, -4, -6):
        n_likely = len(_segments([m for m in made if m.match.log10_false_positive <= chance]))
        yield f"| 10^{chance} | {n_likely} | {len(all_) * 10**chance:.3g} |"
    yield ""
    yield from (f"- false: {mistake}" for mistake in false)
    yield from (f"- near: {mistake}" for mistake in made[len(false) :][:NEAREST])
    yield "" if made else f"Nothing came near: no match is told to be less likely than 10^{unrelated.NEAR}."
    if bench.sheets:
        shown = made[: len(false) + NEAREST]
        drawn = [mistaken(m.segment.picture(_middle_s(m.match)), m.match, m.segment.name) for m in shown]
        sheets.write(bench.sheets / "false.png", drawn)


def hot(bench: Bench, n: int) -> Iterator[str]:
    """Yield how much smaller an inset of a hot reference may be, and how many segments are mistaken then."""
    catalogue = Stopwatch.open(bench.folder / "hot")
    assert isinstance(catalogue, Stopwatch)
    distractors.heated(bench.catalogue, catalogue)
    yield from video_table.header()
    for row in clips.SMALL_ROWS:
        for heat, among in (("", bench.catalogue), (", hot", catalogue)):
            made = replace(bench, catalogue=among, peers=False, sheets=None).row(row, clips.clips(n))
            say(f"{row.name}{heat}: {sum(o.found for o in made)} of {len(made)}")
            yield video_table.line(row.name + heat, made, row.target)
    all_ = list(unrelated.encoded())
    false = list(unrelated.mistakes(all_, catalogue, bench.judge))
    yield f"\n{len(all_)} encoded segments that show none of them: {len(_segments(false))} with a false match.\n"
    yield from (f"- false: {mistake}" for mistake in false)


def _segments(some: Sequence[unrelated.Mistake]) -> set[str]:
    return {f"{m.segment.kind}: {m.segment.name}" for m in some}


def _sections(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := set(chosen) - set(SECTIONS):
        raise argparse.ArgumentTypeError(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    return chosen


def report(bench: Bench, arguments: argparse.Namespace, index: Path) -> Iterator[str]:
    """Yield the sections that are asked for, as Markdown."""
    if "clips" in arguments.only:
        yield "\n## Copies\n"
        yield from positives(bench, arguments.n, video_table.chosen(arguments.rows))
    if "hot" in arguments.only:
        yield "\n## Hot references\n"
        yield from hot(bench, arguments.n)
    if "negatives" in arguments.only:
        yield "\n## Nothing to be found\n"
        yield from negatives(bench, arguments.negatives)
    if "costs" in arguments.only:
        yield "\n## Costs\n"
        yield from video_costs.costs(clips.videos()[FILM], bench.catalogue, index, bench.folder, arguments.segments)


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("-n", type=int, default=40, help="clips a row")
    parser.add_argument("--rows", default="", help="only rows whose names have one of these in them: mirror,crop 65 %%")
    parser.add_argument("--only", type=_sections, default=SECTIONS, help=f"of {','.join(SECTIONS)}; all if not given")
    parser.add_argument("--negatives", type=int, default=1 << 20, metavar="N", help="at most so many; all if not given")
    parser.add_argument("--segments", type=int, default=16, metavar="N", help="of which a row's costs are measured")
    parser.add_argument("--hours", type=float, default=distractors.HOURS, help="of distractors")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out")
    parser.add_argument("--sheets", type=Path, help="a folder for contact sheets")
    parser.add_argument("--json", type=argparse.FileType("w"), help="a file for what came of each query, a line each")
    arguments = parser.parse_args(words)
    if not ONE_THREAD.items() <= os.environ.items():  # libraries read it when they are loaded
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ONE_THREAD})
    cv2.setNumThreads(1)
    if FILM not in clips.videos():
        raise SystemExit("the corpus can't be had: see the lines above")
    print("# Copied pictures\n")
    print("\n".join(circumstances("benchmarks.video", sys.argv[1:])))
    if arguments.sheets:
        print(f"- {sheets.LEGEND}")
    with tempfile.TemporaryDirectory() as scratch:
        folder, index = Path(scratch), Path(scratch) / "catalogue"
        catalogue = Stopwatch.open(index)
        assert isinstance(catalogue, Stopwatch)
        print(f"- {distractors.register(catalogue, arguments.hours)}\n", flush=True)
        next(unrelated.segments()).find(catalogue)  # kernels are compiled
        bench = Bench(catalogue, folder, arguments.sheets, arguments.json, not arguments.no_peers)
        for text in report(bench, arguments, index):
            print(text, flush=True)


if __name__ == "__main__":
    main()
