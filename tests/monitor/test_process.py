"""The route of one segment: answered once, remembered, spans in the stream's time; what can't be read is reviewed."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sordino.fingerprints.model import Span
from sordino.monitor import settings
from sordino.monitor.home import Home, opened
from sordino.monitor.process import process
from sordino.monitor.store import Store, StoreError
from sordino.pipelines.consume import Answer
from sordino.pipelines.failures import Busy, Poison
from sordino.pipelines.messages import Media, Recommendation, Segment, TimeSpan
from tests import synth
from tests.sample_home import Sources


@pytest.fixture
def monitor(home: Path) -> Iterator[Home]:
    with opened(settings.load(home=home)) as opened_home:
        yield opened_home


def segment(stream_id: str, sequence: int, start_s: float | None = None, **fields: Any) -> Segment:
    begins = 10.0 * sequence if start_s is None else start_s
    given: dict[str, Any] = {"media": Media(uri="file:///srv/a.ts"), "duration_s": 10.0, **fields}
    return Segment(stream_id=stream_id, sequence=sequence, start_s=begins, **given)


def answer(home: Home, sources: Sources, stream_id: str, sequence: int, **fields: Any) -> Recommendation:
    media = contextlib.nullcontext(sources.live(sequence))
    answered = process(segment(stream_id, sequence, **fields), media, home)
    assert answered.poison is None
    return answered.recommendation


def kinds(recommendation: Recommendation) -> list[str]:
    return [measure.kind for measure in recommendation.measures]


def erased(*answers: Recommendation) -> list[tuple[float, float]]:
    measures = [measure for one in answers for measure in one.measures]
    assert {measure.kind for measure in measures} <= {"erase_music", "allow"}
    return sorted((span.start_s, span.end_s) for measure in measures for span in measure.spans)


def ends(span: TimeSpan | Span | tuple[float, float], start_s: float, end_s: float, within_s: float = 1.0) -> bool:
    first, last = span if isinstance(span, tuple) else (span.start_s, span.end_s)
    return abs(first - start_s) <= within_s and abs(last - end_s) <= within_s


class Unreadable(AbstractContextManager[Path]):
    """Media that can't be had."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __enter__(self) -> Path:
        raise self._error

    def __exit__(self, *details: object) -> None:
        return None


def test_a_song_across_segments_is_erased_where_it_is_in_the_stream(monitor: Home, sources: Sources) -> None:
    answers = [answer(monitor, sources, "live", number) for number in range(3)]
    first, second, third = erased(*answers)
    assert ends(first, 2, 10)
    assert ends(second, 10, 20, within_s=0.1)
    assert ends(third, 20, 28)
    (episode,) = monitor.store.episodes("live")
    assert ends(episode.query, 2, 28)
    assert ends(episode.reference, 9, 35)


def test_a_stream_that_was_joined_late(monitor: Home, sources: Sources) -> None:
    answers = [answer(monitor, sources, "late", number, start_s=3600 + 10.0 * number) for number in range(2)]
    assert erased(*answers)[0][0] == pytest.approx(3602, abs=1)
    assert [(a.stream_id, a.sequence) for a in answers] == [("late", 0), ("late", 1)]


def test_a_segment_that_has_an_answer_gets_it_again_and_its_media_is_not_read(monitor: Home, sources: Sources) -> None:
    first = answer(monitor, sources, "live", 0)
    again = process(segment("live", 0), Unreadable(AssertionError("it was read")), monitor)
    assert again == Answer(first)
    assert monitor.store.recommendations("live") == [first]


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 0, 2), (0, 2, 1)])
def test_segments_out_of_order_find_the_same_spans(monitor: Home, sources: Sources, order: tuple[int, ...]) -> None:
    answers = [answer(monitor, sources, "live", number) for number in order]
    found = erased(*answers)
    assert len(found) == 3
    assert ends((found[0][0], found[-1][1]), 2, 28)
    assert len({a.recommendation_id for a in answers}) == 3


def test_streams_do_not_know_of_each_other(monitor: Home, sources: Sources) -> None:
    answer(monitor, sources, "one", 0)
    other = process(segment("other", 0), contextlib.nullcontext(sources.speech), monitor).recommendation
    assert kinds(other) == ["allow"]
    assert monitor.store.episodes("other") == []


