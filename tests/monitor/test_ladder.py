"""The live ladder: what a stream is asked for from now on, in its own time."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.fingerprints.model import Match, Region, Span
from sordino.monitor.holders import HolderPolicy, Outcome
from sordino.monitor.ladder import Ladder, Part, Seen, asked, said, seen, step
from sordino.monitor.layers import Trial
from sordino.monitor.policy import RUNGS, LiveRules, Policy, Rung
from sordino.monitor.recommend import judged, recommend
from sordino.monitor.statements.chinese import CHINESE
from sordino.monitor.statements.english import ENGLISH
from sordino.monitor.timeline import extend
from sordino.monitor.works import Facts, Licence, Ownership
from sordino.pipelines.messages import Measure, Segment, TimeSpan
from tests.monitor import test_recommend as media
from tests.monitor.test_recommend import facts, heard, licence

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
RULES = LiveRules(grace_s=10, mute_after_s=10, slate_after_s=20, interrupt_after_s=30, hold_s=15, cool_down_s=20)
LENGTH_S = 10.0


def one(letter: str, sequence: int, start_s: float, length_s: float = LENGTH_S) -> Seen:
    """A segment by a letter: Music, Picture, Both, clean (-), doubtful (?), the End."""
    span = Span(start_s, start_s + length_s)
    music = [Part("music", span)] if letter in "MB" else []
    picture = [Part("picture", span)] if letter in "PB" else []
    return Seen(sequence, span, (*music, *picture), doubtful=letter == "?", ended=letter == "E")


def stream(letters: str, length_s: float = LENGTH_S) -> list[Seen]:
    """Segments one after the other; a space is a gap of a segment's length."""
    return [one(x, n, n * length_s, length_s) for n, x in enumerate(letters) if x != " "]


def answers(segments: Iterable[Seen], rules: LiveRules = RULES, ladder: Ladder | None = None) -> list[list[str]]:
    """What each segment is answered by, without `_live`."""
    told, before = [], ladder or Ladder()
    for segment in segments:
        after = step(before, segment, rules)
        told.append([m.kind.removesuffix("_live") for m in asked(before, after, segment, rules, NOW)])
        before = after
    return told


def stands(segments: Iterable[Seen], rules: LiveRules = RULES, ladder: Ladder | None = None) -> Ladder:
    after = ladder or Ladder()
    for segment in segments:
        after = step(after, segment, rules)
    return after


def in_short(told: Sequence[Sequence[str]]) -> str:
    """One letter for each segment: warn, mute, slate, Interrupt with the slate, nothing."""
    short = {(): ".", ("warn",): "w", ("mute",): "m", ("slate",): "s", ("interrupt", "slate"): "I"}
    return "".join(short[tuple(kinds)] for kinds in told)


WITHOUT_MUTE = RULES.model_copy(update={"rungs": ("warn_live", "slate_live", "interrupt_live")})
WITHOUT_SLATE = RULES.model_copy(update={"rungs": ("warn_live", "mute_live")})
LATE_MUTING = RULES.model_copy(update={"mute_after_s": 30.0, "slate_after_s": 10.0})
AT_ONCE = LiveRules(grace_s=10, mute_after_s=0, slate_after_s=0, interrupt_after_s=0)
WARNING_ONLY = RULES.model_copy(update={"rungs": ("warn_live",)})


