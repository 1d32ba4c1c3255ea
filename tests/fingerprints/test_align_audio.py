"""Songs planted under speech are found where they were planted, and nothing where nothing was."""

import math
from functools import cache

import numpy as np
import pytest
from scipy.signal import resample

from sordino.fingerprints import align_audio, audio, index
from sordino.fingerprints.align_audio import AudioAlignment
from sordino.fingerprints.model import AudioQuery, Span
from sordino.fingerprints.params import AudioParams
from sordino.fingerprints.search_audio import Pose, References
from tests import synth
from tests.synth import RATE, Samples

PARAMS = AudioParams()
SONG_S = 40.0
SONGS = 6
CERTAIN = -4.0  # log10 of the chance of a false match: what acts without a moderator


@cache
def song(seed: int) -> Samples:
    return synth.music(SONG_S, seed)


def indexed(*sounds: Samples) -> References:
    return References((index.build([audio.reference_print(s) for s in sounds], PARAMS),))


@pytest.fixture(scope="module")
def catalogue() -> References:
    return indexed(*map(song, range(SONGS)))


def cut(sound: Samples, start_s: float, end_s: float) -> Samples:
    return sound[round(start_s * RATE) : round(end_s * RATE)]


def under_speech(back: Samples, at_s: float, seconds: float, back_db: float, seed: int) -> AudioQuery:
    """Speech of `seconds` with `back` under it from `at_s`, at `back_db` relative to the speech."""
    front = synth.speech_like(seconds, seed)
    gain = np.sqrt(np.mean(front**2) / np.mean(back**2)) * 10 ** (back_db / 20)
    start = round(at_s * RATE)
    front[start : start + len(back)] += gain * back
    return audio.query_print((0.5 * front).astype(np.float32))


def certain(found: list[AudioAlignment]) -> list[AudioAlignment]:
    return [a for a in found if a.log10_false_positive <= CERTAIN]


def near(span: Span, start_s: float, end_s: float, tolerance_s: float) -> bool:
    return abs(span.start_s - start_s) <= tolerance_s and abs(span.end_s - end_s) <= tolerance_s


# Planted songs


@pytest.mark.parametrize("back_db", [-6, -10])
@pytest.mark.parametrize("seed", [0, 2, 4, 5])
def test_a_song_in_the_middle_under_speech(catalogue: References, seed: int, back_db: float) -> None:
    query = under_speech(cut(song(seed), 10, 24), 8, 30, back_db, 50 + seed)
    best = align_audio.find(query, catalogue)[0]
    assert best.ordinal == seed
    assert near(best.query, 8, 22, 1.0)
    assert near(best.reference, 10, 24, 1.0)
    middle = (best.query.start_s + best.query.end_s) / 2
    there = best.reference.start_s + best.speed * (middle - best.query.start_s)
    assert there - middle == pytest.approx(2, abs=0.15)
    assert best.log10_false_positive <= CERTAIN


