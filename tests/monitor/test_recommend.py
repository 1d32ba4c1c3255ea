import doctest
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.fingerprints.model import Match, Region, Span, Track
from sordino.monitor.policy import OFFERED, Policy
from sordino.monitor.policy_files import load
from sordino.monitor.recommend import recommend
from sordino.monitor.timeline import extend
from sordino.monitor.works import Facts, Licence, Ownership, Work
from sordino.pipelines.messages import Media, Recommendation, Segment

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
POLICY = load("default")


def owned_by(*names: str) -> tuple[Ownership, ...]:
    return tuple(Ownership(name, 1 / len(names)) for name in names)


SONG = Work("song", "Blue Hour", "recording", owned_by("Label A"))
TWIN = Work("twin", "Blue Hour (again)", "recording", owned_by("Label B"))
TUNE = Work("tune", "Blue Hour", "composition", owned_by("Publisher C"))
FILM = Work("film", "The Long Take", "film", owned_by("Studio D"))
WORKS = {work.work_id: work for work in (SONG, TWIN, TUNE, FILM)}


def facts(*works: Work, licences: tuple[Licence, ...] = ()) -> Facts:
    """The reference of a work goes by the work's own id; works named here replace those of the same id."""
    return Facts(WORKS | {work.work_id: work for work in works}, licences)


def licence(work_id: str = "song", licence_id: str = "L-1", **limits: Any) -> Licence:
    return Licence(licence_id, work_id, "Shop Seven", **limits)


def segment(duration_s: float = 45.0, **fields: Any) -> Segment:
    fields = {"stream_id": "video-1", "sequence": 0, "start_s": 0.0, "media": Media(uri="file:///media/v.mp4")} | fields
    return Segment(duration_s=duration_s, **fields)


def heard(start_s: float, end_s: float, what: str = "song", *, log10: float = -8.0, reference_s: float = 50.0) -> Match:
    span = Span(reference_s, reference_s + (end_s - start_s))
    return Match(what, "audio", Span(start_s, end_s), span, 1.0, 0.0, False, None, 12.0, log10)


def seen(start_s: float, end_s: float, what: str = "film", *, region: Region | None = None) -> Match:
    span = Span(5.0, 5.0 + (end_s - start_s))
    return Match(what, "video", Span(start_s, end_s), span, 1.0, 0.0, False, region, 12.0, -8.0)


def ask(
    one: Segment, *matches: Match, known: Facts | None = None, policy: Policy = POLICY, **how: Any
) -> Recommendation:
    return recommend(one, matches, extend([], one, matches), known or facts(), policy, now=NOW, **how)


def done(answer: Recommendation) -> list[tuple[str, list[tuple[float, float]]]]:
    return [(m.kind, [(span.start_s, span.end_s) for span in m.spans]) for m in answer.measures]


MUTE_9 = [("mute", [(20.0, 29.0)])]
ALLOW: list[tuple[str, list[tuple[float, float]]]] = [("allow", [])]
QUARTER = Region(0.5, 0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("matches", "licences", "expected", "residual_s", "collateral_s", "says"),
    [
        pytest.param([], [], ALLOW, 0, 0, "No registered work was found.", id="nothing found"),
        pytest.param([heard(20, 29)], [], MUTE_9, 0, 9, "mute the sound from 0:20 to 0:29", id="music"),
        pytest.param([heard(20, 29)], [licence()], ALLOW, 0, 0, "licence L-1 covers this use", id="licensed"),
        pytest.param([heard(20, 22.9)], [], ALLOW, 0, 0, "it lasts 2.9 s, less than the 3.0 s", id="too short"),
        pytest.param(
            [heard(0, 45)],
            [],
            [("mute", [(0, 45)])],
            0,
            45,
            "mute all the sound from 0:00 to 0:45",
            id="music throughout",
        ),
        pytest.param(
            [seen(10, 16)], [], [("blank", [(10, 16)])], 0, 0, "“The Long Take” (Studio D) is seen", id="film"
        ),
        pytest.param(
            [seen(10, 16, region=QUARTER)],
            [],
            [("blur_region", [(10, 16)])],
            0,
            0,
            "blur the copied part of the picture from 0:10 to 0:16",
            id="film in a corner",
        ),
        pytest.param(
            [heard(20, 29), seen(10, 16)],
            [],
            [*MUTE_9, ("blank", [(10, 16)])],
            0,
            9,
            "and blank",
            id="sound and picture",
        ),
        pytest.param(
            [heard(20, 29), seen(10, 16)],
            [licence("film")],
            MUTE_9,
            0,
            9,
            "licence L-1 covers",
            id="one of two licensed",
        ),
        pytest.param(
            [heard(5, 9), heard(20, 29, reference_s=0)],
            [],
            [("mute", [(5, 9), (20, 29)])],
            0,
            13,
            "from 0:05 to 0:09 and from 0:20 to 0:29",
            id="the song twice",
        ),
        pytest.param(
            [heard(20, 29), heard(22, 29, "tune")], [], MUTE_9, 0, 9, "Publisher C", id="recording and composition"
        ),
        pytest.param(
            [heard(20, 29), heard(26, 40, "twin")], [], [("mute", [(20, 40)])], 0, 20, "Label B", id="cross-fade"
        ),
        pytest.param([heard(20, 29, "gone")], [], ALLOW, 0, 0, "Reference gone is heard", id="reference unknown"),
    ],
)
def test_what_is_recommended(
    matches: list[Match],
    licences: list[Licence],
    expected: list[tuple[str, list[tuple[float, float]]]],
    residual_s: float,
    collateral_s: float,
    says: str,
) -> None:
    answer = ask(segment(), *matches, known=facts(licences=tuple(licences)))
    assert done(answer) == expected
    assert (answer.residual_s, answer.collateral_s) == (residual_s, collateral_s)
    assert answer.automatic
    assert answer.deadline is None
    assert says in answer.statement


