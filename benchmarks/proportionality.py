"""
What measures take away and leave, against known truth: `python -m benchmarks.proportionality`.

The product's measures stand beside what is usual where something is found: delete the video, mute all of it, mute
blocks of half an hour, mute what matched. The usual ones act on the product's matches, and ask for no licence. What is
erased counts as gone, and what is restricted by territory as gone everywhere.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from benchmarks import scenarios
from benchmarks.costs import circumstances, say
from benchmarks.scenarios import LENGTH_S, Scenario
from sordino.fingerprints.model import Region, Span, union
from sordino.monitor import checking, settings
from sordino.monitor.home import Home, opened
from sordino.monitor.registration import register
from sordino.monitor.weighing import SILENCES, Layer, Modality, covered_area
from sordino.monitor.works import Licence, Ownership, Work
from sordino.pipelines.messages import Measure, MeasureKind

BLOCK_S = 1800.0


class Act(NamedTuple):
    """A kind of measure, where, and in which region of the picture (None: all of it)."""

    kind: MeasureKind
    spans: tuple[Span, ...]
    region: Region | None = None


@dataclass
class Sums:
    """Seconds of all scenarios together, and how many of them went wrong or to a human."""

    infringing_s: float = 0.0
    residual_s: float = 0.0
    lawful_s: dict[Modality, float] = field(default_factory=dict)
    lost_s: dict[Modality, float] = field(default_factory=dict)
    acts_on_lawful: int = 0
    humans: int = 0

    def add(self, scenario: Scenario, acts: Sequence[Act]) -> None:
        """Count what these measures do to a scenario."""
        if any(act.kind == "review" for act in acts):  # who waits for a human does nothing yet
            self.humans += 1
        self.acts_on_lawful += scenario.is_lawful and any(act.kind in SILENCES for act in acts)
        for modality in dict.fromkeys(layer.modality for layer in scenario.layers):
            layers = [layer for layer in scenario.layers if layer.modality == modality]
            taking = [act for act in acts if modality in SILENCES.get(act.kind, ())]
            self._count(modality, layers, taking)

    def _count(self, modality: Modality, layers: Sequence[Layer], acts: Sequence[Act]) -> None:
        """Count piece by piece, within each of which all is alike; a part of the picture counts by its area."""
        lawful = [one for layer in layers for one in layer.lawful]
        infringing = [span for layer in layers for span in layer.infringing]
        for piece in _pieces(
            [*infringing, *(span for span, _ in lawful), *(span for act in acts for span in act.spans)]
        ):
            shown = [layer.region for layer in layers if _holds(layer.infringing, piece)]
            taken = [act.region for act in acts if _holds(act.spans, piece)]
            share = sum(share for span, share in lawful if _holds([span], piece))
            lost = min(share, covered_area(shown + taken) - covered_area(shown))
            self.infringing_s += bool(shown) * piece.duration_s
            self.residual_s += max((_left(region, taken) for region in shown), default=0.0) * piece.duration_s
            self.lawful_s[modality] = self.lawful_s.get(modality, 0.0) + share * piece.duration_s
            self.lost_s[modality] = self.lost_s.get(modality, 0.0) + lost * piece.duration_s

    def cells(self) -> list[str]:
        """Return the figures as a row's cells."""
        lost = [_share(self.lost_s.get(m, 0.0), self.lawful_s.get(m, 0.0)) for m in ("voice", "picture", "music")]
        return [_share(self.residual_s, self.infringing_s), *lost, str(self.acts_on_lawful), str(self.humans)]


def _pieces(spans: Iterable[Span]) -> list[Span]:
    edges_s = sorted({at_s for span in spans for at_s in (span.start_s, span.end_s)})
    return [Span(*pair) for pair in pairwise(edges_s)]


def _holds(spans: Iterable[Span], piece: Span) -> bool:
    return any(span.start_s <= piece.start_s and piece.end_s <= span.end_s for span in spans)


