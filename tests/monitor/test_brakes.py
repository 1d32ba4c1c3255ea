"""The brakes: how much may be done without a human, for whom, and what happens when it is used up."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from sordino.fingerprints.model import Match
from sordino.monitor import process as processing
from sordino.monitor import settings
from sordino.monitor.brakes import FREE, Usage, acts, stops, subjects
from sordino.monitor.cases import Subject
from sordino.monitor.checking import check
from sordino.monitor.home import Home, opened
from sordino.monitor.ladder import INTERRUPTING
from sordino.monitor.policy import BrakeRules, LiveRules, Policy
from sordino.monitor.recommend import judged, recommend
from sordino.monitor.store import Store
from sordino.monitor.timeline import extend
from sordino.monitor.weighing import IRREVERSIBLE
from sordino.monitor.works import Facts, Ownership, Work
from sordino.pipelines.analyse import Report
from sordino.pipelines.messages import Measure, Media, Recommendation, Segment
from tests.monitor.test_recommend import NOW, SONG, facts, heard, licence, seen, segment
from tests.sample_home import Sources

REFERENCE, HOLDER = Subject("reference", "song"), Subject("holder", "Label A")


def counted(*matches: Match, known: Facts | None = None, territory: str | None = None) -> dict[Subject, Work]:
    one = segment(territory=territory)
    policy = Policy(name="any", version=1)
    _, found = judged(one, matches, extend([], one, matches), known or facts(), policy, now=NOW)
    return subjects(found, territory)


@pytest.mark.parametrize(
    ("matches", "known", "expected"),
    [
        pytest.param([], facts(), [], id="nothing"),
        pytest.param([heard(20, 29)], facts(), [HOLDER, REFERENCE], id="one"),
        pytest.param([heard(20, 29), heard(30, 39)], facts(), [HOLDER, REFERENCE], id="twice is once"),
        pytest.param([heard(20, 29)], facts(licences=(licence(),)), [], id="licensed"),
        pytest.param([heard(20, 22)], facts(), [], id="too short"),
        pytest.param(
            [heard(20, 29), seen(0, 9)],
            facts(licences=(licence(),)),
            [Subject("holder", "Studio D"), Subject("reference", "film")],
            id="one of two licensed",
        ),
        pytest.param([heard(20, 29)], facts(replace(SONG, owners=())), [REFERENCE], id="holder not on record"),
    ],
)
def test_what_a_measure_is_counted_for(matches: list[Match], known: Facts, expected: list[Subject]) -> None:
    assert sorted(counted(*matches, known=known)) == expected


def test_owners_count_where_they_have_rights() -> None:
    split = replace(SONG, owners=(Ownership("East", 1, ("DE",)), Ownership("West", 1, ("US",))))
    assert sorted(counted(heard(20, 29), known=facts(split), territory="DE")) == [Subject("holder", "East"), REFERENCE]


RULES = BrakeRules(per_holder_a_day=20, per_reference_a_day=10)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(Usage(), [], id="nothing used"),
        pytest.param(Usage({REFERENCE: 9, HOLDER: 19}), [], id="one left"),
        pytest.param(Usage({REFERENCE: 10}), [(REFERENCE, "quarantine")], id="reference used up"),
        pytest.param(Usage({HOLDER: 20}), [(HOLDER, "quota")], id="holder used up"),
        pytest.param(
            Usage({HOLDER: 25, REFERENCE: 11}), [(HOLDER, "quota"), (REFERENCE, "quarantine")], id="both, and over"
        ),
        pytest.param(Usage({}, frozenset({"song"})), [(REFERENCE, None)], id="in quarantine already"),
        pytest.param(Usage({REFERENCE: 10}, frozenset({"song"})), [(REFERENCE, None)], id="no case twice"),
        pytest.param(Usage({Subject("holder", "song"): 99}, frozenset({"Label A"})), [], id="names of another kind"),
    ],
)
def test_which_brakes_hold(usage: Usage, expected: list[tuple[Subject, str | None]]) -> None:
    held = stops(counted(heard(20, 29)), usage, RULES)
    assert [(stop.subject, stop.opens) for stop in held] == expected
    for stop in held:
        case = stop.case(NOW)
        assert (case and case.kind) == stop.opens
        assert case is None or (case.subject, case.state, case.opened) == (stop.subject, "open", NOW)


def test_a_braked_answer_is_the_measure_and_waits_for_a_human() -> None:
    one, matches, policy = segment(), [heard(20, 29)], Policy(name="any", version=1)
    episodes = extend([], one, matches)
    free = recommend(one, matches, episodes, facts(), policy, now=NOW)
    held = recommend(one, matches, episodes, facts(), policy, now=NOW, brakes=(INTERRUPTING,))
    assert (free.automatic, free.deadline) == (True, None)
    assert (held.automatic, held.deadline) == (False, NOW + timedelta(hours=24))
    assert held.measures == free.measures
    assert held.statement.endswith(
        "It can be undone, but a human has to confirm it, because interrupting the stream is recommended with it."
    )
    assert "without a human" not in held.statement


def test_what_allows_is_no_braked_measure() -> None:
    answer = recommend(segment(), [], [], facts(), Policy(name="any", version=1), now=NOW, brakes=(INTERRUPTING,))
    assert answer.automatic
    assert not acts(answer.measures)


def test_nothing_that_can_not_be_undone_is_free() -> None:
    assert not FREE & IRREVERSIBLE
    assert acts([Measure(kind="allow"), Measure(kind="mute")])


# --- through the route of a segment ----------------------------------------------------------------------------------


@pytest.fixture
def braked(home: Path, database_url: str) -> Iterator[Callable[..., Home]]:
    """Open the home's catalogue with both databases in turn, under a policy with these brakes."""
    with opened(settings.load(home=home)) as here:
        works = list(here.store.works())
        with Store.open(database_url) as store:
            for work in works:
                store.add_work(work)

            def under(**brakes: int) -> Home:
                rules = here.policy.model_copy(update={"brakes": BrakeRules(**brakes)})
                return replace(here, store=store, policy=rules)

            yield under