def review_of(what: str) -> str:
    return f"Recommended: review by a human, because {what}"


OVER = replace(SONG, owners=(Ownership("Label A", 0.7), Ownership("Label B", 0.7, ("DE",))))
US_ONLY = replace(SONG, owners=(Ownership("Label A", 1.0, ("US",)),))
NOTHING_ADMITTED = Policy(name="none", version=1, admissible=())


@pytest.mark.parametrize(
    ("one", "matches", "known", "how", "says"),
    [
        pytest.param(
            segment(),
            [heard(20, 29), heard(20, 29, "twin")],
            facts(),
            {},
            "“Blue Hour” and “Blue Hour (again)” are claimed by different owners for the same stretch",
            id="one recording registered by two",
        ),
        pytest.param(
            segment(),
            [heard(20, 29), heard(20, 29, "twin")],
            facts(licences=(licence("twin"),)),
            {},
            "claimed by different owners",
            id="and licensed by one of them",
        ),
        pytest.param(
            segment(territory="DE"),
            [heard(20, 29)],
            facts(OVER),
            {},
            "the shares claimed in “Blue Hour” in DE add up to 140%",
            id="shares over 100 %",
        ),
        pytest.param(segment(), [heard(20, 29)], facts(OVER), {}, "in DE add up to 140%", id="over 100 % somewhere"),
        pytest.param(
            segment(), [heard(20, 29)], facts(US_ONLY), {}, "doesn't say where it is shown", id="territory unknown"
        ),
        pytest.param(
            segment(exceptions_claimed=("quotation",)),
            [heard(20, 29)],
            facts(),
            {},
            "the uploader claims an exception (quotation)",
            id="exception claimed",
        ),
        pytest.param(
            segment(), [heard(20, 29, log10=-3.9)], facts(), {}, "“Blue Hour” isn't certain enough", id="uncertain"
        ),
        pytest.param(
            segment(),
            [],
            facts(),
            {"media_error": ("no_moov", "v.mp4: moov atom not found")},
            "its media can't be read (no_moov: v.mp4: moov atom not found)",
            id="undecodable",
        ),
        pytest.param(
            segment(0.0), [heard(0, 9)], facts(), {}, "lasts 0.0 s, but works were found up to 9.0 s", id="false length"
        ),
        pytest.param(
            segment(),
            [heard(20, 29)],
            facts(),
            {"policy": NOTHING_ADMITTED},
            "no measure that this policy admits is enough",
            id="nothing suffices",
        ),
    ],
)
def test_what_a_human_has_to_decide(
    one: Segment, matches: list[Match], known: Facts, how: dict[str, Any], says: str
) -> None:
    answer = ask(one, *matches, known=known, **how)
    assert [measure.kind for measure in answer.measures] == ["review"]
    assert not answer.automatic
    assert answer.collateral_s == 0
    assert answer.deadline == NOW + timedelta(hours=24)
    assert says in answer.statement
    assert "To be decided by 2025-03-02 12:00 UTC." in answer.statement


