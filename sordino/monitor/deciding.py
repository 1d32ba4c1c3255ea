"""What is answered to a segment: recommended, held back by the brakes, and led up the live ladder."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain

from prometheus_client import Counter

from sordino.monitor import brakes, ladder
from sordino.monitor.brakes import Stop
from sordino.monitor.cases import Case, CaseKind, Subject, new_id
from sordino.monitor.doubts import disputes
from sordino.monitor.home import Home
from sordino.monitor.judging import Finding
from sordino.monitor.ladder import Ladder
from sordino.monitor.layers import Trial
from sordino.monitor.policy import RUNGS, Policy
from sordino.monitor.recommend import BOTH_TRACKS, judged, recommend
from sordino.monitor.statements.english import ENGLISH
from sordino.monitor.store.effects import Effects
from sordino.monitor.timeline import Episode
from sordino.pipelines.analyse import Report
from sordino.pipelines.consume import Reason
from sordino.pipelines.messages import Measure, MeasureKind, Recommendation, Segment

LIVE_MEASURES_TOTAL = Counter("sordino_live_measures_total", "What live streams were asked for", ["kind"])
BRAKED_TOTAL = Counter("sordino_braked_total", "Answers that a brake left to a human", ["brake"])


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer, what is to be stored with it, and the brakes that held it back."""

    answer: Recommendation
    effects: Effects
    stops: Sequence[Stop] = ()

    def count(self) -> None:
        """Tell Prometheus."""
        for measure in self.answer.measures:
            if measure.kind in RUNGS:
                LIVE_MEASURES_TOTAL.labels(measure.kind).inc()
        for brake in {stop.opens or "quarantine" for stop in self.stops}:
            BRAKED_TOTAL.labels(brake).inc()


def decide(
    segment: Segment,
    report: Report,
    reason: Reason | None,
    episodes: Sequence[Episode],
    home: Home,
    now: datetime,
    trials: Sequence[Trial] = (),
) -> Decision:
    """
    Decide on a segment as the store is now; nothing is written.

    `episodes` are the stream's, this segment's matches included; `reason` is why its media can't be read; `trials` are
    those of taking its music out.
    """
    policy, tracks = home.policy, report.tracks or BOTH_TRACKS
    facts = home.store.facts_for({episode.reference_id for episode in episodes}, segment.account)
    known = (segment, report.matches, episodes, facts, policy)
    _, found = judged(*known, now=now, holders=home.holders, tracks=tracks)
    counted = brakes.subjects(found, segment.territory)
    stops = brakes.stops(counted, home.store.usage(now, counted), policy.brakes)
    answering = partial(
        recommend,
        *known,
        now=now,
        holders=home.holders,
        tracks=tracks,
        voice=report.voice,
        trials=trials,
        media_error=reason,
    )
    answer = answering(brakes=[stop.why for stop in stops])
    stands, asked = _led(segment, answer, found, home, now)
    if any(measure.kind == "interrupt_live" for measure in asked):
        answer = answering(brakes=[ladder.INTERRUPTING])
    stops = stops if brakes.acts(answer.measures) else ()
    automatic = answer.automatic and brakes.acts(answer.measures)
    answer = ladder.told(answer, asked)
    held = (case for stop in stops if (case := stop.case(now)))
    effects = Effects(
        now,
        ladder=stands,
        spends={subject: brakes.quota(subject, policy.brakes) for subject in counted} if automatic else {},
        cases=tuple(chain(held, _waiting(segment, answer, now), _disputed(segment, answer, found, policy, now))),
    )
    return Decision(answer, effects, stops)


def _waiting(segment: Segment, answer: Recommendation, now: datetime) -> list[Case]:
    """Return the cases of what only a human may do."""
    waiting: dict[MeasureKind, CaseKind] = {"interrupt_live": "interrupt", "remove": "removal"}
    kinds = [waiting[measure.kind] for measure in answer.measures if measure.kind in waiting]
    return [Case(new_id(), kind, Subject("stream", segment.stream_id), answer.statement, now) for kind in kinds]


def _disputed(
    segment: Segment, answer: Recommendation, found: Sequence[Finding], policy: Policy, now: datetime
) -> list[Case]:
    """Return the cases of owners at odds, where a human is asked for that."""
    if not any(measure.kind == "review" for measure in answer.measures):
        return []
    return [
        Case(new_id(), "owner_conflict", Subject("work", work.work_id), ENGLISH.say(why), now, work.work_id)
        for work, why in disputes(found, segment, policy)
    ]


def _led(
    segment: Segment, answer: Recommendation, found: Sequence[Finding], home: Home, now: datetime
) -> tuple[Ladder | None, Sequence[Measure]]:
    """Return where a live stream stands after this segment, and what it is asked for."""
    rules = home.policy.live
    if not (segment.live and rules.rungs):
        return None, ()
    before, seen = home.store.ladder(segment.stream_id), ladder.seen(segment, answer, found)
    after = ladder.step(before, seen, rules)
    return after, ladder.asked(before, after, seen, rules, now)