@pytest.mark.parametrize(
    ("letters", "rules", "expected"),
    [
        pytest.param("----", RULES, "....", id="clean"),
        pytest.param("????", RULES, "....", id="doubts never climb"),
        pytest.param("M---", RULES, "w...", id="obeys the warning"),
        pytest.param("MM", RULES, "w.", id="within grace nothing more"),
        pytest.param("MMM", RULES, "w.m", id="music goes on after grace: muted"),
        pytest.param("PPP", RULES, "w..", id="a picture is muted by nothing"),
        pytest.param("PPPP", RULES, "w..s", id="picture goes on: slate, without muting first"),
        pytest.param("BBBBB", RULES, "w.mss", id="both: muting first, and the slate as early as for a picture alone"),
        pytest.param("MMMMM", RULES, "w.mms", id="muting isn't heeded: slate"),
        pytest.param("MMMPP", RULES, "w.m.s", id="muted, then a picture: muting is of no use to it"),
        pytest.param("MMMMMMMMM", RULES, "w.mmsssIs"[:9], id="the slate isn't heeded: a human is asked, once"),
        pytest.param("M-M-M", RULES, "w.m.m", id="pauses shorter than the cooling down are no obeying"),
        pytest.param("MMM--M", RULES, "w.m..m", id="cooled down by one rung: warned already, and no grace again"),
        pytest.param("MMMMM--M", RULES, "w.mms..m", id="from the slate back to muting"),
        pytest.param("MMM----M", RULES, "w.m....w", id="cooled down to the bottom: warned anew"),
        pytest.param("MMM????M", RULES, "w.m....m", id="doubts hold the rung and ask for nothing"),
        pytest.param("M?M", RULES, "w.m", id="the time of grace passes under doubts"),
        pytest.param("M M", RULES, "wm", id="and in gaps"),
        pytest.param("MMM   M", RULES, "w.mm", id="a gap is no obeying"),
        pytest.param("MMMEM", RULES, "w.m.w", id="the end of the stream is the end of the ladder"),
        pytest.param("MMMM", WITHOUT_MUTE, "w..s", id="no muting: slate for music too"),
        pytest.param("MMMMMMMMM", WITHOUT_SLATE, "w.mmmmmmm", id="no slate: muting is the last"),
        pytest.param("PPPPPPPP", WITHOUT_SLATE, "w.......", id="no slate: nothing to be done about a picture"),
        pytest.param("MMMMM", LATE_MUTING, "w...m", id="music isn't hidden before it was muted"),
        pytest.param("PPPPP", LATE_MUTING, "w.sss", id="pictures are"),
        pytest.param("MMMM", AT_ONCE, "w.ms", id="no waiting but for the grace"),
        pytest.param("PPPP", AT_ONCE, "w.sI", id="and pictures are never muted"),
        pytest.param("BBBBBB", WARNING_ONLY, "w.....", id="warnings only"),
        pytest.param("BBBBBB", RULES.model_copy(update={"rungs": ()}), "......", id="no ladder"),
    ],
)
def test_what_a_stream_is_asked_for(letters: str, rules: LiveRules, expected: str) -> None:
    assert in_short(answers(stream(letters), rules)) == expected


@pytest.mark.parametrize(
    ("letters", "rung"),
    [
        pytest.param("MMM-", "mute_live", id="one clean segment is too little"),
        pytest.param("MMM--", "warn_live", id="two are a rung"),
        pytest.param("MMM---", "warn_live", id="the third counts for the next"),
        pytest.param("MMM----", None, id="the bottom"),
        pytest.param("MMM-M-", "mute_live", id="clean seconds count in a row"),
        pytest.param("MMM-?-", "warn_live", id="doubts don't interrupt them"),
        pytest.param("MMM????", "mute_live", id="and are none"),
        pytest.param("MMM -", "mute_live", id="nor are gaps"),
    ],
)
def test_where_a_stream_stands(letters: str, rung: str | None) -> None:
    assert stands(stream(letters)).rung == rung


def test_interrupting_is_asked_for_with_what_holds_meanwhile() -> None:
    assert answers(stream("MMMMMMMM"))[-1] == ["interrupt", "slate"]


@pytest.mark.parametrize("length_s", [1.0, 2.0, 4.0, 5.0])
def test_short_segments_climb_at_the_same_times(length_s: float) -> None:
    told = answers(stream("M" * round(90 / length_s), length_s))
    first = {kinds[0]: (n + 1) * length_s for n, kinds in reversed(list(enumerate(told))) if kinds}
    assert set(first) == {"warn", "mute", "slate", "interrupt"}
    at_s = length_s  # the warning comes with the first segment's answer
    for kind, needed_s in (("warn", 0.0), ("mute", 20.0), ("slate", 20.0), ("interrupt", 30.0)):
        at_s = at_s + needed_s
        assert at_s <= first[kind] <= at_s + length_s
        at_s = first[kind]