@pytest.mark.parametrize(
    ("one", "matches", "known"),
    [
        pytest.param(segment(territory="US"), [heard(20, 29)], facts(OVER), id="shares conflict elsewhere only"),
        pytest.param(segment(territory="US"), [heard(20, 29)], facts(US_ONLY), id="owned where it is shown"),
        pytest.param(
            segment(),
            [heard(20, 29), heard(20, 29, "twin")],
            facts(replace(TWIN, owners=owned_by("Label A", "Label B"))),
            id="a common owner",
        ),
        pytest.param(
            segment(), [heard(20, 29), heard(21, 28, "tune", log10=-2.0)], facts(), id="uncertain under certain"
        ),
        pytest.param(segment(), [heard(20, 29)], facts(replace(SONG, owners=())), id="holder not on record"),
    ],
)
def test_what_looks_like_a_conflict_and_is_none(one: Segment, matches: list[Match], known: Facts) -> None:
    answer = ask(one, *matches, known=known)
    assert done(answer) == MUTE_9
    assert answer.automatic


@pytest.mark.parametrize(
    ("one", "work", "says"),
    [
        pytest.param(segment(), replace(SONG, withdrawn=True), "the work has been withdrawn", id="withdrawn"),
        pytest.param(segment(territory="DE"), US_ONLY, "none of its owners has rights in DE", id="no right there"),
        pytest.param(
            segment(exceptions_claimed=("parody",)), replace(SONG, withdrawn=True), "withdrawn", id="needless claim"
        ),
    ],
)
def test_what_nobody_may_ask_for_is_allowed(one: Segment, work: Work, says: str) -> None:
    answer = ask(one, heard(20, 29), known=facts(work))
    assert done(answer) == ALLOW
    assert answer.rejected == ()
    assert says in answer.statement


def test_the_alternatives_are_told_with_figures_and_reasons() -> None:
    answer = ask(segment(), heard(20, 29))
    told = [(row.measure.kind, row.residual_s, row.collateral_s, row.why) for row in answer.rejected]
    assert told == [
        (
            "allow", 9, 0,
            "Allowing the video as it is would leave 9.0 s of unlicensed use, more than the 0.5 s tolerated.",
        ),
        (
            "mute", 0, 45,
            "Muting all the sound from 0:00 to 0:45 would lose 36.0 s of lawful voice that muting 9.0 s keeps.",
        ),
        ("remove", 0, 90, "Deleting the video would lose 81.0 s of lawful voice and picture that muting 9.0 s keeps."),
    ]  # fmt: skip
    assert answer.statement == (
        "“Blue Hour” (Label A) is heard from 0:20 to 0:29: no licence on record covers this use. "
        "Recommended: mute the sound from 0:20 to 0:29. "
        "Allowing the video as it is would leave 9.0 s of unlicensed use, more than the 0.5 s tolerated. "
        "Deleting the video would lose 81.0 s of lawful voice and picture that muting 9.0 s keeps. "
        "Voice is assumed to be there throughout, as it is not known where it is. "
        "It can be undone and may be applied without a human."
    )


@pytest.mark.parametrize(
    ("voice", "mute", "mute_all", "remove"),
    [
        pytest.param([], 0, 0, 45, id="nobody speaks"),
        pytest.param([Span(0, 10)], 0, 10, 55, id="not over the song"),
        pytest.param([Span(0, 22), Span(28, 44)], 3, 38, 83, id="here and there"),
        pytest.param([Span(44, 45.1)], 0, 1, 46, id="to the end of the codec's last frame"),
        pytest.param(None, 9, 45, 90, id="not known"),
    ],
)
@pytest.mark.parametrize("start_s", [0.0, 600.0])
def test_muting_loses_the_voice_that_is_there(
    voice: list[Span] | None, mute: float, mute_all: float, remove: float, start_s: float
) -> None:
    answer = ask(segment(start_s=start_s, sequence=int(start_s)), heard(20, 29), voice=voice)
    assert done(answer) == [("mute", [(start_s + 20, start_s + 29)])]
    assert [answer.collateral_s, *(row.collateral_s for row in answer.rejected[1:])] == [mute, mute_all, remove]
    assert ("assumed" in answer.statement) == (voice is None)


