"""What was found of copied pictures, against what was planted."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.pictures import Parameters
from sordino.fingerprints.model import Match, Region, Span

ENDS_S = 1.0
SPEED = 0.02
IOU = 0.8


@dataclass(frozen=True)
class Truth:
    """
    What a query has of a registered video; `speed` is query over reference, as in `model.Match`.

    `region`: where it shows; `uncut`: where it would, had nothing been cropped off inside a border, say.
    """

    video: str
    query: Span
    reference: Span
    speed: float
    mirrored: bool
    region: Region
    uncut: Region


@dataclass(frozen=True)
class Outcome:
    """
    What came of a query: `found`, and how exactly, by the surest match that is right.

    `wrong`: matches of other works than those that the query shows, as their references and log10 of chance.
    `peers`: whether each peer found it, where it was asked.
    """

    row: str
    k: int
    truth: Truth
    parameters: Parameters
    matches: tuple[Match, ...]
    right: Match | None
    wrong: tuple[tuple[str, float], ...]
    cpu_ms: float
    peers: Mapping[str, bool]

    @property
    def found(self) -> bool:
        """Whether the right reference was found, in more than half of the planted span, the right way round."""
        return self.right is not None

    @property
    def ends(self) -> bool:
        """Whether both ends in the query are right."""
        return self.right is not None and within(self.right.query, self.truth.query)

    @property
    def reference_ends(self) -> bool:
        """Whether both ends in the reference are right."""
        return self.right is not None and within(self.right.reference, self.truth.reference)

    @property
    def speed(self) -> bool:
        """Whether the speed is."""
        return self.right is not None and abs(self.right.speed / self.truth.speed - 1) <= SPEED

    @property
    def iou(self) -> float:
        """How far the region is what shows of the reference's picture."""
        return overlap(self.right.region, self.truth.region) if self.right and self.right.region else 0.0

    @property
    def uncut_iou(self) -> float:
        """How far it is where the whole of the reference's picture would lie: a matcher can't see borders."""
        return overlap(self.right.region, self.truth.uncut) if self.right and self.right.region else 0.0

    def as_json(self) -> str:
        """Return it as a line."""
        judged = {"found": self.found, "ends": self.ends, "reference_ends": self.reference_ends, "speed": self.speed}
        return json.dumps(asdict(self) | judged | {"iou": round(self.iou, 3), "uncut_iou": round(self.uncut_iou, 3)})


def within(told: Span, truth: Span, by_s: float = ENDS_S) -> bool:
    """Tell whether both ends of a span are near enough."""
    return abs(told.start_s - truth.start_s) <= by_s and abs(told.end_s - truth.end_s) <= by_s


def overlap(one: Region, other: Region) -> float:
    """
    Return intersection over union.

    >>> round(overlap(Region(0, 0, 1, 1), Region(0.5, 0, 1, 1)), 3)
    0.333
    """
    w = min(one.x + one.w, other.x + other.w) - max(one.x, other.x)
    h = min(one.y + one.h, other.y + other.h) - max(one.y, other.y)
    both = max(0.0, w) * max(0.0, h)
    union = one.w * one.h + other.w * other.h - both
    return both / union if union > 0 else 0.0


@dataclass(frozen=True)
class Judge:
    """Knows which videos share shots, by the name of their work."""

    works: Mapping[str, str]

    def outcome(
        self,
        row: str,
        k: int,
        truth: Truth,
        parameters: Parameters,
        matches: Sequence[Match],
        cpu_ms: float = 0.0,
        peers: Mapping[str, bool] | None = None,
    ) -> Outcome:
        """Compare what was found with the truth."""
        by_chance = sorted((m for m in matches if m.track == "video"), key=lambda m: m.log10_false_positive)
        right = next((m for m in by_chance if self._right(m, truth)), None)
        wrong = self.wrong(by_chance, truth.video)
        told = tuple((m.reference_id, m.log10_false_positive) for m in wrong)
        return Outcome(row, k, truth, parameters, tuple(by_chance), right, told, round(cpu_ms, 1), peers or {})

    def wrong(self, matches: Sequence[Match], video: str) -> list[Match]:
        """Return the matches of works that a query with this video does not show; the surest first."""
        work = self._work(video)
        return sorted(
            (m for m in matches if m.track == "video" and self._work(m.reference_id) != work),
            key=lambda m: m.log10_false_positive,
        )

    @staticmethod
    def _right(match: Match, truth: Truth) -> bool:
        enough = match.query.overlap_s(truth.query) > truth.query.duration_s / 2
        return match.reference_id == truth.video and enough and match.mirrored == truth.mirrored

    def _work(self, video: str) -> str:
        return self.works.get(video, video)
