"""A live stream with a song in it: what it is asked for, through restarts and other workers."""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from sordino.monitor import process as processing
from sordino.monitor import settings
from sordino.monitor.cases import Subject
from sordino.monitor.home import Home, opened
from sordino.monitor.ladder import Ladder
from sordino.monitor.policy import RUNGS, BrakeRules, LiveRules
from sordino.monitor.process import process
from sordino.monitor.store import Store
from sordino.monitor.weighing import IRREVERSIBLE
from sordino.monitor.works import Ownership
from sordino.pipelines.analyse import Report
from sordino.pipelines.messages import Media, Recommendation, Segment
from tests import synth
from tests.monitor.test_brakes import Clock
from tests.monitor.test_recommend import heard, seen
from tests.sample_home import HOLDER, Sources

RULES = LiveRules(grace_s=0, mute_after_s=5, slate_after_s=15, interrupt_after_s=5, hold_s=15, cool_down_s=20)


@pytest.fixture
def monitor(home: Path) -> Iterator[Home]:
    with opened(settings.load(home=home)) as opened_home:
        yield replace(opened_home, policy=opened_home.policy.model_copy(update={"live": RULES}))


def answer(home: Home, media: Path, sequence: int, **fields: Any) -> Recommendation:
    """Answer a segment of 10 s of a live stream."""
    known = {"stream_id": "live", "live": True, **fields}
    one = Segment(
        sequence=sequence, start_s=10.0 * sequence, duration_s=10.0, media=Media(uri="file:///srv/a.ts"), **known
    )
    return process(one, contextlib.nullcontext(media), home).recommendation


def kinds(answer: Recommendation) -> list[str]:
    return [measure.kind for measure in answer.measures]


def quiet(sources: Sources) -> Path:
    """10 s of speech and pictures: nobody's work."""
    return sources.file("calm.ts", lambda path: synth.clip(path, synth.speech_like(10, 31), synth.pictures(10, 32)))


def test_a_song_that_goes_on_is_warned_of_and_then_muted(monitor: Home, sources: Sources) -> None:
    before = REGISTRY.get_sample_value("sordino_live_measures_total", {"kind": "mute_live"}) or 0
    answers = [answer(monitor, sources.live(number), number) for number in range(3)]
    assert [kinds(a) for a in answers] == [
        ["warn_live", "erase_music"],
        ["mute_live", "erase_music"],
        ["mute_live", "erase_music"],
    ]
    assert all(a.automatic and a.deadline is None for a in answers)
    assert [(span.start_s, span.end_s) for span in answers[1].measures[0].spans] == [(20.0, 35.0)]
    expires = answers[2].measures[0].expires
    assert expires is not None
    assert timedelta(0) < expires - datetime.now(UTC) < timedelta(seconds=15)
    assert "That is for the recording. Live: warn the host, who has 0.0 s from 0:10 on" in answers[0].statement
    assert "Live: mute the stream from 0:20 on, for 15.0 s" in answers[1].statement
    assert REGISTRY.get_sample_value("sordino_live_measures_total", {"kind": "mute_live"}) == before + 2
    assert monitor.store.recommendations("live") == answers[::-1]


def test_asking_to_interrupt_needs_a_human_and_the_slate_goes_on(monitor: Home, sources: Sources) -> None:
    rules = LiveRules(rungs=("warn_live", "slate_live", "interrupt_live"), grace_s=0, slate_after_s=5)
    hasty = replace(monitor, policy=monitor.policy.model_copy(update={"live": rules}))
    answers = [answer(hasty, sources.live(number), number) for number in range(2)]
    rules = rules.model_copy(update={"interrupt_after_s": 5.0})
    hasty = replace(monitor, policy=monitor.policy.model_copy(update={"live": rules}))
    answers += [answer(hasty, sources.live(2), 2), answer(hasty, sources.live(1), 3)]
    assert [kinds(a) for a in answers] == [
        ["warn_live", "erase_music"],
        ["slate_live", "erase_music"],
        ["interrupt_live", "slate_live", "erase_music"],
        ["slate_live", "erase_music"],
    ]
    assert [a.automatic for a in answers] == [True, True, False, True]
    asking = answers[2]
    assert asking.deadline is not None
    assert asking.deadline - datetime.now(UTC) <= timedelta(hours=1)
    assert "may be applied without a human" not in asking.statement
    assert "only a human may decide that" in asking.statement


