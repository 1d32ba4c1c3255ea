"""One contract, held to by both databases: what is put in comes out, and answers are given once."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sordino.monitor.brakes import Usage
from sordino.monitor.cases import Case, Subject
from sordino.monitor.feed import Feed, FeedSegment
from sordino.monitor.ladder import Ladder
from sordino.monitor.store import Store, StoreError, Stream
from sordino.monitor.store.effects import Effects
from sordino.monitor.works import Excluded, Licence, Ownership, Reference, Work
from sordino.pipelines.messages import PictureRegion
from tests.monitor import store_samples as samples


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened


def refused(code: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> StoreError:
    with pytest.raises(StoreError) as caught:
        call(*args, **kwargs)
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


# Works


def test_a_work_comes_back_with_its_owners_and_references(store: Store) -> None:
    store.add_work(samples.work())
    assert store.work("work-1") == samples.work()


_numbers = itertools.count()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_work_and_licence_come_back(store: Store, data: st.DataObject) -> None:
    number = next(_numbers)
    work = data.draw(samples.works(f"any-{number}"))
    store.add_work(work)
    assert store.work(work.work_id) == work
    licence = data.draw(samples.licences(f"licence-{number}", work.work_id))
    if work.withdrawn:
        refused("not_found", store.add_licence, licence)
    else:
        store.add_licence(licence)
        assert store.licences(work.work_id) == [licence]


def test_times_come_back_in_utc_and_registration_is_now_by_default(store: Store) -> None:
    before = datetime.now(UTC)
    store.add_work(Work("w", "T", "film", (Ownership("h"),)))
    registered = store.work("w").registered
    assert registered is not None
    assert before <= registered <= datetime.now(UTC)
    assert registered.tzinfo is UTC
    ten = datetime(2026, 1, 1, 10, tzinfo=timezone(timedelta(hours=-5)))
    store.add_licence(Licence("l", "w", "shop", starts=ten))
    starts = store.licences()[0].starts
    assert starts == ten
    assert starts.tzinfo is UTC
    assert starts.hour == 15


def test_works_are_listed_in_order_of_registration_across_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sordino.monitor.store.registry.PAGE", 3)
    at = [samples.NOON + timedelta(hours=hours) for hours in (5, 1, 1, 1, 1, 3, 2)]  # four at once: a tie across pages
    for number, registered in enumerate(at):
        store.add_work(Work(f"w{number}", "T", "film", (Ownership("h"),), registered=registered))
    assert [work.work_id for work in store.works()] == ["w1", "w2", "w3", "w4", "w6", "w5", "w0"]


def test_works_of_one_holder(store: Store) -> None:
    store.add_work(samples.work("1", holder="Red"))
    store.add_work(samples.work("2", holder="Blue"))
    assert [work.work_id for work in store.works(holder="Blue")] == ["work-2"]
    assert [work.work_id for work in store.works(holder="Other")] == ["work-1", "work-2"]
    assert list(store.works(holder="Nobody")) == []


def test_references_of_all_works(store: Store) -> None:
    store.add_work(samples.work("1"))
    store.add_work(samples.work("2"))
    store.withdraw_work("work-1")
    assert list(store.references()) == list(samples.work("2").references)


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(samples.work("1"), id="same work"),
        pytest.param(
            Work("new", "T", "film", (Ownership("h"),), (Reference("ref-1-b", "new", "/p", "s", 1.0, 0.0),)),
            id="same reference",
        ),
    ],
)
def test_what_is_registered_already_is_refused_wholly(store: Store, again: Work) -> None:
    store.add_work(samples.work("1"))
    error = refused("conflict", store.add_work, again)
    assert again.work_id in str(error)
    assert not error.transient
    assert [work.work_id for work in store.works()] == ["work-1"]
    if again.work_id == "new":
        refused("not_found", store.work, "new")


def test_a_withdrawn_work_leaves_lists_and_facts_but_not_history(store: Store) -> None:
    store.add_work(samples.work())
    store.add_licence(samples.licence())
    store.save(samples.segment(), [samples.match()], [samples.episode()], samples.recommendation())
    store.withdraw_work("work-1")
    store.withdraw_work("work-1")
    assert list(store.works()) == []
    assert store.facts_for(["ref-1-a"]).works == {}
    assert store.licences() == []
    assert store.reference_by_sha256("sha-1-a", "Blue Label") is None
    assert store.work("work-1").withdrawn
    assert store.matches("stream", 0) == [samples.match()]
    refused("not_found", store.withdraw_work, "work-2")


def test_the_same_bytes_are_recognised_per_holder(store: Store) -> None:
    store.add_work(samples.work("1", holder="Red", sha256="same"))
    store.add_work(samples.work("2", holder="Blue", sha256="same"))
    assert store.reference_by_sha256("same", "Red") == samples.work("1", sha256="same").references[0]
    assert store.reference_by_sha256("same", "Blue") == samples.work("2", sha256="same").references[0]
    assert store.reference_by_sha256("same", "Green") is None
    store.withdraw_work("work-1")
    assert store.reference_by_sha256("same", "Red") is None


# Live feeds

SEGMENT = FeedSegment("live", 7, "live_7.ts", 5_000_000_000, 1_767_225_600_123_456_789, 10.5, 10.0, 1.4, "ref-1", "sha")
BAD = FeedSegment("live", 8, "live_8.ts", 10, 11, 20.5, 10.0, error="damaged: live_8.ts: no header")


def live(work_id: str = "live-1", title: str = "Final", holder: str = "Red League") -> Work:
    return Work(work_id, title, "sport", (Ownership(holder), Ownership("Other")), registered=samples.NOON)


def reference(work_id: str = "live-1", number: int = 1, audio_s: float = 10.0) -> Reference:
    return Reference(f"ref-{number}", work_id, "/feed", None, audio_s, 9.5, begins_s=10.5)


def test_what_is_taken_from_a_feed_comes_back(store: Store) -> None:
    store.begin_feed(live(), "/feed")
    assert store.feed("live-1") == Feed("live-1", "/feed", {})
    store.take("live-1", SEGMENT, reference())
    store.take("live-1", BAD, None)
    assert store.feed("live-1") == Feed("live-1", "/feed", {7: SEGMENT, 8: BAD})
    assert store.work("live-1").references == (reference(),)
    assert store.facts_for(["ref-1"]).works["ref-1"].title == "Final"


def test_a_segment_taken_again_is_replaced_and_its_reference_lengthened(store: Store) -> None:
    store.begin_feed(live(), "/feed")
    store.take("live-1", SEGMENT, reference())
    longer = replace(SEGMENT, length_s=12.0, sha256="other")
    store.take("live-1", longer, reference(audio_s=22.5))
    store.take("live-1", BAD, reference(number=2))
    assert store.feed("live-1").segments[7] == longer
    assert store.work("live-1").references == (reference(audio_s=22.5), reference(number=2))
    assert not store.keeps("sha")
    assert store.keeps("other")


def test_a_feed_is_known_by_folder_holder_and_title(store: Store) -> None:
    store.add_work(samples.work())
    store.begin_feed(live(), "/feed")
    assert store.find_feed("/feed", "Red League", "Final") == "live-1"
    for other in (("/other", "Red League", "Final"), ("/feed", "Blue", "Final"), ("/feed", "Red League", "Semi")):
        assert store.find_feed(*other) is None
    refused("conflict", store.begin_feed, live(), "/other")
    refused("not_found", store.feed, "work-1")
    refused("not_found", store.feed, "none")
    store.withdraw_work("live-1")
    assert store.find_feed("/feed", "Red League", "Final") is None
    refused("not_found", store.take, "live-1", SEGMENT, reference())
    assert store.feed("live-1").segments == {}


def test_media_of_references_and_segments_are_kept_of_withdrawn_works_too(store: Store) -> None:
    store.add_work(samples.work("1", sha256="a"))
    store.begin_feed(live(), "/feed")
    store.take("live-1", SEGMENT, reference())
    for work_id in ("work-1", "live-1"):
        store.withdraw_work(work_id)
    assert [store.keeps(sha256) for sha256 in ("a", "sha", "none")] == [True, True, False]


# Licences and facts


def test_licences_are_listed_by_work_and_removed(store: Store) -> None:
    store.add_work(samples.work("1"))
    store.add_work(samples.work("2"))
    one, two = samples.licence("1"), samples.licence("2", work_id="work-2")
    store.add_licence(one)
    store.add_licence(two)
    assert store.licences() == [one, two]
    assert store.licences("work-2") == [two]
    refused("conflict", store.add_licence, one)
    store.remove_licence("licence-1")
    assert store.licences() == [two]
    assert store.facts_for(["ref-1-a"]).licences == ()
    refused("not_found", store.remove_licence, "licence-1")
    refused("not_found", store.add_licence, samples.licence("3", work_id="work-3"))


def test_facts_are_the_works_of_the_references_and_their_licences(store: Store) -> None:
    for name in "123":
        store.add_work(samples.work(name))
        store.add_licence(samples.licence(name, work_id=f"work-{name}"))
    facts = store.facts_for(iter(["ref-1-a", "ref-3-b", "ref-3-b", "unknown"]))
    assert facts.works == {"ref-1-a": samples.work("1"), "ref-3-b": samples.work("3")}
    assert [licence.licence_id for licence in facts.licences] == ["licence-1", "licence-3"]
    assert store.facts_for([]).works == {}


def test_a_licence_for_a_catalogue_bears_on_all_works_of_its_holder(store: Store) -> None:
    store.add_work(samples.work("1", holder="Blue"))
    store.add_work(samples.work("2", holder="Red"))
    of_blue, of_both = Licence("a", None, "shop", holder="Blue"), Licence("b", None, "shop", holder="Other")
    of_one = samples.licence("1")
    for licence in (of_blue, of_both, of_one):
        store.add_licence(licence)
    assert sorted(store.licences(), key=lambda licence: licence.licence_id) == [of_blue, of_both, of_one]
    assert {licence.licence_id for licence in store.licences("work-1")} == {"a", "b", "licence-1"}
    assert store.facts_for(["ref-2-a"]).licences == (of_both,)
    store.withdraw_work("work-1")
    assert {licence.licence_id for licence in store.licences()} == {"a", "b"}  # the catalogue's go on
    store.remove_licence("b")
    assert store.facts_for(["ref-2-a"]).licences == ()


def test_groups_of_accounts(store: Store) -> None:
    assert store.add_to_group("partners", ["shop-9", "shop-7"]) == ["shop-7", "shop-9"]
    assert store.add_to_group("partners", ["shop-7", "shop-8"]) == ["shop-7", "shop-8", "shop-9"]
    store.add_to_group("friends", ["shop-7"])
    assert store.facts_for([], "shop-7").account_groups == {"partners", "friends"}
    assert store.facts_for([], "shop-9").account_groups == {"partners"}
    assert store.facts_for([]).account_groups == frozenset()
    assert store.take_from_group("partners", ["shop-9"]) == ["shop-7", "shop-8"]
    error = refused("not_found", store.take_from_group, "partners", ["shop-7", "shop-9"])
    assert "shop-9" in str(error)
    assert store.add_to_group("partners", []) == ["shop-7", "shop-8"]  # nothing was taken


def test_owners_join_a_work(store: Store) -> None:
    store.add_work(Work("w", "T", "film", (Ownership("A", 0.5),)))
    joined = Ownership("B", 0.5, ("DE",), "strict")
    assert store.add_owner("w", joined).owners == (Ownership("A", 0.5), joined)
    assert store.work("w").owners == (Ownership("A", 0.5), joined)
    refused("not_found", store.add_owner, "nobody", joined)
    store.withdraw_work("w")
    refused("not_found", store.add_owner, "w", joined)


def test_stretches_of_a_reference_are_excluded_each_once(store: Store) -> None:
    store.add_work(samples.work())
    one, other = Excluded(10.0, 12.5, "a sample"), Excluded(1.0, 2.0)
    for excluded in (one, other, one):
        reference = store.exclude("ref-1-a", excluded)
    assert reference.excluded == (one, other)
    assert store.work("work-1").references[0] == reference
    assert "181.2 s" in str(refused("invalid_value", store.exclude, "ref-1-a", Excluded(181.25, 190)))
    refused("not_found", store.exclude, "ref-9", one)


# Streams


def test_an_answer_comes_back_with_all_that_led_to_it(store: Store) -> None:
    found = [samples.match(), samples.match(region=PictureRegion(x=0.1, y=0.2, w=0.5, h=1 / 3))]
    merged = [samples.episode(), samples.episode(reference_id="ref-2")]
    assert store.save(samples.segment(), found, merged, samples.recommendation()) == samples.recommendation()
    assert store.segment_answer("stream", 0) == samples.recommendation()
    assert store.matches("stream", 0) == found
    assert store.episodes("stream") == merged
    assert store.stream("stream") == Stream("stream", revision=1, end_s=10.0, ended=False)


def test_what_was_never_seen_is_none_or_empty(store: Store) -> None:
    assert store.segment_answer("stream", 0) is None
    assert store.latest_recommendation("stream") is None
    assert store.segment_end_s("stream", 0) is None
    assert store.episodes("stream") == []
    assert store.matches("stream", 0) == []
    assert store.recommendations() == []
    assert store.stream("stream") == Stream("stream", revision=0, end_s=0.0, ended=False)


def test_redelivery_changes_nothing(store: Store) -> None:
    first = samples.recommendation(name="first")
    store.save(samples.segment(), [samples.match()], [samples.episode()], first)
    again = store.save(samples.segment(), [], [], samples.recommendation(name="second"), error="media_truncated")
    assert again == first
    assert store.segment_answer("stream", 0) == first
    assert store.recommendations() == [first]
    assert store.matches("stream", 0) == [samples.match()]
    assert store.episodes("stream") == [samples.episode()]
    assert store.stream("stream").revision == 1


def test_segments_out_of_order(store: Store) -> None:
    for sequence in (2, 0, 1):
        store.save(samples.segment(sequence), [], [samples.episode(sequence)], samples.recommendation(sequence))
    assert store.episodes("stream") == [samples.episode(1)]
    assert store.stream("stream").end_s == 30.0
    assert store.segment_end_s("stream", 0) == 10.0
    assert store.latest_recommendation("stream") == samples.recommendation(1)
    assert [r.sequence for r in store.recommendations("stream")] == [1, 0, 2]


def test_streams_do_not_mix(store: Store) -> None:
    for stream_id in ("a", "b"):
        answer = samples.recommendation(stream_id=stream_id)
        store.save(samples.segment(stream_id=stream_id), [], [samples.episode(stream_id=stream_id)], answer)
    assert store.episodes("a") == [samples.episode(stream_id="a")]
    assert [r.stream_id for r in store.recommendations()] == ["b", "a"]
    assert [r.stream_id for r in store.recommendations(limit=1)] == ["b"]
    assert [r.stream_id for r in store.recommendations("a")] == ["a"]


def test_an_ended_stream_stays_ended(store: Store) -> None:
    store.save(samples.segment(1, ended=True), [], [], samples.recommendation(1))
    store.save(samples.segment(0), [], [], samples.recommendation(0))
    assert store.stream("stream").ended


def test_an_answer_made_from_an_old_revision_is_refused(store: Store) -> None:
    revision = store.stream("stream").revision
    store.save(samples.segment(0), [], [samples.episode(0)], samples.recommendation(0), revision=revision)
    late, answer = samples.segment(1), samples.recommendation(1)
    error = refused("stale", store.save, late, [], [samples.episode(1)], answer, revision=revision)
    assert error.transient
    assert store.segment_answer("stream", 1) is None
    assert store.episodes("stream") == [samples.episode(0)]
    store.save(late, [], [samples.episode(1)], answer, revision=store.stream("stream").revision)
    assert store.segment_answer("stream", 1) == answer


def test_bytes_of_inline_media_are_not_stored(store: Store) -> None:
    inline = "SU5MSU5FIE1FRElB" * 1000
    store.save(samples.segment(inline=inline), [], [], samples.recommendation(), error="media_truncated: a.mp4")
    with store._engine.connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM segments")).mappings().one()
    assert inline[:16] not in str(dict(row))
    assert "Shoes" in str(row["message"])
    assert row["error"] == "media_truncated: a.mp4"


@pytest.mark.parametrize(
    "title", [pytest.param("a\0b", id="NUL"), pytest.param("a\ud800b", id="half a surrogate pair")]
)
def test_text_that_a_database_cannot_hold_is_refused(store: Store, title: str) -> None:
    error = refused("invalid_value", store.add_work, Work("w", title, "film", (Ownership("h"),)))
    assert not error.transient
    assert list(store.works()) == []


def test_an_answer_belongs_to_one_segment_only(store: Store) -> None:
    store.save(samples.segment(0), [], [], samples.recommendation(0))
    elsewhere = samples.recommendation(0).model_copy(update={"sequence": 1})
    refused("conflict", store.save, samples.segment(1), [], [], elsewhere)
    assert store.segment_answer("stream", 1) is None
    assert store.stream("stream").revision == 1


# The live ladder, brakes and cases

LATE = samples.NOON.replace(hour=23, minute=59)
NEXT_DAY = LATE + timedelta(minutes=2)


def answered(store: Store, sequence: int, changes: Effects | None, stream_id: str = "stream") -> None:
    answer = samples.recommendation(sequence, stream_id=stream_id)
    store.save(samples.segment(sequence, stream_id=stream_id), [], [], answer, changes=changes)


def spent(store: Store, now: datetime = samples.NOON) -> dict[Subject, int]:
    return dict(store.usage(now, [samples.REFERENCE, samples.HOLDER]).counts)


def test_what_an_answer_changes_comes_back(store: Store) -> None:
    assert store.ladder("stream") == Ladder()
    assert spent(store) == {}
    answered(store, 0, samples.effects())
    assert store.ladder("stream") == samples.effects().ladder
    assert store.ladder("other") == Ladder()
    assert spent(store) == {samples.REFERENCE: 1, samples.HOLDER: 1}
    assert store.cases() == store.cases("quarantine") == [samples.case()]
    assert store.cases("quota") == []
    answered(store, 1, replace(samples.effects(1), ladder=Ladder(sequence=1)))
    assert store.ladder("stream") == Ladder(sequence=1)
    answered(store, 2, None)
    assert store.ladder("stream") == Ladder(sequence=1)
    assert spent(store) == {samples.REFERENCE: 2, samples.HOLDER: 2}


def test_redelivery_changes_nothing_besides(store: Store) -> None:
    answered(store, 0, samples.effects())
    other = Effects(samples.NOON, Ladder("slate_live"), {samples.REFERENCE: 9}, (samples.case("2", reference_id="b"),))
    again = store.save(samples.segment(), [], [], samples.recommendation(name="again"), changes=other)
    assert again == samples.recommendation()
    assert store.ladder("stream") == samples.effects().ladder
    assert spent(store) == {samples.REFERENCE: 1, samples.HOLDER: 1}
    assert store.cases() == [samples.case()]


def test_a_quota_is_never_exceeded_and_nothing_is_stored_where_it_would_be(store: Store) -> None:
    changes = replace(samples.effects(), spends={samples.REFERENCE: 2, samples.HOLDER: 10})
    answered(store, 0, changes)
    answered(store, 1, changes)
    error = refused("stale", answered, store, 2, changes)
    assert "ref-1-a" in str(error)
    assert store.segment_answer("stream", 2) is None
    assert spent(store) == {samples.REFERENCE: 2, samples.HOLDER: 2}
    answered(store, 2, replace(changes, spends={samples.HOLDER: 10}))
    assert spent(store) == {samples.REFERENCE: 2, samples.HOLDER: 3}


def test_a_day_is_one_of_utc(store: Store) -> None:
    in_lima = LATE.astimezone(timezone(timedelta(hours=-5)))
    for sequence, now in enumerate((in_lima, LATE, NEXT_DAY)):
        answered(store, sequence, replace(samples.effects(), now=now))
    assert spent(store, LATE) == spent(store, in_lima) == {samples.REFERENCE: 2, samples.HOLDER: 2}
    assert spent(store, NEXT_DAY) == {samples.REFERENCE: 1, samples.HOLDER: 1}


def test_of_one_kind_and_subject_one_case_is_open_at_a_time(store: Store) -> None:
    quota = Case("case-q", "quota", Subject("holder", "ref-1-a"), "used up", LATE)
    opened = (samples.case("1"), samples.case("2"), samples.case("3", reference_id="ref-2"), quota)
    answered(store, 0, Effects(samples.NOON, cases=opened))
    assert store.cases() == [samples.case("1"), samples.case("3", reference_id="ref-2"), quota]
    wanted = [samples.REFERENCE, Subject("reference", "ref-9"), Subject("holder", "ref-2")]
    assert store.usage(samples.NOON, wanted) == Usage({}, frozenset({"ref-1-a"}))


def test_a_release_closes_the_case_and_the_quota_begins_anew(store: Store) -> None:
    answered(store, 0, samples.effects())
    refused("not_found", store.release, "ref-2", samples.NOON)
    closed = store.release("ref-1-a", samples.NOON + timedelta(hours=1))
    assert closed == replace(samples.case(), closed=samples.NOON + timedelta(hours=1))
    assert closed.state == "closed"
    assert store.cases() == []
    assert store.usage(samples.NOON, [samples.REFERENCE]) == Usage()
    assert spent(store) == {samples.HOLDER: 1}
    refused("not_found", store.release, "ref-1-a", samples.NOON)
    answered(store, 1, Effects(samples.NOON, cases=(samples.case("2"),)))
    assert store.cases() == [samples.case("2")]