def found(home: Home, title: str = "song") -> Match:
    (work,) = [work for work in home.store.works() if work.title == title]
    return heard(1, 9, work.references[0].reference_id)


def analysed(monkeypatch: pytest.MonkeyPatch, *matches: Match) -> None:
    """Have every segment show these matches: what is tested is what follows."""
    report = Report(tuple(matches), 10.0, 0.0, ())
    monkeypatch.setattr(processing, "analyse", lambda *arguments, **named: report)


def answer(home: Home, stream_id: str, sequence: int = 0, **fields: Any) -> Recommendation:
    one = Segment(
        stream_id=stream_id,
        sequence=sequence,
        start_s=10.0 * sequence,
        duration_s=10.0,
        media=Media(uri="file:///srv/a.ts"),
        **fields,
    )
    return processing.process(one, nullcontext(Path("/srv/a.ts")), home).recommendation


def test_twice_the_quota_of_a_reference(braked: Callable[..., Home], monkeypatch: pytest.MonkeyPatch) -> None:
    home = braked(per_reference_a_day=4)
    match = found(home)
    analysed(monkeypatch, match)
    before = REGISTRY.get_sample_value("sordino_braked_total", {"brake": "quarantine"}) or 0
    answers = [answer(home, f"video-{n}") for n in range(8)]
    assert [a.automatic for a in answers] == [True] * 4 + [False] * 4
    assert {m.kind for a in answers for m in a.measures} == {"mute"}
    assert all(a.deadline for a in answers[4:])
    assert "the 4 automatic measures a day for reference" in answers[4].statement
    assert "is in quarantine" in answers[5].statement
    (case,) = home.store.cases()
    assert (case.kind, case.subject) == ("quarantine", Subject("reference", match.reference_id))
    assert REGISTRY.get_sample_value("sordino_braked_total", {"brake": "quarantine"}) == before + 4
    assert answer(home, "video-0") == answers[0]  # again changes nothing
    assert home.store.usage(datetime.now(UTC), [case.subject]).counts == {case.subject: 4}


def test_twice_the_quota_of_a_holder(braked: Callable[..., Home], monkeypatch: pytest.MonkeyPatch) -> None:
    home = braked(per_holder_a_day=4)
    works = [found(home, "song"), found(home, "other song")]
    for n in range(8):
        analysed(monkeypatch, works[n % 2])
        assert answer(home, "live", n).automatic == (n < 4)
    (case,) = home.store.cases()
    assert (case.kind, case.subject) == ("quota", Subject("holder", "Blue Label"))