def test_who_obeys_is_left_alone_and_climbs_down(monitor: Home, sources: Sources) -> None:
    for number in range(2):
        answer(monitor, sources.live(number), number)
    assert monitor.store.ladder("live").rung == "mute_live"
    rungs = []
    for number in range(2, 6):
        assert kinds(answer(monitor, quiet(sources), number)) == ["allow"]
        rungs.append(monitor.store.ladder("live").rung)
    assert rungs == ["mute_live", "warn_live", "warn_live", None]


def test_a_segment_again_or_late_changes_nothing(monitor: Home, sources: Sources) -> None:
    first, third = answer(monitor, sources.live(0), 0), answer(monitor, sources.live(2), 2)
    stands = monitor.store.ladder("live")
    assert answer(monitor, sources.live(0), 0) == first
    assert kinds(third) == ["mute_live", "erase_music"]
    assert kinds(answer(monitor, sources.live(1), 1)) == ["erase_music"]  # it is over already
    assert monitor.store.ladder("live") == stands


def test_what_can_not_be_read_holds_the_ladder(monitor: Home, sources: Sources, tmp_path: Path) -> None:
    answer(monitor, sources.live(0), 0)
    assert kinds(answer(monitor, synth.text(tmp_path / "bad.ts"), 1)) == ["review"]
    stands = monitor.store.ladder("live")
    assert (stands.rung, stands.sequence, stands.at_s, stands.clean_s) == ("warn_live", 1, 20.0, 0.0)


def test_recorded_videos_and_policies_without_rungs_have_no_ladder(monitor: Home, sources: Sources) -> None:
    assert kinds(answer(monitor, sources.live(0), 0, live=False)) == ["erase_music"]
    none = replace(monitor, policy=monitor.policy.model_copy(update={"live": LiveRules(rungs=())}))
    assert kinds(answer(none, sources.live(1), 1)) == ["erase_music"]
    assert monitor.store.ladder("live") == Ladder()


def test_the_end_of_a_stream_is_the_end_of_its_ladder(monitor: Home, sources: Sources) -> None:
    for number in range(2):
        answer(monitor, sources.live(number), number)
    assert kinds(answer(monitor, sources.live(2), 2, ended=True)) == ["erase_music"]
    assert monitor.store.ladder("live") == Ladder(sequence=2, at_s=30.0)
    assert kinds(answer(monitor, sources.live(1), 3)) == ["warn_live", "erase_music"]


def test_each_segment_by_a_worker_of_its_own(monitor: Home, sources: Sources, database_url: str) -> None:
    """Restarts between any two segments, on both databases, lead to what one worker says."""
    alone = [answer(monitor, sources.live(number), number) for number in range(3)]
    with Store.open(database_url) as store:
        for work in monitor.store.works():
            store.add_work(work)
    told = []
    for number in range(3):
        with Store.open(database_url) as store:
            told.append(answer(replace(monitor, store=store), sources.live(number), number))
            stands = store.ladder("live")
    assert [(kinds(a), a.measures[0].spans) for a in told] == [(kinds(a), a.measures[0].spans) for a in alone]
    assert stands == monitor.store.ladder("live")