def test_the_end_of_a_stream_needs_no_media(monitor: Home, sources: Sources) -> None:
    answer(monitor, sources, "live", 0)
    end = segment("live", 3, media=None, duration_s=0.0, ended=True)
    ended = process(end, Unreadable(AssertionError("it was read")), monitor)
    assert kinds(ended.recommendation) == ["allow"]
    assert ended.poison is None


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (synth.empty, "empty"),
        (synth.text, "not_media"),
        (synth.truncated_mp4, "damaged"),
        (synth.picture, "unsupported_format"),
        (synth.huge_picture, "too_large"),
        (synth.hours, "too_long"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_can_not_be_decoded_is_reviewed_and_a_dead_letter(
    monitor: Home, sources: Sources, tmp_path: Path, make: Any, code: str
) -> None:
    bad = make(tmp_path / "bad.mp4")
    answered = process(segment("live", 0), contextlib.nullcontext(bad), monitor)
    assert kinds(answered.recommendation) == ["review"]
    assert answered.recommendation.automatic is False
    assert code in answered.recommendation.statement
    assert answered.poison is not None
    assert answered.poison[0] == code
    assert "bad.mp4" in answered.poison[1]
    following = answer(monitor, sources, "live", 1)  # the next one is worked on
    assert ends(erased(following)[0], 10, 20)


def test_what_can_never_be_fetched_is_reviewed_and_a_dead_letter(monitor: Home) -> None:
    poison = Poison("uri_not_allowed", "media.uri 'file:///etc/passwd' is in none of the allowed prefixes")
    answered = process(segment("live", 0), Unreadable(poison), monitor)
    assert kinds(answered.recommendation) == ["review"]
    assert answered.poison == (poison.code, str(poison))
    assert "uri_not_allowed" in answered.recommendation.statement
    again = process(segment("live", 0), Unreadable(AssertionError("it was read again")), monitor)
    assert again == answered  # the dead letter too: the first one may never have been sent


def test_storage_that_is_away_leaves_the_segment_unanswered(monitor: Home, sources: Sources) -> None:
    with pytest.raises(Busy, match="503"):
        process(segment("live", 0), Unreadable(Busy("storage_away", "503")), monitor)
    assert monitor.store.segment_answer("live", 0) is None
    assert erased(answer(monitor, sources, "live", 0))


@pytest.mark.parametrize(("code", "raised"), [("database_unreachable", Busy), ("database_corrupt", StoreError)])
def test_a_database_that_is_away_is_waited_for_a_broken_one_is_not(
    monitor: Home, sources: Sources, monkeypatch: pytest.MonkeyPatch, code: str, raised: type[Exception]
) -> None:
    def away(*arguments: object) -> None:
        raise StoreError(code, "database sqlite: away")

    with monkeypatch.context() as broken:
        broken.setattr(Store, "save", away)
        with pytest.raises(raised, match="away"):
            answer(monitor, sources, "live", 0)
    assert erased(answer(monitor, sources, "live", 0))


def answered_meanwhile(
    monitor: Home, sources: Sources, monkeypatch: pytest.MonkeyPatch, sequence: int
) -> dict[str, Recommendation]:
    """Have another worker answer this segment of the stream between the next one's analysis and its being saved."""
    meanwhile: dict[str, Recommendation] = {}
    save = Store.save

    def slow(store: Store, *arguments: Any) -> Recommendation:
        monkeypatch.setattr(Store, "save", save)
        meanwhile["answer"] = answer(monitor, sources, "live", sequence)
        return save(store, *arguments)

    monkeypatch.setattr(Store, "save", slow)
    return meanwhile


def test_another_worker_that_answers_the_stream_meanwhile_is_taken_account_of(
    monitor: Home, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile = answered_meanwhile(monitor, sources, monkeypatch, 1)
    first = answer(monitor, sources, "live", 0)
    found = erased(first, meanwhile["answer"])
    assert ends((found[0][0], found[-1][1]), 2, 20)
    (episode,) = monitor.store.episodes("live")  # neither overwrote what the other had found
    assert ends(episode.query, 2, 20)


def test_two_workers_with_the_same_segment_give_one_answer(
    monitor: Home, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile = answered_meanwhile(monitor, sources, monkeypatch, 0)
    assert answer(monitor, sources, "live", 0) == meanwhile["answer"]
    assert len(monitor.store.recommendations("live")) == 1


def test_a_stream_that_others_write_to_all_the_time_is_tried_again_later(
    monitor: Home, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(*arguments: object) -> None:
        raise StoreError("stale", "somebody else wrote to the stream")

    monkeypatch.setattr(Store, "save", stale)
    with pytest.raises(Busy, match="live") as caught:
        answer(monitor, sources, "live", 0)
    assert caught.value.code == "stale"


def test_a_segment_longer_than_allowed_is_reviewed(monitor: Home, sources: Sources) -> None:
    short = replace(monitor, settings=monitor.settings.model_copy(update={"max_segment_s": 5.0}))
    answered = process(segment("live", 0), contextlib.nullcontext(sources.live(0)), short)
    assert kinds(answered.recommendation) == ["review"]
    assert answered.poison is not None
    assert answered.poison[0] == "too_long"