def test_a_segment_twice_and_late_ones_change_nothing() -> None:
    segments = stream("MMMMM")
    before = stands(segments)
    for late in (segments[4], one("-", 2, 20.0, 500.0), one("M", 0, 400.0)):
        assert step(before, late, RULES) == before
        assert asked(before, before, late, RULES, NOW) == ()


def test_seconds_that_segments_share_are_counted_once() -> None:
    sliding = [one("M", n, 0.5 * n) for n in range(40)]  # each shows 10 s, half a second after the one before: 29.5 s
    assert stands(sliding).rung == "warn_live"
    assert stands(sliding).music_s == pytest.approx(9.5)  # since the grace
    assert [kinds for kinds in answers(sliding) if kinds] == [["warn"]]
    clean = [one("-", 100 + n, 30 + 0.5 * n) for n in range(20)]  # 19.5 s
    assert stands(clean, ladder=stands(stream("MMM"))).rung == "mute_live"


def test_a_clock_that_starts_again_goes_on_at_the_same_rung() -> None:
    before = stands(stream("MMM"))
    again = [one("M", 3 + n, 10.0 * n) for n in range(2)]
    assert in_short(answers(again, ladder=before)) == "ms"
    assert stands(again[:1], ladder=before).at_s == 10.0


def test_measures_say_from_when_and_until_when() -> None:
    segments = stream("MMM")
    before = stands(segments[:2])
    (mute,) = asked(before, stands(segments), segments[2], RULES, NOW)
    assert [(span.start_s, span.end_s) for span in mute.spans] == [(30.0, 45.0)]
    assert mute.expires == NOW + timedelta(seconds=15)
    (warning,) = asked(Ladder(), stands(segments[:1]), segments[0], RULES, NOW)
    assert [(span.start_s, span.end_s) for span in warning.spans] == [(10.0, 20.0)]
    assert "who has 10.0 s from 0:10 on" in ENGLISH.say(said(warning))


# --- what counts of a segment ----------------------------------------------------------------------------------------

POLICY = Policy(name="any", version=1)
LIVE = media.segment(10.0, stream_id="live", sequence=2, start_s=20.0, live=True)


def shows(*matches: Match, known: Facts | None = None, policy: Policy = POLICY, **how: Any) -> Seen:
    known, one = known or facts(), LIVE.model_copy(update={"commercial": how.pop("commercial", False)})
    episodes = extend([], one, matches)
    answer = recommend(one, matches, episodes, known, policy, now=NOW, **how)
    _, found = judged(one, matches, episodes, known, policy, now=NOW, holders=how.get("holders"))
    return seen(one, answer, found)


def under(outcome: Outcome) -> dict[str, HolderPolicy]:
    return {"wish": HolderPolicy(kind="holder", name="wish", version=1, outcome=outcome)}


QUARTER = Region(0.5, 0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("matches", "licences", "music", "picture", "doubtful"),
    [
        pytest.param([], (), (), (), False, id="nothing"),
        pytest.param([heard(1, 9)], (), (Span(21, 29),), (), False, id="music"),
        pytest.param([media.seen(0, 4, region=QUARTER)], (), (), (Span(20, 24),), False, id="picture"),
        pytest.param([heard(1, 9), media.seen(2, 8)], (), (Span(21, 29),), (Span(22, 28),), False, id="both"),
        pytest.param([heard(1, 9)], (licence(),), (), (), False, id="licensed"),
        pytest.param([heard(1, 3)], (), (), (), False, id="too short"),
        pytest.param([heard(1, 9, log10=-3.0)], (), (), (), True, id="uncertain"),
        pytest.param([heard(1, 9), heard(1, 9, "twin")], (), (), (), True, id="owners in conflict"),
    ],
)
def test_what_counts_of_a_segment(
    matches: list[Match],
    licences: tuple[Licence, ...],
    music: tuple[Span, ...],
    picture: tuple[Span, ...],
    doubtful: bool,
) -> None:
    counts = shows(*matches, known=facts(licences=licences))
    assert (counts.span, counts.sequence, counts.ended) == (Span(20, 30), 2, False)
    assert [counts.spans(modality, "warn_live") for modality in ("music", "picture")] == [music, picture]
    assert counts.doubtful == doubtful
    assert counts.infringes == bool(music or picture)