def test_another_worker_on_the_stream_meanwhile(
    monitor: Home, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first segment is answered while the second is: the rung that the second had seen is decided on again."""
    save, meanwhile = Store.save, []

    def slow(store: Store, *arguments: Any, **named: Any) -> Recommendation:
        monkeypatch.setattr(Store, "save", save)
        meanwhile.append(answer(monitor, sources.live(0), 0))
        return save(store, *arguments, **named)

    monkeypatch.setattr(Store, "save", slow)
    second = answer(monitor, sources.live(1), 1)
    assert [kinds(a) for a in (*meanwhile, second)] == [["warn_live", "erase_music"], ["mute_live", "erase_music"]]


_numbers = itertools.count()


@how(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    letters=st.text("MPB?-", max_size=12),
    rungs=st.sets(st.sampled_from(RUNGS)).map(lambda rungs: tuple(rungs | {"warn_live"})),
    after_s=st.floats(0, 20),
    quota=st.integers(1, 12),
    admissible=st.sampled_from([("mute", "blank", "remove"), ("mute", "blank"), ("remove",), ()]),
)
def test_what_can_not_be_undone_always_waits_for_a_human(
    monitor: Home,
    monkeypatch: pytest.MonkeyPatch,
    letters: str,
    rungs: Any,
    after_s: float,
    quota: int,
    admissible: Any,
) -> None:
    """Streams by letters: Music, Picture, Both, music that is said to be quoted (?), clean (-)."""
    references = {work.title: work.references[0].reference_id for work in monitor.store.works()}
    music, picture = heard(0, 10, references["song"]), seen(0, 10, references["film"])
    shown = {"M": (music,), "P": (picture,), "B": (music, picture), "?": (music,), "-": ()}
    holder, now = Subject("holder", HOLDER), datetime.now(UTC)
    monkeypatch.setattr(processing, "datetime", Clock(now))
    spent = monitor.store.usage(now, [holder]).counts.get(holder, 0)
    rules: dict[str, Any] = {
        "live": LiveRules(
            rungs=rungs, grace_s=0, mute_after_s=after_s, slate_after_s=after_s, interrupt_after_s=after_s
        ),
        "brakes": BrakeRules(per_holder_a_day=spent + quota),
        "admissible": admissible,
    }
    home = replace(monitor, policy=monitor.policy.model_copy(update=rules))
    stream_id, acted = f"stream-{next(_numbers)}", 0
    for number, letter in enumerate(letters):
        report = Report(shown[letter], 10.0, 10.0, ())
        monkeypatch.setattr(processing, "analyse", lambda *arguments, report=report: report)
        claims = ("quotation",) if letter == "?" else ()
        told = answer(home, Path("/srv/a.ts"), number, stream_id=stream_id, exceptions_claimed=claims)
        assert not (told.automatic and set(kinds(told)) & IRREVERSIBLE)
        assert told.automatic == (told.deadline is None)
        assert set(kinds(told)) & set(RUNGS) <= set(rungs)
        acted += told.automatic and kinds(told) != ["allow"]
    assert acted <= quota
    assert monitor.store.usage(now, [holder]).counts.get(holder, 0) == spent + acted


def test_what_only_a_human_may_do_opens_a_case(monitor: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    song = next(work for work in monitor.store.works() if work.title == "song")
    report = Report((heard(0, 10, song.references[0].reference_id),), 10.0, 10.0, ())
    monkeypatch.setattr(processing, "analyse", lambda *arguments, **named: report)
    rules = {"live": LiveRules(rungs=("warn_live", "interrupt_live"), grace_s=0, interrupt_after_s=0)}
    hasty = replace(monitor, policy=monitor.policy.model_copy(update=rules))
    told = [answer(hasty, Path("/srv/a.ts"), number) for number in range(2)]
    assert kinds(told[1]) == ["interrupt_live", "mute"]
    harsh = replace(monitor, policy=monitor.policy.model_copy(update={"admissible": ("remove",)}))
    for stream_id in ("video", "video", "other video"):
        one = answer(harsh, Path("/srv/a.ts"), 0, stream_id=stream_id, live=False)
        assert (kinds(one), one.automatic) == (["remove"], False)
    assert sorted((case.kind, case.subject, case.why) for case in monitor.store.cases()) == [
        ("interrupt", Subject("stream", "live"), told[1].statement),
        ("removal", Subject("stream", "other video"), one.statement),
        ("removal", Subject("stream", "video"), one.statement),
    ]


def test_owners_at_odds_are_a_case_of_the_work(monitor: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    song = next(work for work in monitor.store.works() if work.title == "song")
    monitor.store.add_owner(song.work_id, Ownership("Red Songs", 0.7))
    report = Report((heard(0, 10, song.references[0].reference_id),), 10.0, 10.0, ())
    monkeypatch.setattr(processing, "analyse", lambda *arguments, **named: report)
    for stream_id in ("one", "two"):
        assert kinds(answer(monitor, Path("/srv/a.ts"), 0, stream_id=stream_id)) == ["review"]
    quoted = {"exceptions_claimed": ("quotation",)}
    assert kinds(answer(monitor, Path("/srv/a.ts"), 0, stream_id="three", **quoted)) == ["review"]
    (case,) = monitor.store.cases()
    assert (case.kind, case.subject, case.work_id) == ("owner_conflict", Subject("work", song.work_id), song.work_id)
    assert case.why == "the shares claimed in “song” everywhere add up to 170%"
