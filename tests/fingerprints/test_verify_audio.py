"""What stands out, summed where landmarks should be: against sums by hand, with what was planted, and by chance."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sordino.fingerprints import audio, index
from sordino.fingerprints.index import AudioIndex
from sordino.fingerprints.model import AudioPrint
from sordino.fingerprints.params import AudioParams
from sordino.fingerprints.verify_audio import (
    BINS,
    DEVIATIONS,
    MIN_BINS,
    MIN_LANDMARKS,
    WIDEST,
    chance,
    random_poses,
    salience,
    steadiness,
    verify,
    widening,
)
from tests import synth
from tests.synth import RATE

PARAMS = AudioParams()
BANDS = PARAMS.n_bands
FRAMES = 500  # of a window

Map = NDArray[np.float32]


def noise(seed: int = 0, frames: int = FRAMES) -> Map:
    return np.random.default_rng(seed).standard_normal((frames, BANDS)).astype(np.float32)


# What stands out


def test_salience_is_standardised_in_each_band() -> None:
    salient = salience(noise())
    np.testing.assert_allclose(salient.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(salient.std(axis=0), 1, atol=0.01)


def test_the_level_and_an_equaliser_do_not_matter() -> None:
    gains = np.random.default_rng(1).uniform(-5, 5, BANDS).astype(np.float32)
    np.testing.assert_allclose(salience(noise() + gains), salience(noise()), atol=1e-3)


def test_a_band_that_is_always_loud_says_nothing() -> None:
    loud = noise()
    loud[:, 40] = 30.0  # a hum
    salient = salience(loud)
    assert abs(salient[:, 60:]).max() == pytest.approx(abs(salience(noise())[:, 60:]).max(), abs=1e-3)
    assert salient[:, 40].mean() == pytest.approx(0, abs=1e-3)


def test_nothing_stands_out_of_silence() -> None:
    assert not salience(np.full((FRAMES, BANDS), -3.0, np.float32)).any()
    assert salience(np.empty((0, BANDS), np.float32)).shape == (0, BANDS)


def test_what_is_much_louder_than_the_rest_counts_no_more_than_what_is_loud() -> None:
    contrast = noise()
    contrast[100, 50], contrast[400, 50] = 8.0, 12.0
    salient = salience(contrast)
    assert salient[100, 50] == pytest.approx(salient[400, 50])
    assert salient[100, 50] == salient[:, 50].max() < 6


def test_a_narrow_note_stands_out_of_a_wide_thump() -> None:
    contrast = noise()
    contrast[200, 80] += 4.0
    contrast[300, 70:91] += 4.0
    salient = salience(contrast)
    assert salient[200, 80] > salient[300, 80] + 1


def test_a_note_stands_out_where_it_begins() -> None:
    contrast = 0.3 * noise()
    contrast[200:400, 80] += 3.0
    salient = salience(contrast)
    assert salient[200:210, 80].mean() > salient[290:310, 80].mean() > salient[150:190, 80].mean()


# Sums at the landmarks' places


def reference(seed: int, seconds: float = 14.0) -> AudioPrint:
    rng = np.random.default_rng([5, seed])
    n = int(60 * seconds)
    frames = np.sort(rng.integers(0, int(seconds * PARAMS.frames_per_s), n)).astype(np.int32)
    return AudioPrint(PARAMS, seconds, frames, rng.integers(0, BANDS, n).astype(np.int16))


@pytest.fixture(scope="module")
def three() -> AudioIndex:
    return index.build([reference(seed) for seed in range(3)], PARAMS)


def sums_by_hand(
    salient: Map, p: AudioPrint, start: float, tempo: float, shift: int, late: int
) -> tuple[list[float], list[int]]:
    """Sum what is salient at the landmarks, each `late` frames after its place: of each tenth, and how many."""
    sums, counts = [0.0] * BINS, [0] * BINS
    for frame, band in zip(p.frames.tolist(), p.bands.tolist(), strict=True):
        at, shifted = math.floor((frame - start) / tempo + 0.5), band + shift
        if frame >= math.ceil(start) and 0 <= at < len(salient) and 0 <= shifted < BANDS:
            counts[at * BINS // len(salient)] += 1
            if 0 <= at + late < len(salient):
                sums[at * BINS // len(salient)] += float(salient[at + late, shifted])
    return sums, counts


@given(
    seed=st.integers(0, 100),
    which=st.integers(0, 2),
    start=st.integers(-300, 500),
    tempo=st.sampled_from([1.0, 0.8, 1.013, 1.2]),
    shift=st.sampled_from([0.0, -14.0, 0.5, 3.0]),
    jitter=st.integers(0, 3),
)
@settings(deadline=None, max_examples=25)
def test_sums_are_those_by_hand(
    three: AudioIndex, seed: int, which: int, start: int, tempo: float, shift: float, jitter: int
) -> None:
    salient = noise(seed)
    rows = verify(salient, three, np.array([[three.bases[which] + start, tempo, shift]]), jitter)
    by_hand = [
        sums_by_hand(salient, reference(which), start, tempo, round(shift), j) for j in range(-jitter, jitter + 1)
    ]
    whole, best = -math.inf, -math.inf
    for sums, counts in by_hand:
        for first in range(BINS - MIN_BINS + 1):
            for stop in range(first + MIN_BINS, BINS + 1):
                if sum(counts[first:stop]) >= MIN_LANDMARKS:
                    best = max(best, sum(sums[first:stop]) / math.sqrt(sum(counts[first:stop])))
        if sum(counts) >= MIN_LANDMARKS:
            whole = max(whole, sum(sums) / math.sqrt(sum(counts)))
    if whole == -math.inf:
        assert len(rows) == 0
    else:
        assert (rows["reference"][0], rows["tempo"][0], rows["shift"][0]) == (which, tempo, shift)
        assert rows["sums"][0].tolist() == pytest.approx([whole, best], abs=1e-3)


def planted(p: AudioPrint, start: float, tempo: float, shift: int, tenths: tuple[int, int] = (0, BINS)) -> Map:
    """Make a window in which only this print's landmarks stand out: played from `start`, `tempo` times as fast."""
    salient = np.zeros((FRAMES, BANDS), np.float32)
    at = np.floor((p.frames - start) / tempo + 0.5).astype(int)
    heard = (at >= tenths[0] * FRAMES // BINS) & (at < tenths[1] * FRAMES // BINS) & (p.bands + shift >= 0)
    heard &= p.bands + shift < BANDS
    salient[at[heard], p.bands[heard] + shift] = 3.0
    return salient


@pytest.mark.parametrize("late", [-3, -1, 0, 2, 3])
@pytest.mark.parametrize(("tempo", "shift"), [(1.0, 0), (0.8, 0), (1.2, 5), (0.9, -7)])
def test_a_pose_that_is_some_frames_off_is_put_right(three: AudioIndex, late: int, tempo: float, shift: int) -> None:
    salient = planted(reference(1), 60.0, tempo, shift)
    pose = [three.bases[1] + 60.0 + late * tempo, tempo, shift]
    (row,) = verify(salient, three, np.array([pose]), 3)
    assert row["reference"] == 1
    assert row["starts"].tolist() == pytest.approx([60.0, 60.0])
    (plain,) = verify(salient, three, np.array([pose]), 0)
    assert row["sums"][0] > 4 * plain["sums"][0] or late == 0


def test_a_song_in_a_part_of_the_window_is_a_run(three: AudioIndex) -> None:
    salient = planted(reference(2), 40.0, 1.0, 0, tenths=(2, 6))
    (row,) = verify(salient, three, np.array([[three.bases[2] + 40.0, 1.0, 0.0]]), 3)
    assert row["run"].tolist() == [2, 6]
    assert row["sums"][1] > 1.3 * row["sums"][0]


def test_a_song_that_begins_in_the_window_is_found_by_its_place_before_it(three: AudioIndex) -> None:
    salient = planted(reference(0), -200.0, 1.0, 0)
    (row,) = verify(salient, three, np.array([[three.bases[0] - 200.0, 1.0, 0.0]]), 3)
    assert (row["reference"], *row["starts"]) == (0, -200.0, -200.0)
    assert row["sums"][0] > 20


@pytest.mark.parametrize("place", [-1e6, -600.0, 690.0, 1e6], ids=str)
def test_poses_with_too_few_landmarks_are_left_out(place: float) -> None:
    one = index.build([reference(0)], PARAMS)
    assert len(verify(noise(), one, np.array([[one.bases[0] + place, 1.0, 0.0]]), 3)) == 0


# Chance


def test_chance_is_that_of_sums_of_noise(three: AudioIndex) -> None:
    (middle, deviation), (best_middle, best_deviation) = chance(noise(), (three,))
    assert middle == pytest.approx(0, abs=0.2)
    assert deviation == pytest.approx(1, abs=0.2)
    assert best_middle > middle + 0.5
    assert DEVIATIONS[0] <= best_deviation < deviation + 0.2


def test_without_references_there_is_a_chance_nevertheless() -> None:
    for nothing in ([], [index.build([], PARAMS)], [index.build([reference(0, 0.0)], PARAMS)]):
        assert (chance(noise(), tuple(nothing))[:, 1] > 0).all()


def test_random_poses_are_those_of_the_same_references_however_they_are_registered() -> None:
    prints = [reference(seed, seconds) for seed, seconds in enumerate((14.0, 80.0, 3.0, 14.02, 30.0))]
    order = [3, 1, 4, 0, 2]

    def places(indexes: list[AudioIndex], ordinals: list[int]) -> list[tuple[int, float]]:
        found, names = list[tuple[int, float]](), iter(ordinals)
        for built, poses in zip(indexes, random_poses(tuple(indexes)), strict=True):
            assert (poses[:, 1:] == [1.0, 0.0]).all()
            mine = [next(names) for _ in built.durations_s]
            which = np.searchsorted(built.bases, poses[:, 0] + index.GAP_FRAMES, side="right") - 1
            found += [
                (mine[k], round(float(start - built.bases[k]), 3)) for k, start in zip(which, poses[:, 0], strict=True)
            ]
        return sorted(found)

    plain = places([index.build(prints, PARAMS)], list(range(5)))
    parts = [index.build([prints[k] for k in some], PARAMS) for some in (order[:2], order[2:])]
    assert places(parts, order) == plain
    per_reference = np.bincount([which for which, _ in plain], minlength=5)
    assert per_reference.argmax() == 1  # the longest has the most


def test_held_notes_are_steady() -> None:
    rng = np.random.default_rng(0)
    held = np.repeat(rng.standard_normal((FRAMES // 100, BANDS)), 100, axis=0).astype(np.float32)
    assert steadiness(salience(held + 0.3 * noise())) > 0.3
    assert steadiness(noise()) == pytest.approx(0, abs=0.02)
    assert steadiness(noise(frames=10)) == 0.0


@pytest.mark.parametrize("front", ["speech", "noise"])
def test_a_window_that_is_half_silent_is_not_steady(front: str) -> None:
    sound = synth.speech_like(6, 1) if front == "speech" else 0.1 * np.random.default_rng(0).standard_normal(6 * RATE)
    half = np.concatenate([sound, np.zeros(4 * RATE)]).astype(np.float32)
    assert steadiness(salience(audio.query_print(half).contrast)) < 0.03


def test_chance_reaches_further_in_steady_windows() -> None:
    held = np.repeat(noise(frames=FRAMES // 50), 50, axis=0)
    assert widening(salience(held)) == WIDEST
    assert widening(salience(noise())) == pytest.approx(1, abs=0.2)
    assert 1 < widening(salience(held + 1.5 * noise())) < WIDEST
