"""The table of the picture benchmark: a line for each row, and one for all."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks import video_peers
from benchmarks.clips import ROWS
from benchmarks.rendering import Row
from benchmarks.video_judge import ENDS_S, IOU, SPEED, Outcome

ALL = 0.97  # of the clips of all rows but the first, where nothing was changed
UNCHANGED = ROWS[0].name
COLUMNS = ("change", "n", "target", "found", "query ends", "reference ends", "speed", "region IoU", f"IoU >= {IOU}",
           "uncut", "wrong", "find, CPU ms (95 %)", *video_peers.NAMES)  # fmt: skip
LEGEND = f"""\
found: a match of the right reference, more than half of the planted span in it, mirrored or not as planted. Of those
found: both ends in the query, and both in the reference, within {ENDS_S:g} s; speed within {100 * SPEED:g} %; region:
the median intersection over union with what shows of the copied picture, and the share that reaches {IOU}; uncut: the
share that does with where the whole picture would lie, had nothing been cropped off it inside a border. wrong:
matches of works that the query does not show. The peers compare the planted stretch, cut out, with the same stretch
of its reference. **Bold**: below the target."""


def header() -> list[str]:
    return ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]


def line(name: str, outcomes: Sequence[Outcome], target: float) -> str:
    found = [o for o in outcomes if o.found]
    share = len(found) / len(outcomes)
    cells = [name, str(len(outcomes)), f"{target:.2f}", f"**{share:.3f}**" if share < target else f"{share:.3f}"]
    cells += _exactness(found) if found else ["-"] * 6
    cpu_ms = np.array([o.cpu_ms for o in outcomes])
    cells += [str(sum(len(o.wrong) for o in outcomes)), f"{np.median(cpu_ms):.0f} ({np.quantile(cpu_ms, 0.95):.0f})"]
    cells += [_peer(outcomes, peer) for peer in video_peers.NAMES]
    return "| " + " | ".join(cells) + " |"


def _exactness(found: Sequence[Outcome]) -> Iterator[str]:
    for flags in ([o.ends for o in found], [o.reference_ends for o in found], [o.speed for o in found]):
        yield f"{np.mean(flags):.3f}"
    ious = np.array([o.iou for o in found])
    yield f"{np.median(ious):.3f}"
    yield f"{(ious >= IOU).mean():.3f}"
    yield f"{np.mean([o.uncut_iou >= IOU for o in found]):.3f}"


def _peer(outcomes: Sequence[Outcome], peer: str) -> str:
    answers = [o.peers[peer] for o in outcomes if peer in o.peers]
    return f"{np.mean(answers):.3f}" if answers else "-"


def total(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the line of all changes, and how far the target is."""
    changed = [o for o in outcomes if o.row != UNCHANGED]
    if not changed:
        return []
    found = sum(o.found for o in changed)
    said = f"All changes: {found} of {len(changed)}, {found / len(changed):.3f}; the target is {ALL}."
    return [line("all changes", changed, ALL), "", said]


def missed(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield what was not found, and what was found that is not there."""
    for o in outcomes:
        where = (
            f"{o.row} {o.k}: {o.truth.video} from {o.truth.reference.start_s:.1f} s, {o.truth.query.duration_s:.1f} s"
        )
        if not o.found:
            own = [m for m in o.matches if m.reference_id == o.truth.video]
            yield f"{where}, not found{f'; but {own[0].query}, mirrored {own[0].mirrored}' if own else ''}"
        for reference_id, chance in o.wrong:
            yield f"{where}, taken for {reference_id}, 10^{chance:.2f}"


def chosen(text: str) -> list[Row]:
    """Return the rows whose names have any of some words, separated by commas, in them."""
    words = [word.strip().lower() for word in text.split(",")]
    return [row for row in ROWS if any(word in row.name.lower() for word in words)]