def _left(region: Region | None, taken: list[Region | None]) -> float:
    """Return the share of a region that none of the others covers."""
    return (covered_area([region, *taken]) - covered_area(taken)) / covered_area([region])


def _share(part_s: float, of_s: float) -> str:
    return f"{100 * part_s / of_s:.1f} % ({part_s:.0f} s)" if of_s else "-"


def usual(matched: Sequence[Span], length_s: float) -> dict[str, tuple[Act, ...]]:
    """
    Return what is usual where registered sound is found in these stretches.

    >>> usual([Span(1700, 1810)], 3000)["mute half hours"]
    (Act(kind='mute', spans=(Span(start_s=0.0, end_s=3000),), region=None),)
    """
    if not matched:
        return dict.fromkeys(("delete", "mute all", "mute half hours", "mute what matched"), ())
    whole = Span(0.0, length_s)
    first = [int(span.start_s // BLOCK_S) for span in matched]
    last = [int(max(span.start_s, span.end_s - 1e-9) // BLOCK_S) for span in matched]
    hit = {k for low, high in zip(first, last, strict=True) for k in range(low, high + 1)}
    blocks = union(Span(k * BLOCK_S, min(length_s, (k + 1) * BLOCK_S)) for k in hit)
    return {
        "delete": (Act("remove", (whole,)),),
        "mute all": (Act("mute", (whole,)),),
        "mute half hours": (Act("mute", blocks),),
        "mute what matched": (Act("mute", union(matched)),),
    }


def registered(home: Home) -> None:
    """Register the works of all scenarios, and licences for one account."""
    known, _ = scenarios.tracks()
    labels = {path: ("Label A", "Label B") if path == known[-1] else ("Label A",) for path in known}
    films = {video.path: ("Studio",) for video in scenarios.films()}
    for path, holders in (labels | films).items():
        for holder in holders:
            work_id = f"W{len(home.catalogue.reference_ids)}"
            kind = "film" if path in films else "recording"
            register(home, path, Work(work_id, path.stem, kind, (Ownership(holder),)))
            home.store.add_licence(Licence(f"L-{work_id}", work_id, "Shop", accounts=(scenarios.LICENSED,)))
            say(f"registered {path.name}")


def _act(measure: Measure) -> Act:
    region = Region(**measure.region.model_dump()) if measure.region else None
    return Act(measure.kind, tuple(Span(span.start_s, span.end_s) for span in measure.spans), region)


def _answers(home: Home, scenario: Scenario) -> dict[str, tuple[Act, ...]]:
    answer = checking.check(home, scenario.path, scenario.situation).recommendation
    acts = tuple(_act(measure) for measure in answer.measures)
    matched = [Span(m.query.start_s, m.query.end_s) for m in answer.because]
    return {"Sordino": acts, **usual(matched, LENGTH_S)}


def main() -> None:
    """Read the command line, measure, and print Markdown tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("-n", type=int, default=11, help="scenarios of each kind")
    arguments = parser.parse_args()
    sums: dict[str, Sums] = {}
    kinds: dict[str, Sums] = {}
    with tempfile.TemporaryDirectory() as folder, opened(settings.load(home=Path(folder))) as home:
        registered(home)
        for scenario in scenarios.scenarios(arguments.n):
            answers = _answers(home, scenario)
            say(f"{scenario.name}: {answers['Sordino']}")
            for name, acts in answers.items():
                sums.setdefault(name, Sums()).add(scenario, acts)
            kinds.setdefault(scenario.name.rpartition(" ")[0], Sums()).add(scenario, answers["Sordino"])
    print("\n".join(circumstances("benchmarks.proportionality", sys.argv[1:])))
    for title, rows in ((f"{arguments.n} of each of {len(kinds)} kinds", sums), ("Sordino, by kind", kinds)):
        print(f"\n| {title} | residual | voice lost | picture lost | music lost | acts on lawful ones | to a human |")
        print("|---|---|---|---|---|---|---|")
        print("\n".join(f"| {name} | {' | '.join(row.cells())} |" for name, row in rows.items()))


if __name__ == "__main__":
    main()
