"""A live stream with a song in it: what it is asked for, through restarts and other workers."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from sordino.monitor import settings
from sordino.monitor.home import Home, opened
from sordino.monitor.ladder import Ladder
from sordino.monitor.policy import LiveRules
from sordino.monitor.process import process
from sordino.monitor.store import Store
from sordino.pipelines.messages import Media, Recommendation, Segment
from tests import synth
from tests.sample_home import Sources

RULES = LiveRules(grace_s=0, mute_after_s=5, slate_after_s=15, interrupt_after_s=5, hold_s=15, cool_down_s=20)


@pytest.fixture
def monitor(home: Path) -> Iterator[Home]:
    with opened(settings.load(home=home)) as opened_home:
        yield replace(opened_home, policy=opened_home.policy.model_copy(update={"live": RULES}))


def answer(home: Home, sources: Sources, sequence: int, media: Path | None = None, **fields: Any) -> Recommendation:
    """Answer a segment of the live stream: of three with the song, or with other media."""
    known = {"live": True, "duration_s": 10.0, **fields}
    one = Segment(
        stream_id="live", sequence=sequence, start_s=10.0 * sequence, media=Media(uri="file:///srv/a.ts"), **known
    )
    path = media or sources.live(sequence)
    return process(one, contextlib.nullcontext(path), home).recommendation


def kinds(answer: Recommendation) -> list[str]:
    return [measure.kind for measure in answer.measures]


def quiet(sources: Sources) -> Path:
    """10 s of speech and pictures: nobody's work."""
    return sources.file("calm.ts", lambda path: synth.clip(path, synth.speech_like(10, 31), synth.pictures(10, 32)))


def test_a_song_that_goes_on_is_warned_of_and_then_muted(monitor: Home, sources: Sources) -> None:
    before = REGISTRY.get_sample_value("sordino_live_measures_total", {"kind": "mute_live"}) or 0
    answers = [answer(monitor, sources, number) for number in range(3)]
    assert [kinds(a) for a in answers] == [["warn_live", "mute"], ["mute_live", "mute"], ["mute_live", "mute"]]
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
    answers = [answer(hasty, sources, number) for number in range(2)]
    rules = rules.model_copy(update={"interrupt_after_s": 5.0})
    hasty = replace(monitor, policy=monitor.policy.model_copy(update={"live": rules}))
    answers += [answer(hasty, sources, 2), answer(hasty, sources, 3, sources.live(1))]
    assert [kinds(a) for a in answers] == [
        ["warn_live", "mute"],
        ["slate_live", "mute"],
        ["interrupt_live", "slate_live", "mute"],
        ["slate_live", "mute"],
    ]
    assert [a.automatic for a in answers] == [True, True, False, True]
    asking = answers[2]
    assert asking.deadline is not None
    assert asking.deadline - datetime.now(UTC) <= timedelta(hours=1)
    assert "may be applied without a human" not in asking.statement
    assert "only a human may decide that" in asking.statement


def test_who_obeys_is_left_alone_and_climbs_down(monitor: Home, sources: Sources) -> None:
    for number in range(2):
        answer(monitor, sources, number)
    assert monitor.store.ladder("live").rung == "mute_live"
    rungs = []
    for number in range(2, 6):
        assert kinds(answer(monitor, sources, number, quiet(sources))) == ["allow"]
        rungs.append(monitor.store.ladder("live").rung)
    assert rungs == ["mute_live", "warn_live", "warn_live", None]


def test_a_segment_again_or_late_changes_nothing(monitor: Home, sources: Sources) -> None:
    first, third = answer(monitor, sources, 0), answer(monitor, sources, 2)
    stands = monitor.store.ladder("live")
    assert answer(monitor, sources, 0) == first
    assert kinds(third) == ["mute_live", "mute"]
    assert kinds(answer(monitor, sources, 1)) == ["mute"]  # it is over already
    assert monitor.store.ladder("live") == stands


def test_what_can_not_be_read_holds_the_ladder(monitor: Home, sources: Sources, tmp_path: Path) -> None:
    answer(monitor, sources, 0)
    assert kinds(answer(monitor, sources, 1, synth.text(tmp_path / "bad.ts"))) == ["review"]
    stands = monitor.store.ladder("live")
    assert (stands.rung, stands.sequence, stands.at_s, stands.clean_s) == ("warn_live", 1, 20.0, 0.0)


def test_recorded_videos_and_policies_without_rungs_have_no_ladder(monitor: Home, sources: Sources) -> None:
    assert kinds(answer(monitor, sources, 0, live=False)) == ["mute"]
    none = replace(monitor, policy=monitor.policy.model_copy(update={"live": LiveRules(rungs=())}))
    assert kinds(answer(none, sources, 1)) == ["mute"]
    assert monitor.store.ladder("live") == Ladder()


def test_the_end_of_a_stream_is_the_end_of_its_ladder(monitor: Home, sources: Sources) -> None:
    for number in range(2):
        answer(monitor, sources, number)
    assert kinds(answer(monitor, sources, 2, ended=True)) == ["mute"]
    assert monitor.store.ladder("live") == Ladder(sequence=2, at_s=30.0)
    assert kinds(answer(monitor, sources, 3, sources.live(1))) == ["warn_live", "mute"]


def test_each_segment_by_a_worker_of_its_own(monitor: Home, sources: Sources, database_url: str) -> None:
    """Restarts between any two segments, on both databases, lead to what one worker says."""
    alone = [answer(monitor, sources, number) for number in range(3)]
    with Store.open(database_url) as store:
        for work in monitor.store.works():
            store.add_work(work)
    told = []
    for number in range(3):
        with Store.open(database_url) as store:
            told.append(answer(replace(monitor, store=store), sources, number))
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
        meanwhile.append(answer(monitor, sources, 0))
        return save(store, *arguments, **named)

    monkeypatch.setattr(Store, "save", slow)
    second = answer(monitor, sources, 1)
    assert [kinds(a) for a in (*meanwhile, second)] == [["warn_live", "mute"], ["mute_live", "mute"]]