def test_what_is_braked_or_can_only_be_deleted_says_nothing() -> None:
    harsh = Policy(name="harsh", version=1, admissible=("remove",))
    assert shows(heard(1, 9), policy=harsh).doubtful
    assert not shows(heard(1, 9), policy=harsh).infringes


def test_a_rest_within_the_tolerance_is_clean() -> None:
    lenient = Policy(name="lenient", version=1, tolerated_residual_s=9, tolerated_residual_share=0.9)
    counts = shows(heard(1, 9), policy=lenient)
    assert not counts.doubtful
    assert not counts.infringes


TRIED = [Trial("song", Span(1, 9), 30.0, ok=True, why="")]


@pytest.mark.parametrize(
    ("wish", "how", "music", "picture"),
    [
        pytest.param("track", {}, None, None, id="to be told"),
        pytest.param("label", {}, None, None, id="a label"),
        pytest.param("erase_music", {"trials": TRIED}, "warn_live", None, id="taken out of the recording"),
        pytest.param("mute", {}, "mute_live", None, id="muting"),
        pytest.param("blur_region", {}, "mute_live", "mute_live", id="blurring"),
        pytest.param("blank", {}, "slate_live", "slate_live", id="blanking"),
        pytest.param("disable_commerce", {"commercial": True}, None, None, id="not for sale"),
        pytest.param("remove", {}, "interrupt_live", "interrupt_live", id="anything"),
    ],
)
def test_a_wish_is_a_ceiling_to_the_rungs(
    wish: Outcome, how: dict[str, Any], music: str | None, picture: str | None
) -> None:
    song, film = (replace(work, policy="wish") for work in (media.SONG, media.FILM))
    counts = shows(heard(1, 9), media.seen(2, 8), known=facts(song, film), holders=under(wish), **how)
    assert not counts.doubtful
    assert [(part.modality, part.highest) for part in counts.parts] == [
        (modality, highest) for modality, highest in (("picture", picture), ("music", music)) if highest
    ][::-1]


def test_what_is_only_restricted_by_territory_asks_nothing_of_the_host() -> None:
    american = replace(media.SONG, owners=(Ownership("Label A", 1.0, ("US",)),))
    policy = Policy(name="mine", version=1, audience={"US": 0.02})
    counts = shows(heard(1, 9), known=facts(american), policy=policy)
    assert (counts.parts, counts.doubtful) == ((), False)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param(["warn_live"] * 9, "w........", id="warnings only"),
        pytest.param(["mute_live"] * 9, "w.mmmmmmm", id="never hidden"),
        pytest.param(["slate_live"] * 9, "w.mmsssss", id="never interrupted"),
        pytest.param(["mute_live"] * 4 + ["slate_live"] * 2, "w.mmms", id="what counts is what may be hidden"),
        pytest.param(
            ["slate_live"] * 5 + ["mute_live", "warn_live"], "w.mmsm.", id="each is asked no more than it may be"
        ),
    ],
)
def test_a_stream_climbs_by_what_holders_ask_for(limits: list[Rung], expected: str) -> None:
    segments = [
        replace(one, parts=tuple(replace(part, highest=limit) for part in one.parts))
        for one, limit in zip(stream("M" * len(limits)), limits, strict=True)
    ]
    assert in_short(answers(segments)) == expected


def test_the_end_of_a_stream() -> None:
    end = Segment(stream_id="live", sequence=9, start_s=90, duration_s=0, live=True, ended=True)
    answer = recommend(end, [], [], facts(), POLICY, now=NOW)
    assert seen(end, answer, ()) == Seen(9, Span(90, 90), ended=True)


# --- what always holds -----------------------------------------------------------------------------------------------

