"""What rights holders ask for: a ceiling, never exceeded; where owners differ, the least of it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.fingerprints.model import Match
from sordino.monitor.holders import HolderPolicy, Outcome
from sordino.monitor.layers import Trial
from sordino.monitor.policy import Policy, PolicyError
from sordino.monitor.policy_files import holders, load_any
from sordino.monitor.timeline import MAX_GAP_S
from sordino.monitor.weighing import LADDER, LEAVES_UP
from sordino.monitor.works import Licence, Ownership, Reference, Work
from sordino.pipelines.messages import Recommendation, Segment
from tests.monitor.test_recommend import (
    ALLOW,
    FILM,
    MUTE_9,
    NOW,
    SONG,
    WORKS,
    ask,
    done,
    facts,
    found,
    heard,
    seen,
    segment,
)

HEAD = 'kind = "holder"\nname = "mine"\nversion = 3\n'
RULE = 'outcome = "mute"\n[[rules]]\noutcome = "track"\n'
BLANK_6 = [("blank", [(10.0, 16.0)])]


def asking(outcome: str, *rules: dict[str, Any], name: str = "wish", **settings: Any) -> HolderPolicy:
    values = {"kind": "holder", "name": name, "version": 1, "outcome": outcome, "rules": rules, **settings}
    return HolderPolicy.model_validate(values)


def ask_under(wish: HolderPolicy, one: Segment, *matches: Match, **how: Any) -> Recommendation:
    known = facts(replace(SONG, policy=wish.name), replace(FILM, policy=wish.name))
    return ask(one, *matches, known=known, holders={wish.name: wish}, **how)


def kinds(answer: Recommendation) -> list[str]:
    return [measure.kind for measure in answer.measures]


TAKEN_OUT = [Trial("song", heard(20, 29).query, 21.0, True, "")]
NOT_TAKEN_OUT = [Trial("song", heard(20, 29).query, 6.1, False, "the song is still found in what is left")]


@pytest.mark.parametrize(
    ("wish", "fields", "how", "expected"),
    [
        pytest.param("allow", {}, {}, ALLOW, id="nothing"),
        pytest.param("label", {}, {}, [("label", [(10, 16), (20, 29)])], id="a label"),
        pytest.param("track", {}, {}, [("track", [(10, 16), (20, 29)])], id="to be told"),
        pytest.param("share_revenue", {}, {}, [("share_revenue", [(10, 16), (20, 29)])], id="a share"),
        pytest.param("erase_music", {}, {"trials": TAKEN_OUT}, [("erase_music", [(20, 29)])], id="erasing works"),
        pytest.param("erase_music", {}, {"trials": NOT_TAKEN_OUT}, [("review", [(20, 29)])], id="erasing doesn't work"),
        pytest.param("erase_music", {}, {}, [("review", [(20, 29)])], id="erasing wasn't tried"),
        pytest.param("mute", {}, {"trials": TAKEN_OUT}, [("erase_music", [(20, 29)])], id="less than muting suffices"),
        pytest.param("mute", {}, {"trials": NOT_TAKEN_OUT}, MUTE_9, id="muting takes over"),
        pytest.param("blur_region", {}, {}, [*MUTE_9, ("blur_region", [(10, 16)])], id="all of the picture blurred"),
        pytest.param("blank", {}, {}, [*MUTE_9, *BLANK_6], id="blanking"),
        pytest.param("restrict_territory", {"territory": "DE"}, {}, [*MUTE_9, *BLANK_6], id="territory: less suffices"),
        pytest.param("disable_commerce", {}, {}, ALLOW, id="not for sale, and nothing is sold"),
        pytest.param(
            "disable_commerce",
            {"commercial": True},
            {},
            [("disable_commerce", [(10, 16), (20, 29)])],
            id="not for sale",
        ),
        pytest.param("remove", {}, {}, [*MUTE_9, *BLANK_6], id="deletion, but less suffices"),
    ],
)
def test_a_wish_is_a_ceiling(
    wish: str, fields: dict[str, Any], how: dict[str, Any], expected: list[tuple[str, list[tuple[float, float]]]]
) -> None:
    answer = ask_under(asking(wish), segment(**fields), heard(20, 29), seen(10, 16), **how)
    assert done(answer) == expected


def test_restriction_is_what_is_left_where_the_platform_does_nothing_less() -> None:
    policy = Policy(name="blunt", version=1, admissible=("restrict_territory", "remove"))
    answer = ask_under(asking("restrict_territory"), segment(territory="DE"), heard(20, 29), policy=policy)
    [measure] = answer.measures
    assert (measure.kind, measure.territories, answer.automatic) == ("restrict_territory", ("DE",), True)
    assert "make the video unavailable in DE" in answer.statement


def test_where_rights_end_at_a_border_the_audience_decides() -> None:
    american = facts(replace(SONG, owners=(Ownership("Label A", 1.0, ("US",)),)))
    for audience, expected in ({"US": 0.02}, "restrict_territory"), ({"US": 0.9}, "mute"), ({}, "review"):
        policy = Policy(name="mine", version=1, audience=audience)
        answer = ask(segment(), heard(20, 29), known=american, policy=policy)
        assert kinds(answer) == [expected]
        assert answer.automatic == (expected != "review")
    [row] = [row for row in answer.rejected if row.measure.kind == "restrict_territory"]
    assert (row.measure.territories, row.residual_s) == (("US",), 0)


def test_a_failed_trial_is_told_with_its_figure() -> None:
    answer = ask(segment(), heard(20, 29), trials=NOT_TAKEN_OUT)
    assert done(answer) == MUTE_9
    [row] = [row for row in answer.rejected if row.measure.kind == "erase_music"]
    assert (row.residual_s, row.collateral_s) == (9, 0)
    assert row.why.endswith("weakens the music by 6.1 dB only, and the song is still found in what is left.")
    assert row.why in answer.statement


def test_voice_is_lost_only_where_there_is_voice() -> None:
    voice = [heard(18, 22).query]
    answer = ask(segment(start_s=100.0), heard(20, 29), voice=voice)
    assert done(answer) == [("mute", [(120.0, 129.0)])]
    assert answer.collateral_s == 2
    assert "assumed" not in answer.statement


def test_what_the_platform_does_not_do_becomes_a_label() -> None:
    policy = Policy(name="poor", version=1, admissible=("label", "mute"))
    answer = ask_under(asking("share_revenue"), segment(), heard(20, 29), policy=policy)
    assert done(answer) == [("label", [(20, 29)])]
    bare = Policy(name="bare", version=1, admissible=("mute",))
    assert done(ask_under(asking("share_revenue"), segment(), heard(20, 29), policy=bare)) == ALLOW


def test_one_work_stays_up_and_the_other_does_not() -> None:
    policy = asking("track")
    known = facts(replace(SONG, policy="wish"))
    answer = ask(segment(), heard(20, 29), seen(10, 16), known=known, holders={"wish": policy})
    assert done(answer) == [*BLANK_6, ("track", [(20, 29)])]
    assert answer.holder_policies == (policy.version_name,)
    assert "the holder's policy wish leaves it up: the holder is to be told of it" in answer.statement


LONG = Reference("song", "song", "song.wav", None, 100.0, 0.0)


@pytest.mark.parametrize(
    ("when", "one", "matches", "holds"),
    [
        pytest.param({"tracks": "audio"}, segment(), [heard(20, 29)], True, id="sound only"),
        pytest.param({"tracks": "audio"}, segment(), [heard(20, 29), seen(1, 9, "song")], False, id="pictures, too"),
        pytest.param({"tracks": "both"}, segment(), [heard(20, 29), seen(1, 9, "song")], True, id="both"),
        pytest.param({"tracks": "video"}, segment(), [heard(20, 29)], False, id="no pictures"),
        pytest.param({"under_s": 10}, segment(), [heard(20, 29)], True, id="short"),
        pytest.param({"under_s": 9}, segment(), [heard(20, 29)], False, id="just not short"),
        pytest.param({"at_least_s": 9}, segment(), [heard(20, 29)], True, id="just long"),
        pytest.param({"under_s": 10}, segment(), [heard(20, 29), heard(31, 35)], False, id="twice is longer"),
        pytest.param({"under_of_copy": 0.25}, segment(), [heard(20, 29)], True, id="a fifth of the copy"),
        pytest.param({"at_least_of_copy": 0.25}, segment(), [heard(20, 29)], False, id="not a quarter of the copy"),
        pytest.param({"under_of_reference": 0.1}, segment(), [heard(20, 29)], True, id="9 % of the work"),
        pytest.param({"at_least_of_reference": 0.1}, segment(), [heard(20, 29)], False, id="not 10 % of the work"),
        pytest.param({"territories": ["DACH"]}, segment(territory="AT"), [heard(20, 29)], True, id="a group"),
        pytest.param(
            {"territories": ["OURS"]}, segment(territory="FR"), [heard(20, 29)], True, id="a group of one's own"
        ),
        pytest.param({"territories": ["DACH"]}, segment(territory="FR"), [heard(20, 29)], False, id="elsewhere"),
        pytest.param({"live": True}, segment(live=True), [heard(20, 29)], True, id="live"),
        pytest.param({"live": True}, segment(), [heard(20, 29)], False, id="not live"),
        pytest.param({"commercial": False}, segment(), [heard(20, 29)], True, id="nothing sold"),
        pytest.param({"commercial": False}, segment(commercial=True), [heard(20, 29)], False, id="sold"),
        pytest.param({"accounts": ["shop-7"]}, segment(account="shop-7"), [heard(20, 29)], True, id="account"),
        pytest.param({"accounts": ["shop-7"]}, segment(account="shop-8"), [heard(20, 29)], False, id="other account"),
        pytest.param({"account_groups": ["fans"]}, segment(account="shop-8"), [heard(20, 29)], True, id="in a group"),
        pytest.param({"account_groups": ["foes"]}, segment(account="shop-8"), [heard(20, 29)], False, id="in no group"),
        pytest.param({"starts": NOW}, segment(), [heard(20, 29)], True, id="begins now"),
        pytest.param({"ends": NOW}, segment(), [heard(20, 29)], False, id="is over"),
        pytest.param(
            {"under_s": 10, "commercial": False}, segment(commercial=True), [heard(20, 29)], False, id="one of two"
        ),
    ],
)
def test_conditions(when: dict[str, Any], one: Segment, matches: list[Match], holds: bool) -> None:
    policy = asking("blank", {"outcome": "track", "when": when}, groups={"OURS": ["FR"]})
    known = replace(facts(replace(SONG, policy="wish", references=(LONG,))), account_groups=frozenset({"fans"}))
    answer = ask(one, *matches, known=known, holders={"wish": policy})
    assert kinds(answer)[0] == ("track" if holds else "mute")


@pytest.mark.parametrize(
    ("when", "fields"),
    [
        pytest.param({"territories": ["DE"]}, {}, id="where it is shown"),
        pytest.param({"accounts": ["shop-7"]}, {}, id="who publishes it"),
        pytest.param({"under_of_reference": 0.5}, {}, id="how long the work is"),
    ],
)
def test_what_is_not_known_never_makes_a_wish_stronger(when: dict[str, Any], fields: dict[str, Any]) -> None:
    mild_there = asking("blank", {"outcome": "track", "when": when})
    assert kinds(ask_under(mild_there, segment(**fields), heard(20, 29))) == ["track"]
    strict_there = asking("track", {"outcome": "blank", "when": when})
    assert kinds(ask_under(strict_there, segment(**fields), heard(20, 29))) == ["track"]


def test_the_first_rule_that_holds_decides() -> None:
    policy = asking("blank", {"outcome": "mute", "when": {"live": False}}, {"outcome": "track"})
    assert kinds(ask_under(policy, segment(), heard(20, 29))) == ["mute"]
    assert kinds(ask_under(policy, segment(live=True), heard(20, 29))) == ["track"]


# --- several owners ---------------------------------------------------------------------------------------------------


def owned(*wishes: str | None, territories: tuple[tuple[str, ...], ...] = ((), ())) -> Work:
    owners = zip(wishes, territories, strict=True)
    return replace(
        SONG, owners=tuple(Ownership(f"Owner {n}", 0.5, where, wish) for n, (wish, where) in enumerate(owners))
    )


POLICIES = {name: asking(name, name=name.replace("_", "-")) for name in get_args(Outcome)}


@pytest.mark.parametrize(
    ("work", "fields", "expected", "asks"),
    [
        pytest.param(owned("mute", "track"), {}, ["track", "review"], True, id="muting or nothing: nothing"),
        pytest.param(owned("mute", None), {}, ["mute", "review"], True, id="muting or anything: muting"),
        pytest.param(owned("track", "track"), {}, ["track"], False, id="agreed"),
        pytest.param(
            owned("mute", "track", territories=(("DE",), ("FR",))), {"territory": "DE"}, ["mute"], False, id="elsewhere"
        ),
        pytest.param(
            owned("mute", "track", territories=(("DE",), ("FR",))), {}, ["track", "review"], True, id="somewhere"
        ),
    ],
)
def test_owners_who_differ_get_the_least_and_a_human_is_asked(
    work: Work, fields: dict[str, Any], expected: list[str], asks: bool
) -> None:
    answer = ask(segment(**fields), heard(20, 29), known=facts(work), holders=POLICIES)
    assert kinds(answer) == expected
    assert answer.automatic  # the least of it takes nothing from anybody
    assert (answer.deadline is not None) == asks
    assert ("ask for different things" in answer.statement) == asks


def test_revenue_is_not_shared_where_it_is_disputed_whose_it_is() -> None:
    owners = (Ownership("A", 0.7, (), "share_revenue"), Ownership("B", 0.7, (), "share_revenue"))
    answer = ask(segment(), heard(20, 29), known=facts(replace(SONG, owners=owners)), holders=POLICIES)
    assert kinds(answer) == ["track", "review"]
    assert "add up to 140%" in answer.statement


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        pytest.param("gone", "goes by the policy gone, which isn't there", id="no such policy"),
        pytest.param("review", "the holder's policy review asks that a human look at “Blue Hour”", id="wants a human"),
    ],
)
def test_a_human_decides(wish: str, says: str) -> None:
    answer = ask(segment(), heard(20, 29), known=facts(replace(SONG, policy=wish)), holders=POLICIES)
    assert kinds(answer) == ["review"]
    assert says in answer.statement


# --- what always holds ------------------------------------------------------------------------------------------------

outcomes = st.sampled_from(get_args(Outcome))
any_trials = st.lists(
    st.builds(
        Trial,
        st.sampled_from(["song", "twin", "tune"]),
        st.sampled_from([heard(0, 45).query, heard(10, 20).query]),
        st.just(12.0),
        st.booleans(),
        st.just("it is still found"),
    ),
    max_size=4,
)
situations = st.builds(
    segment,
    st.sampled_from([45.0, 10.0]),
    live=st.booleans(),
    commercial=st.booleans(),
    territory=st.sampled_from([None, "DE"]),
)


@given(situations, found(), st.fixed_dictionaries(dict.fromkeys(WORKS, outcomes)), any_trials)
def test_no_ceiling_is_ever_exceeded(
    one: Segment, matches: list[Match], wishes: dict[str, Outcome], trials: list[Trial]
) -> None:
    known = facts(*(replace(work, policy=wishes[name]) for name, work in WORKS.items()))
    answer = ask(one, *matches, known=known, holders=POLICIES, trials=trials)
    ceilings = {name: LADDER.index("remove" if wish == "review" else wish) for name, wish in wishes.items()}
    found_here = {match.reference_id for match in matches} & WORKS.keys()
    for measure in answer.measures:
        if measure.kind in ("allow", "review"):
            continue
        asked = [name for name in found_here if ceilings[name] >= LADDER.index(measure.kind)]
        assert asked
        uses = [match.query for match in matches if match.reference_id in asked]
        for span in measure.spans:
            assert any(use.start_s - MAX_GAP_S < span.end_s and span.start_s < use.end_s + MAX_GAP_S for use in uses)
    if all(wish in LEAVES_UP for wish in wishes.values()):
        assert answer.collateral_s == 0
        assert set(kinds(answer)) <= {*LEAVES_UP, "review"}


any_wishes = st.fixed_dictionaries(dict.fromkeys(WORKS, outcomes))


@given(situations, found(), any_wishes, any_trials, st.sampled_from([*WORKS]))
def test_a_licence_never_makes_it_more(
    one: Segment, matches: list[Match], wishes: dict[str, Outcome], trials: list[Trial], licensed: str
) -> None:
    known = facts(*(replace(work, policy=wishes[name]) for name, work in WORKS.items()))
    policy = Policy(name="exact", version=1, tolerated_residual_s=0)
    before = ask(one, *matches, known=known, holders=POLICIES, trials=trials, policy=policy)
    more = replace(known, licences=(Licence("L-1", licensed, "Shop"),))
    after = ask(one, *matches, known=more, holders=POLICIES, trials=trials, policy=policy)
    asked_before = "review" in kinds(before)
    assert asked_before or after.residual_s <= before.residual_s
    assert asked_before or after.collateral_s <= before.collateral_s or any(match.region for match in matches)


@given(situations, found(), st.fixed_dictionaries(dict.fromkeys(WORKS, outcomes)), any_trials, st.randoms())
def test_the_order_of_matches_works_and_trials_makes_no_difference(
    one: Segment, matches: list[Match], wishes: dict[str, Outcome], trials: list[Trial], random: Any
) -> None:
    known = facts(*(replace(work, policy=wishes[name]) for name, work in WORKS.items()))
    answer = ask(one, *matches, known=known, holders=POLICIES, trials=trials)
    shuffled, other_trials = random.sample(matches, len(matches)), random.sample(trials, len(trials))
    others = replace(known, works=dict(random.sample(list(known.works.items()), len(known.works))))
    again = ask(one, *shuffled, known=others, holders=POLICIES, trials=other_trials)
    assert (again.measures, again.rejected, again.statement) == (answer.measures, answer.rejected, answer.statement)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param('outcome = "mute"\nquota = 3', "quota: there is no such setting", id="unknown key"),
        pytest.param(RULE + "if = {}", "rules.0.if: there is no", id="in a rule"),
        pytest.param("", "outcome: Field required", id="no outcome"),
        pytest.param('outcome = "mute_live"', "outcome: Input should be", id="a rung of the live ladder"),
        pytest.param(RULE + "when = { under_s = -1 }", "under_s", id="negative"),
        pytest.param(
            RULE + "when = { at_least_s = 9, under_s = 5 }",
            "nothing is at least 9.0 (at_least_s) and under 5.0 (under_s)",
            id="impossible",
        ),
        pytest.param(
            RULE + 'when = { territories = ["Mars"] }',
            "rule 1: 'Mars' is no territory",
            id="no territory",
        ),
        pytest.param(
            'outcome = "mute"\n[groups]\nA1 = ["B1"]\nB1 = ["A1"]', "member of itself: A1 > B1 > A1", id="a cycle"
        ),
        pytest.param(
            RULE + "when = { starts = 2027-01-01T00:00:00 }",
            "should have timezone info",
            id="a time without a zone",
        ),
    ],
)
def test_what_is_wrong_with_a_policy_is_said_in_one_line(content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + content)
    for read in (lambda: holders(tmp_path), lambda: load_any(str(path), tmp_path)):
        with pytest.raises(PolicyError, match=r"mine\.toml") as caught:
            read()
        assert caught.value.code == "policy_invalid"
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_platform_s_policy_is_no_holder_s(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "mine"\nversion = 1\n')
    with pytest.raises(PolicyError, match="is a platform's policy, not a rights holder's policy"):
        holders(tmp_path)


def test_a_policy_of_ones_own_goes_before_a_packaged_one_and_two_of_a_name_are_refused(tmp_path: Path) -> None:
    assert {"track", "lenient", "not-for-sale"} <= holders(tmp_path / "nowhere").keys()
    text = (HEAD + 'outcome = "mute"').replace('"mine"', '"track"')
    (tmp_path / "a.toml").write_text(text)
    assert holders(tmp_path)["track"].outcome == "mute"
    (tmp_path / "b.toml").write_text(text)
    with pytest.raises(PolicyError, match="another file of its folder has 'track'") as caught:
        holders(tmp_path)
    assert caught.value.code == "policy_twice"


def test_the_answer_s_identity_follows_the_holder_s_policy() -> None:
    one, other = asking("track"), asking("track", version=2)
    first, second = (ask_under(policy, segment(), heard(20, 29)) for policy in (one, other))
    assert first.recommendation_id != second.recommendation_id
    assert first.holder_policies != second.holder_policies


def test_a_window_of_time() -> None:
    premiere = {"outcome": "blank", "when": {"starts": NOW, "ends": NOW + timedelta(days=14)}}
    policy = asking("track", premiere)
    assert kinds(ask_under(policy, segment(), heard(20, 29))) == ["mute"]
    over = asking("track", {**premiere, "when": {"ends": NOW}})
    assert kinds(ask_under(over, segment(), heard(20, 29))) == ["track"]