def test_the_length_that_was_decoded_counts_and_not_what_the_segment_says() -> None:
    answer = ask(segment(0.0), heard(20, 29), duration_s=45.0)
    assert done(answer) == MUTE_9
    assert answer.rejected[-1].collateral_s == 90


def test_a_recording_without_a_picture_loses_none() -> None:
    tracks: set[Track] = {"audio"}
    answer = ask(segment(), heard(20, 29), tracks=tracks)
    assert answer.rejected[-1].collateral_s == 45
    assert "Deleting the recording would lose 36.0 s of lawful voice that" in answer.statement


def test_what_was_heard_counts_even_if_the_media_is_said_to_be_silent() -> None:
    tracks: set[Track] = {"video"}
    assert done(ask(segment(), heard(20, 29), tracks=tracks)) == MUTE_9


def test_licensed_music_elsewhere_is_lawful_music_that_muting_all_would_lose() -> None:
    answer = ask(segment(), heard(20, 29), heard(0, 10, "twin"), known=facts(licences=(licence("twin"),)))
    [mute_all] = [row for row in answer.rejected if row.measure.kind == "mute"]
    assert done(answer) == MUTE_9
    assert mute_all.collateral_s == 45 + 10
    assert "lawful music and voice" in mute_all.why


@pytest.mark.parametrize(
    ("limits", "fields", "covers", "why"),
    [
        pytest.param({}, {}, True, "covers this use by any account", id="unlimited"),
        pytest.param({"accounts": ("shop-7",)}, {"account": "shop-7"}, True, "by shop-7", id="right account"),
        pytest.param(
            {"accounts": ("shop-7",)},
            {"account": "shop-8"},
            False,
            "only for account shop-7, not shop-8",
            id="other account",
        ),
        pytest.param({"accounts": ("shop-7",)}, {}, False, "and the segment names none", id="account unknown"),
        pytest.param({"territories": ("DE",)}, {"territory": "DE"}, True, "covers", id="right territory"),
        pytest.param(
            {"territories": ("DE",)}, {"territory": "FR"}, False, "only for territory DE, not FR", id="other territory"
        ),
        pytest.param({"territories": ("DE",)}, {}, False, "and the segment names none", id="territory unknown"),
        pytest.param({"starts": NOW}, {}, True, "covers", id="begins now"),
        pytest.param({"starts": NOW + timedelta(hours=1)}, {}, False, "begins 2025-03-01 13:00 UTC", id="begins later"),
        pytest.param({"expires": NOW}, {}, False, "ended 2025-03-01 12:00 UTC", id="ends now"),
        pytest.param({"expires": NOW + timedelta(hours=1)}, {}, True, "covers", id="ends later"),
        pytest.param({"commercial": False}, {}, True, "covers", id="private use"),
        pytest.param({"commercial": False}, {"commercial": True}, False, "the segment sells", id="commercial use"),
    ],
)
def test_licences(limits: dict[str, Any], fields: dict[str, Any], covers: bool, why: str) -> None:
    answer = ask(segment(**fields), heard(20, 29), known=facts(licences=(licence(**limits),)))
    [checked] = answer.licences_checked
    assert (checked.licence_id, checked.work_id, checked.covers) == ("L-1", "song", covers)
    assert why in checked.why
    assert done(answer) == (ALLOW if covers else MUTE_9)


def test_declaring_a_licence_is_not_having_it() -> None:
    known = facts(licences=(licence("film", "L-2"),))
    answer = ask(segment(declared_licences=("L-2", "L-9")), heard(20, 29), known=known)
    assert [(c.licence_id, c.work_id, c.covers, c.why) for c in answer.licences_checked] == [
        ("L-2", "film", False, "declared by the uploader, but for a work not found here"),
        ("L-9", "", False, "declared by the uploader, but no such licence is on record for a work found here"),
    ]
    assert done(answer) == MUTE_9


