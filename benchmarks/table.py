"""Outcomes as a Markdown table: a line a row, the targets beside the figures, misses in bold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import peers
from benchmarks.judge import NEVER, Outcome

SURE = -4.0  # log10 of the chance at which a match is acted on
EXACT = 0.95  # of those found: share whose speed and pitch shall be right
COLUMNS = (
    "query",
    "n",
    "target",
    "found",
    "sure",
    "strict",
    "wrong",
    "wrong, sure",
    "version",
    "place",
    "ends",
    "speed",
    "pitch",
    "CPU ms (95 %)",
    "Chromaprint",
    "Chromaprint, strict",
)
LEGEND = f"""*Found*: at 10^-3, where matches are reported; *sure*: at 10^{SURE:g}, where a measure may be applied;
*strict*: where no negative of any row passes. *Wrong*: queries with a match of another recording; *version*: of
the same piece at another tempo, made anew (`versions.txt`). Of those found:
*place*: the reference time is right within 2 s; *ends*: both within 1 s; *speed*: within 0.3 %; *pitch*: within 0.2
semitone. *CPU ms*: of the lookup of a segment alone, median and 95 %. *Chromaprint*: at most {peers.THRESHOLD:g} of the
bits differ; *strict* as above. Bold: the target is missed."""


@dataclass(frozen=True)
class Strict:
    """Where no negative of any row passes: the log10 of the chance, and Chromaprint's share of wrong bits."""

    log10: float = -NEVER
    error: float = -NEVER

    @classmethod
    def of(cls, negatives: Sequence[Outcome]) -> "Strict":
        """Return what the strictest negative asks for; nothing passes where none was asked."""
        if not negatives:
            return cls()
        return cls(min(o.wrong for o in negatives), min(o.peer_wrong for o in negatives))


def header() -> Iterator[str]:
    """Yield the table's first two lines."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"


def negatives(outcomes: Sequence[Outcome], strict: Strict) -> str:
    """Return a sentence about all negatives."""
    if not outcomes:
        return "No negatives were asked: no figures at *strict*."
    wrong, sure = sum(o.wrong < NEVER for o in outcomes), sum(o.wrong <= SURE for o in outcomes)
    passed = f"{wrong} of {len(outcomes)} negatives have a match, {sure} of them a sure one (target: 1 in 1,000)."
    surest = f" The surest: 10^{strict.log10:g}." if wrong else ""
    return f"{passed}{surest} Chromaprint: at least {strict.error:.3f} of the bits differ."


def line(
    name: str,
    outcomes: Sequence[Outcome],
    strict: Strict,
    target: float | None = None,
    ends_target: float | None = None,
) -> str:
    """Return a row's line."""
    cells = [name, str(len(outcomes)), _targets(target, ends_target)]
    cells += _recall(outcomes, strict, target)
    cells += [str(sum(o.wrong < NEVER for o in outcomes)), str(sum(o.wrong <= SURE for o in outcomes))]
    cells.append(str(sum(o.version < NEVER for o in outcomes)))
    cells += _exactness(outcomes, ends_target)
    ms = [ms for o in outcomes for ms in o.cpu_ms]
    cells.append(f"{np.median(ms):.0f} ({np.quantile(ms, 0.95):.0f})")
    return f"| {' | '.join([*cells, *_peer(outcomes, strict)])} |"


def _targets(target: float | None, ends_target: float | None) -> str:
    return f"ends {ends_target:.2f}" if ends_target else f"{target:.3f}" if target else ""


def _recall(outcomes: Sequence[Outcome], strict: Strict, target: float | None) -> list[str]:
    if not outcomes[0].tracks:
        return ["-"] * 3
    return [
        share([o.right < NEVER for o in outcomes], target),
        share([o.right <= SURE for o in outcomes]),
        share([o.right < strict.log10 for o in outcomes]) if strict.log10 > -NEVER else "-",
    ]


def _exactness(outcomes: Sequence[Outcome], ends_target: float | None) -> list[str]:
    found = [o for o in outcomes if o.right < NEVER]
    if not found:
        return ["-"] * 4
    return [
        share([o.placed for o in found]),
        share([o.ends for o in found], ends_target),
        share([o.speed for o in found], EXACT),
        share([o.pitch for o in found], EXACT),
    ]


def _peer(outcomes: Sequence[Outcome], strict: Strict) -> list[str]:
    right = [o.peer_right for o in outcomes if o.peer_right is not None]
    if not right:
        taken = sum(o.peer_wrong is not None and o.peer_wrong <= peers.THRESHOLD for o in outcomes)
        return [f"{taken} wrong" if outcomes[0].peer_wrong is not None else "-", "-"]
    at_strict = share([error < strict.error for error in right]) if strict.error > -NEVER else "-"
    return [share([error <= peers.THRESHOLD for error in right]), at_strict]


def share(flags: Sequence[bool], target: float | None = None) -> str:
    """Return the share of flags that are set; bold where it misses the target."""
    value = sum(flags) / len(flags)
    return f"**{value:.3f}**" if target is not None and value < target else f"{value:.3f}"