streams = st.lists(
    st.tuples(st.sampled_from("MPB-?E"), st.floats(-30, 30), st.floats(0, 40), st.integers(-2, 3)), max_size=30
)
rules = st.builds(
    LiveRules,
    rungs=st.sets(st.sampled_from(RUNGS)).map(lambda rungs: tuple(rungs | {"warn_live"} if rungs else rungs)),
    grace_s=st.floats(0, 60),
    mute_after_s=st.floats(0, 60),
    slate_after_s=st.floats(0, 60),
    interrupt_after_s=st.floats(0, 60),
    hold_s=st.just(1.0),
    cool_down_s=st.floats(1, 60),
)


def any_stream(drawn: list[tuple[str, float, float, int]]) -> list[Seen]:
    """Segments in any order, again, with gaps, overlaps, and clocks that jump."""
    segments, at_s, sequence = [], 100.0, 5
    for letter, jump_s, length_s, ahead in drawn:
        start_s, sequence = max(0.0, at_s + jump_s), max(0, sequence + ahead)
        segments.append(one(letter, sequence, start_s, length_s))
        at_s = start_s + length_s
    return segments


@given(streams, rules)
def test_a_rung_at_a_time_in_order_and_never_without_a_warning(
    drawn: list[tuple[str, float, float, int]], rules: LiveRules
) -> None:
    before, warned = Ladder(), False
    for segment in any_stream(drawn):
        after = step(before, segment, rules)
        told = asked(before, after, segment, rules, NOW)
        kinds = [measure.kind for measure in told]
        warned = (warned and before.rung is not None) or "warn_live" in kinds
        assert set(kinds) <= set(rules.rungs)
        assert warned or not kinds
        assert "warn_live" not in kinds or kinds == ["warn_live"]
        assert "interrupt_live" not in kinds or before.rung != "interrupt_live"
        assert "mute_live" not in kinds or segment.spans("music", "mute_live")
        assert "slate_live" not in kinds or segment.infringes
        assert all(measure.expires is not None or measure.kind == "interrupt_live" for measure in told)
        assert after.rung is None or after.rung in rules.rungs
        before = after


@given(streams, rules)
def test_who_obeys_reaches_the_bottom(drawn: list[tuple[str, float, float, int]], rules: LiveRules) -> None:
    before = stands(any_stream(drawn), rules)
    clean_s, at_s = len(RUNGS) * rules.cool_down_s + 1, before.at_s
    obeying = [one("-", before.sequence + 1 + n, at_s + n * clean_s / 7, clean_s / 7) for n in range(7)]
    assert stands(obeying, rules, before).rung is None
    assert all(not kinds for kinds in answers(obeying, rules, before))


@given(streams, rules, st.data())
def test_restarts_and_repetitions_anywhere_lead_to_the_same(
    drawn: list[tuple[str, float, float, int]], rules: LiveRules, data: st.DataObject
) -> None:
    segments = any_stream(drawn)
    whole = stands(segments, rules)
    ladder = Ladder()
    for n, segment in enumerate(segments):
        if data.draw(st.booleans()):
            ladder = Ladder(**json.loads(json.dumps(asdict(ladder))))  # stored, and read again
        again = data.draw(st.integers(0, n))
        ladder = step(ladder, segment, rules)
        newest = max(segments[: n + 1], key=lambda one: one.sequence)
        assert ladder.sequence == newest.sequence
        if segments[again].sequence <= ladder.sequence:
            assert step(ladder, segments[again], rules) == ladder
    assert ladder == whole


@given(streams, rules, st.integers(0, 29))
def test_one_doubt_more_never_leads_higher(
    drawn: list[tuple[str, float, float, int]], rules: LiveRules, at: int
) -> None:
    segments = any_stream(drawn)
    rungs = [*RUNGS]
    doubted = [replace(one, doubtful=True) if n == at and one.infringes else one for n, one in enumerate(segments)]
    higher, lower = (stands(some, rules).rung for some in (segments, doubted))
    assert (-1 if lower is None else rungs.index(lower)) <= (-1 if higher is None else rungs.index(higher))


def test_a_measure_has_words_for_each_rung() -> None:
    for rung in RUNGS:
        spans = () if rung == "interrupt_live" else (TimeSpan(start_s=10.0, end_s=25.0),)
        words = said(Measure(kind=rung, spans=spans))
        assert ENGLISH.text([words]).startswith("Live: ")
        assert CHINESE.text([words]).startswith("直播")