def test_an_episode_that_began_earlier_counts_with_its_full_length_and_is_measured_only_here() -> None:
    first = segment(10.0, stream_id="live", live=True)
    second = segment(10.0, stream_id="live", sequence=1, start_s=10.0, live=True)
    episodes = extend([], first, [heard(8, 10)])
    early = recommend(first, [heard(8, 10)], episodes, facts(), POLICY, now=NOW)
    assert done(early) == ALLOW  # so far it lasts 2 s
    matches = [heard(0, 2, reference_s=52.0)]
    episodes = extend(episodes, second, matches)
    later = recommend(second, matches, episodes, facts(), POLICY, now=NOW)
    assert done(later) == [("mute", [(10.0, 12.0)])]
    assert "Deleting this segment" in later.statement
    [because] = later.because
    assert (because.query.start_s, because.query.end_s) == (10.0, 12.0)  # stream time
    revised = recommend(first, [heard(8, 10)], episodes, facts(), POLICY, now=NOW, supersedes=early.recommendation_id)
    assert done(revised) == [("mute", [(8.0, 10.0)])]
    assert revised.supersedes == early.recommendation_id != revised.recommendation_id


def test_a_segment_that_an_episode_only_passes_through_is_measured_and_told() -> None:
    parts = [segment(2.0, sequence=n, start_s=2.0 * n, live=True) for n in range(3)]
    episodes = extend([], parts[0], [heard(0, 2)])
    episodes = extend(episodes, parts[2], [heard(0, 2, reference_s=54.0)])
    answer = recommend(parts[1], [], episodes, facts(), POLICY, now=NOW)
    assert done(answer) == [("mute", [(2.0, 4.0)])]
    assert [match.title for match in answer.because] == ["Blue Hour"]


def test_a_rest_within_the_tolerance_is_let_be() -> None:
    later = segment(45.0, sequence=1, start_s=45.0)
    matches = [heard(0, 0.4, reference_s=95.0)]
    episodes = extend(extend([], segment(), [heard(0, 45)]), later, matches)
    answer = recommend(later, matches, episodes, facts(), POLICY, now=NOW)
    assert done(answer) == ALLOW
    assert answer.residual_s == pytest.approx(0.4)
    assert "0.4 s of unlicensed use is within the 0.5 s tolerated" in answer.statement
    assert {row.measure.kind for row in answer.rejected} == {"mute", "remove"}


def test_removing_needs_a_human_even_where_nothing_else_is_admitted() -> None:
    answer = ask(segment(), heard(20, 29), policy=Policy(name="harsh", version=1, admissible=("remove",)))
    assert done(answer) == [("remove", [(0.0, 45.0)])]
    assert not answer.automatic
    assert answer.deadline is not None
    assert "a human has to confirm it" in answer.statement


def test_the_proposal_stands_among_the_rejected_of_a_review() -> None:
    answer = ask(segment(exceptions_claimed=("parody",)), heard(20, 29))
    assert answer.residual_s == 9  # as long as nothing is done
    [proposal] = [row for row in answer.rejected if "but a human has to decide first" in row.why]
    assert (proposal.measure.kind, proposal.collateral_s) == ("mute", 9)
    assert (
        "By the figures alone, muting the sound from 0:20 to 0:29 would be the least that suffices." in answer.statement
    )


def test_of_many_works_five_are_told_and_what_infringes_comes_first() -> None:
    works = [Work(f"w{n}", f"Song {n}", "recording", owned_by("Label A")) for n in range(8)]
    matches = [heard(5 * n, 5 * n + 4, f"w{n}") for n in range(8)]
    covered = tuple(licence(f"w{n}", f"L-{n}") for n in range(7))
    answer = ask(segment(), *matches, known=facts(*works, licences=covered))
    assert answer.statement.startswith("“Song 7” (Label A) is heard from 0:35 to 0:39: no licence")
    assert "3 more were found" in answer.statement
    assert len(answer.because) == 8


def test_hostile_text_stays_on_one_line_and_short() -> None:
    work = replace(SONG, title="A\nB\u202e" + "x" * 9999)
    answer = ask(segment(exceptions_claimed=("q\u2028" * 99,) * 99), heard(20, 29), known=facts(work))
    assert len(answer.statement) < 2000
    assert not {"\n", "\r", "\u2028", "\u202e"} & set(answer.statement)


def test_a_region_and_a_probability_beyond_what_json_holds() -> None:
    match = replace(seen(10, 16, region=Region(0.9, -0.1, 0.2, 1.3)), log10_false_positive=-math.inf)
    [because] = ask(segment(), match).because
    assert because.log10_false_positive == -300
    assert because.region is not None
    assert (because.region.x, because.region.y, because.region.h) == (0.9, 0, 1)


def test_matches_that_no_episode_holds_are_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="'video-1' 0: extend them"):
        recommend(segment(), [heard(20, 29)], [], facts(), POLICY, now=NOW)