def test_a_released_reference_has_its_quota_anew(braked: Callable[..., Home], monkeypatch: pytest.MonkeyPatch) -> None:
    home = braked(per_reference_a_day=1)
    match = found(home)
    analysed(monkeypatch, match)
    assert [answer(home, f"a-{n}").automatic for n in range(3)] == [True, False, False]
    home.store.release(match.reference_id, datetime.now(UTC))
    assert home.store.cases() == []
    assert [answer(home, f"b-{n}").automatic for n in range(3)] == [True, False, False]
    (case,) = home.store.cases()
    assert case.state == "open"


def test_a_quarantine_outlasts_the_day_and_a_quota_does_not(
    braked: Callable[..., Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = braked(per_reference_a_day=2, per_holder_a_day=3)
    song, other = found(home), found(home, "other song")
    told = []
    for day in (datetime(2026, 3, 1, 23, 59, tzinfo=UTC), datetime(2026, 3, 2, 0, 1, tzinfo=UTC)):
        monkeypatch.setattr(processing, "datetime", Clock(day))
        for n, match in enumerate((song, song, song, other, other)):
            analysed(monkeypatch, match)
            told.append(answer(home, f"{day:%d}-{n}").automatic)
    assert told == [True, True, False, True, False, False, False, False, True, True]


class Clock:
    """A clock that stands."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self, zone: object) -> datetime:
        return self._at


def test_what_is_allowed_or_reviewed_is_not_counted(
    braked: Callable[..., Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = braked(per_reference_a_day=1, per_holder_a_day=1)
    match = found(home)
    analysed(monkeypatch)
    assert answer(home, "clean").automatic
    analysed(monkeypatch, match)
    assert not answer(home, "quoted", exceptions_claimed=("quotation",)).automatic
    assert answer(home, "one").automatic
    assert home.store.cases() == []
    assert [m.kind for m in answer(home, "quoted too", exceptions_claimed=("quotation",)).measures] == ["review"]
    assert home.store.cases() == []  # a human is asked there anyway


def test_workers_that_all_saw_room_never_exceed_the_quota(
    braked: Callable[..., Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = braked(per_reference_a_day=1)
    analysed(monkeypatch, found(home))
    all_have_looked, looked, usage = threading.Barrier(4), threading.local(), Store.usage

    def looking(*arguments: Any) -> Usage:
        there = usage(*arguments)
        if not hasattr(looked, "once"):
            looked.once = True
            all_have_looked.wait()
        return there

    monkeypatch.setattr(Store, "usage", looking)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda worker: answer(home, f"stream-{worker}"), range(4)))
    assert sorted(one.automatic for one in answers) == [False, False, False, True]
    assert [case.kind for case in home.store.cases()] == ["quarantine"]


def test_workers_at_once_never_exceed_the_quota(braked: Callable[..., Home], monkeypatch: pytest.MonkeyPatch) -> None:
    home = braked(per_reference_a_day=10, per_holder_a_day=15)
    analysed(monkeypatch, found(home))
    start = threading.Barrier(4)

    def work(worker: int) -> list[bool]:
        start.wait()
        return [answer(home, f"stream-{worker}", n).automatic for n in range(5)]

    with ThreadPoolExecutor(4) as pool:
        automatic = [each for one in pool.map(work, range(4)) for each in one]
    assert sum(automatic) == 10
    assert len(automatic) == 20
    assert [case.kind for case in home.store.cases()] == ["quarantine"]


def test_a_live_stream_stands_still_while_the_brakes_hold(
    braked: Callable[..., Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = braked(per_reference_a_day=2)
    rules = LiveRules(grace_s=0, mute_after_s=0, slate_after_s=0, interrupt_after_s=0)
    home = replace(home, policy=home.policy.model_copy(update={"live": rules}))
    analysed(monkeypatch, found(home))
    answers = [answer(home, "live", n, live=True) for n in range(4)]
    kinds = [[measure.kind for measure in a.measures] for a in answers]
    assert kinds == [["warn_live", "mute"], ["mute_live", "mute"], ["mute"], ["mute"]]
    assert home.store.ladder("live").rung == "mute_live"


def test_a_check_is_answered_as_the_monitor_would(
    braked: Callable[..., Home], monkeypatch: pytest.MonkeyPatch, sources: Sources
) -> None:
    home = braked(per_reference_a_day=1)
    analysed(monkeypatch, found(home))
    assert [answer(home, f"v-{n}").automatic for n in range(2)] == [True, False]
    checked = check(home, sources.clip, {}).recommendation
    assert (checked.automatic, [measure.kind for measure in checked.measures]) == (False, ["erase_music"])
    assert "is in quarantine" in checked.statement
