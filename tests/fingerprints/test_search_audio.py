"""Windows and their judgement: when the sweep is made, what several indexes say together, who else is there."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from sordino.fingerprints import audio, index, search_audio
from sordino.fingerprints.model import AudioPrint, AudioQuery
from sordino.fingerprints.params import AudioParams
from sordino.fingerprints.search_audio import (
    AS_RECORDED,
    CHANGED,
    MAX_LOG10_FALSE_POSITIVE,
    OTHERS,
    SEARCHED_HOURS,
    SURE,
    TYPICAL_OTHERS,
    Hypothesis,
    Pose,
    References,
    Search,
    Tail,
    Window,
    judged,
    others_reach,
    search,
    windows,
)
from tests import synth
from tests.synth import RATE, Samples

PARAMS = AudioParams()
SONGS, SONG_S = 6, 30.0


@cache
def song(seed: int) -> Samples:
    return synth.music(SONG_S, seed)


@cache
def prints(seed: int) -> AudioPrint:
    return audio.reference_print(song(seed))


def indexed(*groups: tuple[int, ...]) -> References:
    return References(tuple(index.build([prints(seed) for seed in group], PARAMS) for group in groups))


@pytest.fixture(scope="module")
def catalogue() -> References:
    return indexed(tuple(range(SONGS)))


def cut(sound: Samples, start_s: float, end_s: float) -> Samples:
    return sound[round(start_s * RATE) : round(end_s * RATE)]


def only_window(sound: Samples, references: References) -> Window:
    (window,) = windows(audio.query_print(sound), references)
    return window


def surest(found: list[Hypothesis]) -> Hypothesis:
    return min(found, key=lambda h: h.log10_false_positive)


# Windows


@pytest.mark.parametrize(
    ("seconds", "starts_s"),
    [(3.0, [0]), (10.0, [0]), (11.0, [0]), (13.0, [0, 2.9]), (20.0, [0, 5, 9.9]), (30.0, [0, 5, 10, 15, 19.9])],
)
def test_windows_overlap_and_reach_the_end(catalogue: References, seconds: float, starts_s: list[float]) -> None:
    made = list(windows(audio.query_print(cut(song(0), 0, seconds)), catalogue))
    assert [w.first / PARAMS.frames_per_s for w in made] == pytest.approx(starts_s, abs=0.05)
    assert all(w.landmarks.n_frames == len(w.salient) <= 10 * PARAMS.frames_per_s for w in made)
    assert all(0 <= w.landmarks.frames[0] <= w.landmarks.frames[-1] < w.landmarks.n_frames for w in made)


def test_silence_has_no_windows(catalogue: References) -> None:
    for nothing in (np.zeros(30 * RATE, np.float32), np.empty(0, np.float32)):
        assert list(windows(audio.query_print(nothing), catalogue)) == []


def test_without_references_there_are_no_windows() -> None:
    assert list(windows(audio.query_print(song(0)), References(()))) == []


# The sweep


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[Search]:
    """What was searched for, in order."""
    made, real = list[Search](), search_audio.candidates

    def counted(window: Window, references: References, how: Search) -> np.ndarray[tuple[int], np.dtype[np.void]]:
        made.append(how)
        return real(window, references, how)

    monkeypatch.setattr(search_audio, "candidates", counted)
    return made


def test_a_window_that_is_found_as_recorded_is_not_swept(catalogue: References, searches: list[Search]) -> None:
    for seed in (1, 3):
        for back in (cut(song(seed), 8, 18), synth.mix(synth.speech_like(10, seed), cut(song(seed), 8, 18), -3)):
            searches.clear()
            found = surest(search(only_window(back, catalogue), catalogue, []))
            assert (found.pose.reference, found.pose.speed, found.pose.shift) == (seed, 1.0, 0.0)
            assert searches == [AS_RECORDED]


def test_a_window_that_is_not_found_as_recorded_is_swept(catalogue: References, searches: list[Search]) -> None:
    higher = synth.changed(cut(song(1), 8, 20), pitch=1.1)
    found = surest(search(only_window(cut(higher, 0, 10), catalogue), catalogue, []))
    assert searches == [AS_RECORDED, CHANGED]
    assert found.pose.reference == 1
    assert found.pose.shift == pytest.approx(PARAMS.bands_per_octave * math.log2(1.1), abs=0.51)
    searches.clear()
    assert search(only_window(synth.speech_like(10, 5), catalogue), catalogue, []) == []
    assert searches == [AS_RECORDED, CHANGED]


class Vast(References):
    """References that say that there are more hours of them."""

    hours = 0.0


@pytest.mark.parametrize("hours", [20.0, 100.0, 200.0, 1000.0, 1500.0, 3000.0, 5000.0])  # each effort
def test_however_much_is_spared_songs_are_found(
    catalogue: References, searches: list[Search], monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    monkeypatch.setattr(Vast, "hours", hours)
    vast = Vast(catalogue.indexes)
    spoken = synth.mix(synth.speech_like(10, 3), cut(song(3), 8, 18), 0)
    assert surest(search(only_window(spoken, vast), vast, [])).pose.reference == 3
    assert searches == [AS_RECORDED]
    faster = synth.changed(cut(song(1), 8, 20), pitch=1.06, tempo=1.06)
    assert surest(search(only_window(cut(faster, 0, 10), vast), vast, [])).pose.reference == 1


# Several indexes


@pytest.mark.parametrize(
    "groups", [((0, 1, 2), (3, 4, 5)), ((5,), (0, 3), (4, 2, 1)), ((), (0, 1, 2, 3, 4, 5), ())], ids=str
)
def test_several_indexes_are_searched_as_one(catalogue: References, groups: tuple[tuple[int, ...], ...]) -> None:
    several = indexed(*groups)
    seeds = [seed for group in groups for seed in group]
    assert several.hours == pytest.approx(catalogue.hours)
    for seed in (1, 3, 5):
        sound = synth.mix(synth.speech_like(10, seed), cut(song(seed), 8, 18), -3)
        one, other = (surest(search(only_window(sound, refs), refs, [])) for refs in (catalogue, several))
        assert one.pose.reference == seeds[other.pose.reference] == seed
        assert other.pose.start_frame == pytest.approx(one.pose.start_frame, abs=1)
        assert (other.pose.speed, other.pose.shift) == (one.pose.speed, one.pose.shift)
        assert other.log10_false_positive == pytest.approx(one.log10_false_positive, abs=1.0)


def test_ordinals_count_through_the_indexes() -> None:
    several = indexed((0, 1), (), (2, 3, 4))
    assert several.firsts() == [0, 2, 2, 5]
    assert [several.place(k) for k in range(5)] == [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]


def test_an_expected_pose_is_one_of_its_own_index(catalogue: References) -> None:
    several = indexed((0, 1, 2), (3, 4, 5))
    sound = synth.mix(synth.speech_like(10, 2), cut(song(4), 8, 18), -9)
    for ordinal in range(SONGS):
        pose = Pose(ordinal, 8 * PARAMS.frames_per_s)
        window = only_window(sound, several)
        assert {h.pose.reference for h in search_audio._as_expected(window, several, pose)} <= {ordinal} & {4}
    assert list(search_audio._as_expected(window, several, Pose(4, 8 * PARAMS.frames_per_s)))


# Judgement


def test_what_was_expected_needs_less_evidence(catalogue: References) -> None:
    for seed in (1, 3, 5):
        window = only_window(synth.mix(synth.speech_like(10, seed), cut(song(seed), 8, 18), -9), catalogue)
        expected = surest(search(window, catalogue, [Pose(seed, 8 * PARAMS.frames_per_s)]))
        plain = [h for h in search(window, catalogue, []) if h.pose.reference == seed]
        assert expected.pose.reference == seed
        assert all(expected.log10_false_positive < h.log10_false_positive for h in plain)


def test_each_side_of_a_skip_inside_of_a_window_is_found(catalogue: References) -> None:
    skipping = np.concatenate([cut(song(3), 5, 10), cut(song(3), 13, 18)])
    found = sorted(search(only_window(skipping, catalogue), catalogue, []), key=lambda h: h.first_frame)
    assert [h.pose.reference for h in found] == [3, 3]
    assert [round(h.pose.start_frame) for h in found] == pytest.approx([250, 400], abs=1)
    assert found[0].first_frame == 0
    assert found[0].stop_frame <= found[1].first_frame
    assert found[1].stop_frame == found[1].window_stop


def test_hypotheses_tell_frames_of_the_whole_query(catalogue: References) -> None:
    sound = np.concatenate([synth.speech_like(12, 4), cut(song(3), 8, 20)]).astype(np.float32)
    query: AudioQuery = audio.query_print(sound)
    found = [h for w in windows(query, catalogue) for h in search(w, catalogue, []) if h.pose.reference == 3]
    assert found
    for h in found:
        middle = (h.first_frame + h.stop_frame) / 2
        heard = h.pose.start_frame + h.pose.speed * middle
        assert heard == pytest.approx(middle + (8 - 12) * PARAMS.frames_per_s, abs=3)
        assert 0 <= h.window_first <= h.first_frame < h.stop_frame <= h.window_stop <= len(query.contrast)


def test_what_is_not_less_likely_in_few_hours_is_likelier_in_many(catalogue: References) -> None:
    window = only_window(cut(song(1), 8, 18), catalogue)
    rows = search_audio.candidates(window, catalogue, AS_RECORDED)
    as_fitted = judged(window, rows, AS_RECORDED, SEARCHED_HOURS)
    np.testing.assert_array_equal(judged(window, rows, AS_RECORDED, 0.0), as_fitted)
    # what others reach grows by itself: only the second opinion is told of the hours
    by_chance = Tail(0.0, math.inf)
    alone = replace(AS_RECORDED, outstanding=(by_chance, by_chance))
    as_fitted, most = judged(window, rows, alone, SEARCHED_HOURS), 2 * math.log10(2)
    assert as_fitted.min() < most - 2
    np.testing.assert_allclose(judged(window, rows, alone, 100 * SEARCHED_HOURS), np.minimum(as_fitted + 2, most))


def test_a_tail_loses_a_decade_every_so_many_deviations() -> None:
    tail = Tail(2.0, 1.5)
    np.testing.assert_allclose(tail.log10(np.array([-5.0, 2.0, 3.5, 8.0])), [0, 0, -1, -4])


def test_others_reach_what_neither_of_the_two_best_does() -> None:
    best = np.array([30.0, 20.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    references = np.repeat(np.arange(len(best)), 2)
    deviations = np.stack([np.repeat(best, 2) - [0, 9] * len(best), np.repeat(best, 2) + 1], axis=1)
    middle = float(np.median(best[OTHERS]))
    assert others_reach(references, deviations, 1.0) == (middle, middle + 1)
    for few in (slice(0), slice(2)):
        assert others_reach(references[few], deviations[few], 1.0) == TYPICAL_OTHERS
        assert others_reach(references[few], deviations[few], 2.0) == tuple(np.array(TYPICAL_OTHERS) / 2)


@pytest.mark.parametrize("seed", [0, 3])
def test_a_loop_that_two_works_share_is_no_copy(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = np.tile(synth.music(2.0, 900 + seed), 15)
    registered, other = song(seed) + loop, song(20 + seed) + loop
    works = References((index.build([audio.reference_print(registered), *map(prints, range(50, 56))], PARAMS),))
    window = only_window(cut(other, 3.05, 13.05), works)
    assert search(window, works, []) == []
    own = surest(search(only_window(cut(registered, 3.05, 13.05), works), works, []))
    assert own.log10_false_positive < SURE
    monkeypatch.setattr(search_audio, "LOOP", 1.0)
    assert [h.pose.reference for h in search(window, works, [])] == [0]


@pytest.mark.parametrize("seed", [1, 2, 8, 20])
@pytest.mark.parametrize("others", [0, 1, 2])
def test_a_copy_is_sure_in_the_smallest_catalogue(seed: int, others: int) -> None:
    works = indexed(tuple(range(seed, seed + 1 + others)))
    assert surest(search(only_window(cut(song(seed), 8, 18), works), works, [])).log10_false_positive < -4


def test_only_what_is_beyond_chance_is_told(catalogue: References) -> None:
    for seed in range(4):
        window = only_window(synth.mix(synth.speech_like(10, seed), synth.music(10, 700 + seed), -3), catalogue)
        assert all(h.log10_false_positive <= MAX_LOG10_FALSE_POSITIVE for h in search(window, catalogue, []))
        rows = search_audio.candidates(window, catalogue, AS_RECORDED)
        assert len(rows)
        assert judged(window, rows, AS_RECORDED, catalogue.hours).min() > MAX_LOG10_FALSE_POSITIVE