def test_the_end_of_a_stream_without_media() -> None:
    assert done(ask(segment(0.0, media=None, ended=True))) == ALLOW


tenths = st.integers(0, 450).map(lambda tenth: tenth / 10)


@st.composite
def found(draw: st.DrawFn) -> list[Match]:
    matches = []
    for _ in range(draw(st.integers(0, 6))):
        start_s, end_s = sorted(draw(st.tuples(tenths, tenths)))
        if draw(st.booleans()):
            what, log10 = draw(st.sampled_from(["song", "twin", "tune", "gone"])), draw(st.sampled_from([-8.0, -3.0]))
            matches.append(heard(start_s, end_s, what, log10=log10, reference_s=draw(tenths)))
        else:
            matches.append(seen(start_s, end_s, region=draw(st.sampled_from([None, QUARTER]))))
    return matches


segments = st.builds(
    segment,
    st.sampled_from([45.0, 10.0, 0.3, 0.0]),
    start_s=st.sampled_from([0.0, 0.1, 3600.0]),
    live=st.booleans(),
    territory=st.sampled_from([None, "DE"]),
    account=st.sampled_from([None, "shop-7"]),
    exceptions_claimed=st.sampled_from([(), ("quotation",)]),
)
licences = st.lists(
    st.builds(licence, st.sampled_from(list(WORKS)), accounts=st.sampled_from([(), ("shop-7",)])), max_size=3
).map(tuple)
policies = st.builds(
    Policy,
    name=st.just("any"),
    version=st.just(1),
    admissible=st.lists(st.sampled_from(OFFERED), unique=True).map(tuple),
    tolerated_residual_s=st.sampled_from([0.0, 0.5, 5.0]),
    min_episode_s=st.sampled_from([0.0, 3.0]),
)


@given(segments, found(), licences, policies)
def test_what_always_holds(one: Segment, matches: list[Match], known: tuple[Licence, ...], policy: Policy) -> None:
    answer = ask(one, *matches, known=facts(licences=known), policy=policy)
    kinds = {measure.kind for measure in answer.measures}
    tolerated_s = policy.tolerated_s(one.duration_s) + 0.001
    assert "review" in kinds or answer.residual_s <= tolerated_s
    assert kinds == {"review"} or "review" not in kinds
    assert not (answer.automatic and kinds & {"review", "remove"})
    assert (answer.deadline is None) == answer.automatic
    for row in answer.rejected:
        assert row.collateral_s >= answer.collateral_s or row.residual_s > tolerated_s - 0.002
    for measure in [*answer.measures, *(row.measure for row in answer.rejected)]:
        for span in measure.spans:
            assert one.start_s <= span.start_s <= span.end_s <= one.start_s + one.duration_s
    assert Recommendation.model_validate_json(answer.model_dump_json()) == answer  # no NaN, nothing out of range
    assert ask(one, *matches, known=facts(licences=known), policy=policy) == answer


@given(segments, found(), policies)
def test_what_is_licensed_is_never_measured(one: Segment, matches: list[Match], policy: Policy) -> None:
    everything = tuple(licence(work_id, f"L-{work_id}") for work_id in WORKS)
    answer = ask(one, *matches, known=facts(licences=everything), policy=policy)
    assert done(answer) == ALLOW
    assert (answer.residual_s, answer.collateral_s, answer.rejected) == (0, 0, ())


@given(segments, found(), licences, st.sampled_from(list(WORKS)))
def test_one_more_licence_never_takes_more_away(
    one: Segment, matches: list[Match], known: tuple[Licence, ...], work_id: str
) -> None:
    policy = Policy(name="exact", version=1, tolerated_residual_s=0)
    before = ask(one, *matches, known=facts(licences=known), policy=policy)
    more = (*known, licence(work_id, "L-more"))
    after = ask(one, *matches, known=facts(licences=more), policy=policy)
    for span in [span for measure in after.measures for span in measure.spans]:
        assert any(old.start_s <= span.start_s and span.end_s <= old.end_s for m in before.measures for old in m.spans)
    if "review" not in {measure.kind for measure in before.measures}:
        assert after.collateral_s <= before.collateral_s or any(match.region for match in matches)


def test_the_arithmetic_in_the_documentation() -> None:
    page = Path(__file__).parents[2] / "docs" / "policy.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted >= 3
    assert result.failed == 0