@pytest.mark.parametrize("start_s", [0.0, 12.34, 29.9], ids=["its start", "its middle", "its end"])
def test_an_excerpt_alone_fills_the_query(catalogue: References, start_s: float) -> None:
    best = align_audio.find(audio.query_print(cut(song(1), start_s, start_s + 10)), catalogue)[0]
    assert (best.ordinal, best.query) == (1, Span(0.0, 10.0))
    assert near(best.reference, start_s, start_s + 10, 0.15)
    assert best.speed == pytest.approx(1, abs=0.002)
    assert best.pitch_semitones == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_reference_that_begins_inside_the_query(catalogue: References, seed: int) -> None:
    best = align_audio.find(under_speech(cut(song(seed), 0, 12), 18, 30, 0, 60 + seed), catalogue)[0]
    assert best.ordinal == seed
    assert near(best.query, 18, 30, 1.0)
    assert near(best.reference, 0, 12, 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_a_reference_that_begins_late_in_the_query(catalogue: References, seed: int) -> None:
    at_s = 6.0
    sound = np.concatenate([0.3 * synth.speech_like(at_s, seed), cut(song(seed), 0, 10 - at_s)]).astype(np.float32)
    best = align_audio.find(audio.query_print(sound), catalogue)[0]
    assert best.ordinal == seed
    assert near(best.query, at_s, 10, 0.5)
    assert near(best.reference, 0, 10 - at_s, 0.5)


@pytest.mark.parametrize("seed", range(4))
def test_a_reference_that_ends_inside_the_query(catalogue: References, seed: int) -> None:
    best = align_audio.find(under_speech(cut(song(seed), 28, 40), 0, 30, 0, 70 + seed), catalogue)[0]
    assert best.ordinal == seed
    assert near(best.query, 0, 12, 1.0)
    assert near(best.reference, 28, 40, 1.0)


def test_two_references_one_after_the_other(catalogue: References) -> None:
    query = audio.query_print(np.concatenate([cut(song(2), 5, 17), cut(song(4), 20, 32)]))
    found = {a.ordinal: a for a in certain(align_audio.find(query, catalogue))}
    assert near(found[2].query, 0, 12, 0.7)
    assert near(found[2].reference, 5, 17, 0.7)
    assert near(found[4].query, 12, 24, 0.7)
    assert near(found[4].reference, 20, 32, 0.7)


def test_a_song_that_comes_twice_is_found_twice(catalogue: References) -> None:
    between = 0.3 * synth.speech_like(12, 1)
    twice = np.concatenate([cut(song(3), 4, 16), between, cut(song(3), 24, 36)]).astype(np.float32)
    found = [a for a in certain(align_audio.find(audio.query_print(twice), catalogue)) if a.ordinal == 3]
    first, second = sorted(found, key=lambda a: a.query)
    assert near(first.query, 0, 12, 0.7)
    assert near(first.reference, 4, 16, 0.7)
    assert near(second.query, 24, 36, 0.7)
    assert near(second.reference, 24, 36, 0.7)


SKIPS = {
    "a short silence": (10, 20, 0.12, 20, 30),
    "a second": (10, 20, 0, 21, 31),
    "two seconds": (10, 20, 0, 22, 32),
    "five seconds": (10, 20, 0, 25, 35),
    "back by five seconds": (10, 20, 0, 15, 25),
    "back to the same": (10, 20, 0, 10, 20),
}


@pytest.mark.parametrize("skip", SKIPS.values(), ids=SKIPS)
def test_a_song_that_skips_is_found_on_both_sides(
    skippers: References, skip: tuple[float, float, float, float, float]
) -> None:
    first_s, last_s, silent_s, again_s, end_s = skip
    for ordinal, sound in enumerate(map(skipper, range(20, 26))):
        pause = np.zeros(round(silent_s * RATE), np.float32)
        query = np.concatenate([cut(sound, first_s, last_s), pause, cut(sound, again_s, end_s)])
        found = [a for a in certain(align_audio.find(audio.query_print(query), skippers)) if a.ordinal == ordinal]
        assert 1 <= len(found) <= 2
        for start_s in (0.0, last_s - first_s + silent_s):
            side = Span(start_s, start_s + 10)
            assert sum(a.query.overlap_s(side) for a in found) >= 9
        for a in found if silent_s == 0 else []:
            expected_s = first_s if a.query.start_s < 5 else again_s - (last_s - first_s)
            assert a.reference.start_s - a.speed * a.query.start_s == pytest.approx(expected_s, abs=0.2)


@cache
def skipper(seed: int) -> Samples:
    return synth.music(60, seed)


@pytest.fixture(scope="module")
def skippers() -> References:
    return indexed(*map(skipper, range(20, 26)))


def test_a_song_that_skips_in_ten_seconds_is_found_on_both_sides(catalogue: References) -> None:
    for seed in (1, 3, 4):
        query = audio.query_print(np.concatenate([cut(song(seed), 5, 10), cut(song(seed), 13, 18)]))
        first, second = sorted(align_audio.find(query, catalogue), key=lambda a: a.query)
        assert first.ordinal == second.ordinal == seed
        assert near(first.query, 0, 5, 1.5)
        assert near(first.reference, 5, 10, 1.5)
        assert near(second.query, 5, 10, 1.5)
        assert near(second.reference, 13, 18, 1.5)


@pytest.mark.parametrize("before_s", [0.7, 1.0, 2.0])
def test_a_match_does_not_reach_beyond_its_reference(catalogue: References, before_s: float) -> None:
    whole = np.concatenate([synth.speech_like(before_s, 7), 0.5 * song(3), synth.speech_like(before_s, 8)])
    best = align_audio.find(audio.query_print(whole.astype(np.float32)), catalogue)[0]
    assert best.ordinal == 3
    assert near(best.query, before_s, before_s + SONG_S, 0.15)
    assert near(best.reference, 0, SONG_S, 0.15)


def test_a_recording_registered_twice_is_found_twice() -> None:
    twice = indexed(song(0), song(2), song(1), song(2))
    found = certain(align_audio.find(under_speech(cut(song(2), 10, 22), 4, 20, -3, 3), twice))
    assert {a.ordinal for a in found} == {1, 3}
    assert all(near(a.query, 4, 16, 1.0) and near(a.reference, 10, 22, 1.0) for a in found)


@pytest.mark.parametrize("seed", range(4))
def test_two_recordings_of_one_composition_are_told_apart(seed: int) -> None:
    takes = [synth.music(SONG_S, seed, take) for take in range(2)]
    both = indexed(*takes, song(4), song(5))
    for k, take in enumerate(takes):
        found = align_audio.find(audio.query_print(cut(take, 8, 20)), both)
        assert found[0].ordinal == k
        assert all(a.log10_false_positive > found[0].log10_false_positive + 2 for a in found[1:])


@pytest.mark.parametrize("back_db", [0.0, -6.0])
def test_two_songs_at_once_are_both_found(catalogue: References, back_db: float) -> None:
    for one, other in ((1, 3), (4, 2), (5, 0)):
        both = synth.mix(cut(song(one), 5, 25), cut(song(other), 12, 32), back_db)
        found = {a.ordinal: a for a in certain(align_audio.find(audio.query_print(both), catalogue))}
        assert set(found) == {one, other}
        assert near(found[one].reference, 5, 25, 1.0)
        assert near(found[other].reference, 12, 32, 1.0 if back_db == 0 else 7.0)


def test_a_song_that_fades_into_another(catalogue: References) -> None:
    fade = np.sqrt(np.linspace(0, 1, 6 * RATE, dtype=np.float32))
    one, other = cut(song(3), 5, 18).copy(), cut(song(1), 10, 23).copy()
    one[-len(fade) :] *= fade[::-1]
    other[: len(fade)] *= fade
    sound = np.pad(one, (0, 7 * RATE)) + np.pad(other, (7 * RATE, 0))
    found = {a.ordinal: a for a in certain(align_audio.find(audio.query_print(sound), catalogue))}
    assert set(found) == {3, 1}
    assert near(found[3].query, 0, 10, 3.5)
    assert near(found[1].query, 10, 20, 3.5)


def test_a_loop_is_found_once_over_its_whole_length() -> None:
    bar = synth.music(2, 5)
    loops = indexed(np.tile(bar, 300), song(0))  # ten minutes: hundreds of poses fit equally well
    found = certain(align_audio.find(audio.query_print(np.tile(bar, 10)), loops))
    assert [a.ordinal for a in found] == [0]
    assert near(found[0].query, 0, 20, 0.5)
    assert found[0].reference.duration_s == pytest.approx(20, abs=1)
    assert found[0].reference.start_s % 2 == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize("speed", [0.99, 1.01])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_speed_of_a_resampled_copy(catalogue: References, seed: int, speed: float) -> None:
    original = cut(song(seed), 0, 30)
    copy = np.asarray(resample(original, round(len(original) / speed)), np.float32)
    best = align_audio.find(audio.query_print(copy), catalogue)[0]
    assert best.ordinal == seed
    assert best.speed == pytest.approx(speed, abs=0.003)
    assert near(best.query, 0, len(copy) / RATE, 0.5)
    assert near(best.reference, 0, 30, 0.5)


CHANGES = {
    "pitch": [(1.0, 1.03), (1.0, 0.97), (1.0, 1.1), (1.0, 0.9)],
    "tempo": [(1.05, 1.0), (0.95, 1.0), (1.2, 1.0), (0.8, 1.0)],
    "speed": [(1.04, 1.04), (0.96, 0.96), (1.12, 1.12), (0.88, 0.88)],
}


@pytest.mark.parametrize("under_db", [None, -3.0], ids=["alone", "under speech"])
@pytest.mark.parametrize(
    ("tempo", "pitch"),
    [change for changes in CHANGES.values() for change in changes],
    ids=[f"{what} {100 * max(t, p, key=lambda x: abs(x - 1)):.0f}" for what in CHANGES for t, p in CHANGES[what]],
)
def test_tempo_and_pitch_of_a_changed_copy(
    catalogue: References, tempo: float, pitch: float, under_db: float | None
) -> None:
    for seed in range(3):
        copy = cut(synth.changed(cut(song(seed), 5, 6 + 20 * tempo), tempo, pitch), 0, 20)
        query = audio.query_print(copy) if under_db is None else under_speech(copy, 0, 20, under_db, 50 + seed)
        best = align_audio.find(query, catalogue)[0]
        assert best.ordinal == seed
        assert best.speed == pytest.approx(tempo, rel=0.003)
        assert best.pitch_semitones == pytest.approx(12 * math.log2(pitch), abs=0.2)
        assert near(best.query, 0, 20, 1.0)
        assert near(best.reference, 5, 5 + 20 * tempo, 1.0)
        assert best.log10_false_positive <= CERTAIN


@pytest.mark.parametrize("by_s", [0.5, 2.0, 4.98, 7.3])
def test_a_later_song_is_a_later_match(catalogue: References, by_s: float) -> None:
    def best(at_s: float) -> AudioAlignment:
        sound = np.zeros(30 * RATE, np.float32)
        sound[round(at_s * RATE) :][: 12 * RATE] = cut(song(5), 14, 26)
        return align_audio.find(audio.query_print(sound), catalogue)[0]

    early, late = best(6), best(6 + by_s)
    assert early.ordinal == late.ordinal == 5
    assert late.query.start_s - early.query.start_s == pytest.approx(by_s, abs=0.3)
    assert late.query.end_s - early.query.end_s == pytest.approx(by_s, abs=0.3)
    assert near(late.reference, early.reference.start_s, early.reference.end_s, 0.3)


# Expected poses


def expected(ordinal: int, reference_s: float, query_s: float = 0.0) -> Pose:
    return Pose(ordinal, (reference_s - query_s) * PARAMS.frames_per_s)


@pytest.mark.parametrize("seed", range(4))
def test_the_last_seconds_of_a_song_are_found_where_it_was_expected(catalogue: References, seed: int) -> None:
    query = under_speech(cut(song(seed), 36, 40), 0, 10, -8, 80 + seed)
    plain = [a for a in align_audio.find(query, catalogue) if a.ordinal == seed]
    found = align_audio.find(query, catalogue, [expected(seed, 36)])
    best = next(a for a in found if a.ordinal == seed)
    assert best.query.overlap_s(Span(0, 4)) >= max(1.5, 0.8 * best.query.duration_s)
    assert best.reference.start_s - best.query.start_s == pytest.approx(36, abs=0.3)
    assert all(best.log10_false_positive < a.log10_false_positive for a in plain)


@pytest.mark.parametrize("seed", range(4))
def test_what_was_expected_and_does_not_come_is_not_found(catalogue: References, seed: int) -> None:
    query = audio.query_print(synth.speech_like(10, 90 + seed))
    poses = [expected(k, 15) for k in range(SONGS)]
    assert certain(align_audio.find(query, catalogue, poses)) == []


@pytest.mark.parametrize("reference_s", [-100.0, -15.0, 39.9, 60.0, 1e6], ids=str)
def test_a_pose_outside_its_reference_is_no_match(catalogue: References, reference_s: float) -> None:
    query = audio.query_print(synth.speech_like(10, 5))
    poses = [expected(k, reference_s) for k in (0, SONGS - 1)]
    assert certain(align_audio.find(query, catalogue, poses)) == []


# Nothing planted


def tones() -> Samples:
    t = np.arange(30 * RATE) / RATE
    return np.asarray(sum(np.sin(2 * np.pi * hz * t) for hz in (220, 440, 660, 1000)) / 8, np.float32)


def noise() -> Samples:
    return (0.1 * np.random.default_rng(0).standard_normal(30 * RATE)).astype(np.float32)


NEGATIVES = {
    "silence": np.zeros(30 * RATE, np.float32),
    "tones": tones(),
    "noise": noise(),
    "beeps": synth.beeps(30, np.arange(0, 30, 0.5)),
    **{f"speech {seed}": synth.speech_like(30, 300 + seed) for seed in range(4)},
    **{f"other music {seed}": synth.music(30, 400 + seed) for seed in range(4)},
    **{f"speech over music {s}": synth.mix(synth.speech_like(30, s), synth.music(30, 500 + s), -6) for s in range(2)},
}


@pytest.mark.parametrize("sound", NEGATIVES.values(), ids=NEGATIVES)
def test_what_is_not_registered_is_not_found(catalogue: References, sound: Samples) -> None:
    assert certain(align_audio.find(audio.query_print(sound), catalogue)) == []


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.5, 2.0])
def test_short_queries_do_no_harm(catalogue: References, seconds: float) -> None:
    for a in align_audio.find(audio.query_print(cut(song(0), 10, 10 + seconds)), catalogue):
        assert 0 <= a.query.start_s <= a.query.end_s <= seconds


@pytest.mark.parametrize("seconds", [0.0, 0.1, 2.0])
def test_short_references_do_no_harm(seconds: float) -> None:
    jingles = indexed(*(cut(song(k), 0, seconds) for k in range(3)), song(3))
    query = audio.query_print(np.concatenate([cut(song(0), 0, seconds), cut(song(3), 15, 25)]))
    found = align_audio.find(query, jingles)
    assert found[0].ordinal == 3
    assert near(found[0].query, seconds, 10 + seconds, 0.7)
    assert all(0 <= a.reference.start_s <= a.reference.end_s <= SONG_S for a in found)


def test_an_empty_index_has_nothing() -> None:
    query = audio.query_print(cut(song(0), 0, 10))
    assert align_audio.find(query, References(())) == []
    assert align_audio.find(query, indexed()) == []
    assert align_audio.find(query, indexed(np.zeros(RATE, np.float32))) == []
