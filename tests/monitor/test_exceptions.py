"""What needs nobody's leave: the public domain, excluded stretches of a reference, small uses that a law permits."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.fingerprints.model import Match, Region
from sordino.monitor.policy import MinimumUse
from sordino.monitor.policy_files import load
from sordino.monitor.recommend import recommend
from sordino.monitor.timeline import extend
from sordino.monitor.uses import counted, measured
from sordino.monitor.works import Excluded, Reference, Work
from sordino.pipelines.messages import Segment
from tests.monitor.test_holders import POLICIES, kinds
from tests.monitor.test_recommend import ALLOW, FILM, MUTE_9, NOW, SONG, ask, done, facts, heard, seen, segment

URHDAG = load("urhdag")
MINUTES = 180.0


def lasting(work: Work, length_s: float = MINUTES, *excluded: Excluded) -> Work:
    name = work.work_id
    return replace(work, references=(Reference(name, name, "x", None, length_s, length_s, excluded=excluded),))


def test_the_public_domain_is_told_and_let_be() -> None:
    answer = ask(segment(), heard(20, 29), known=facts(replace(SONG, public_domain=True)))
    assert done(answer) == ALLOW
    assert answer.rejected == ()
    assert "it is in the public domain, so nothing is asked for it" in answer.statement
    assert "公有领域" in answer.statement_zh


@pytest.mark.parametrize(
    ("excluded", "expected", "says"),
    [
        pytest.param([(0, 40)], MUTE_9, "no licence on record", id="elsewhere in the reference"),
        pytest.param([(50, 59)], ALLOW, "excluded from claims (applause)", id="all of it"),
        pytest.param([(0, 57)], ALLOW, "excluded from claims (applause)", id="all but 2 s of it"),
        pytest.param([(0, 53)], [("mute", [(23.0, 29.0)])], "no licence on record", id="its beginning"),
        pytest.param(
            [(52, 54), (54, 55)], [("mute", [(20.0, 22.0), (25.0, 29.0)])], "no licence on record", id="its middle"
        ),
    ],
)
def test_excluded_stretches_of_a_reference_do_not_count(
    excluded: list[tuple[float, float]], expected: list[tuple[str, list[tuple[float, float]]]], says: str
) -> None:
    work = lasting(SONG, MINUTES, *(Excluded(start_s, end_s, "applause") for start_s, end_s in excluded))
    answer = ask(segment(), heard(20, 29), known=facts(work))
    assert done(answer) == expected
    assert says in answer.statement


def test_an_excluded_stretch_is_found_in_a_copy_that_plays_faster() -> None:
    fast = replace(heard(20, 29), reference=heard(0, 18).reference, speed=2.0)  # 50 to 68 s of it, in 9 s
    work = lasting(SONG, MINUTES, Excluded(50, 60))
    assert done(ask(segment(), fast, known=facts(work))) == [("mute", [(25.0, 29.0)])]


@pytest.mark.parametrize(
    ("one", "matches", "work", "stays_up"),
    [
        pytest.param(segment(), [heard(20, 35)], SONG, True, id="15 s"),
        pytest.param(segment(), [heard(20, 35.2)], SONG, False, id="more than 15 s"),
        pytest.param(segment(), [heard(5, 14), heard(30, 37)], SONG, False, id="twice, together over 15 s"),
        pytest.param(segment(), [heard(20, 34), seen(20, 34, "song")], SONG, True, id="14 s of sound and of pictures"),
        pytest.param(segment(territory="DE"), [heard(20, 29)], SONG, True, id="where the law holds"),
        pytest.param(segment(territory="FR"), [heard(20, 29)], SONG, False, id="elsewhere"),
        pytest.param(segment(commercial=True), [heard(20, 29)], SONG, False, id="sells something"),
        pytest.param(segment(9.0), [heard(0, 9), seen(0, 9, "song")], SONG, False, id="nothing but the work"),
        pytest.param(segment(9.0), [heard(0, 9)], SONG, True, id="the work under other pictures"),
        pytest.param(
            segment(9.0),
            [heard(0, 9), seen(0, 9, "song", region=Region(0, 0, 0.5, 1))],
            SONG,
            True,
            id="beside other pictures",
        ),
        pytest.param(segment(live=True), [seen(20, 29)], FILM, False, id="a film live"),
        pytest.param(segment(live=True), [heard(20, 29)], SONG, True, id="a song live"),
    ],
)
def test_a_small_use_is_presumed_to_be_permitted(
    one: Segment, matches: list[Match], work: Work, stays_up: bool
) -> None:
    answer = ask(one, *matches, known=facts(lasting(work)), policy=URHDAG)
    assert (kinds(answer) == ["track"]) == stays_up
    assert ("presume that it is permitted, and it stays up" in answer.statement) == stays_up
    assert answer.regime == "urhdag"
    assert kinds(ask(one, *matches, known=facts(lasting(work)))) != ["track"]  # the neutral pack presumes nothing


@pytest.mark.parametrize(("length_s", "stays_up"), [(18.2, True), (18.0, False), (0.0, False)])
def test_less_than_half_of_the_work(length_s: float, stays_up: bool) -> None:
    short = replace(heard(20, 29), reference=heard(0, 9, reference_s=0).reference)
    answer = ask(segment(), short, known=facts(lasting(SONG, length_s)), policy=URHDAG)
    assert (kinds(answer) == ["track"]) == stays_up


def test_over_several_segments_it_adds_up() -> None:
    work = facts(lasting(SONG))
    first, second = segment(10.0, stream_id="s"), segment(10.0, stream_id="s", sequence=1, start_s=10.0)
    assert kinds(ask(first, heard(0, 10), known=work, policy=URHDAG)) == ["track"]
    episodes = extend(extend([], first, [heard(0, 10)]), second, [heard(0, 8, reference_s=60.0)])
    answer = recommend(second, [heard(0, 8, reference_s=60.0)], episodes, work, URHDAG, now=NOW)
    assert done(answer) == [("mute", [(10.0, 18.0)])]


def test_a_holder_who_asks_for_less_goes_before_the_law() -> None:
    known = facts(replace(lasting(SONG), policy="allow"))
    assert done(ask(segment(), heard(20, 29), known=known, policy=URHDAG, holders=POLICIES)) == ALLOW


def test_of_a_work_in_parts_all_of_them_count() -> None:
    parts = tuple(Reference(f"p{n}", "song", "x", None, 600.0, 0.0, begins_s=600.0 * n) for n in range(3))
    work = replace(SONG, references=parts)
    episodes = extend([], segment(), [heard(0, 9, "p0"), heard(20, 29, "p2")])
    assert measured(episodes, work, 45.0, ["audio"]).of_reference == pytest.approx(18 / 1800)


spans = st.tuples(st.integers(0, 300), st.integers(1, 60)).map(lambda at: (at[0] / 5, at[0] / 5 + at[1] / 5))


@given(spans, st.lists(spans, max_size=4))
def test_what_counts_and_what_is_excluded_make_up_the_episode(
    played: tuple[float, float], cuts: list[tuple[float, float]]
) -> None:
    work = lasting(SONG, MINUTES, *(Excluded(*cut) for cut in cuts))
    [episode] = extend([], segment(200.0), [heard(*played, reference_s=played[0])])
    left_s = sum(span.duration_s for span in counted(episode, work))
    tenths = {t for t in range(1000) if played[0] <= t / 5 + 0.1 < played[1]}
    cut = {t for t in tenths if any(start_s <= t / 5 + 0.1 < end_s for start_s, end_s in cuts)}
    assert left_s == pytest.approx(0.2 * len(tenths - cut))


def test_a_rule_s_territories_may_be_groups() -> None:
    rule: dict[str, Any] = {"law": "L", "territories": ("DACH",), "up_to_s": 15, "under_of_work": 0.5}
    assert MinimumUse(**rule).territories == ("AT", "CH", "DE")
