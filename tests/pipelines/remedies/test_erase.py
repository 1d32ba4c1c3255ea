"""Songs are taken out from under a voice: planted, erased, and compared with the voice as it was."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sordino.fingerprints.model import Span
from sordino.pipelines.media import MediaError
from sordino.pipelines.remedies.erase import CHUNK_S, Block, Outcome, Song, erase
from sordino.pipelines.remedies.timing import Timing, aligned
from sordino.pipelines.remedies.warp import sampled
from tests import synth
from tests.synth import RATE

LENGTH_S = 40.0


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synth.wav(tmp_path_factory.mktemp("track") / "track.wav", synth.music(LENGTH_S, 1))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synth.wav(tmp_path_factory.mktemp("track") / "other.wav", synth.music(LENGTH_S, 2))


def voice(seconds: float) -> Block:
    return np.repeat(0.3 * synth.speech_like(seconds, 3)[:, None], 2, axis=1)


def played(seed: int, first_s: float, seconds: float, speed: float = 1.0) -> Block:
    """Return a stretch of a track as a copy plays it."""
    music = np.repeat(0.3 * synth.music(LENGTH_S, seed)[:, None], 2, axis=1)
    return sampled(music, first_s * RATE, speed, round(seconds * RATE))


def blocks(sound: Block, size: int = 4000) -> Iterator[Block]:
    for at in range(0, len(sound), size):
        yield sound[at : at + size]


def erased(sound: Block, *songs: Song, size: int = 4000) -> tuple[Block, list[Outcome]]:
    outcomes: list[Outcome] = []
    left = np.concatenate(list(erase(blocks(sound, size), RATE, songs, outcomes)))
    assert len(left) == len(sound)
    return left, outcomes


def better_db(spoken: Block, mixed: Block, left: Block) -> float:
    """Return by how much what is wrong with the voice became quieter."""
    return float(10 * np.log10(np.mean((mixed - spoken) ** 2) / np.mean((left - spoken) ** 2)))


def song(
    path: Path, query: Span, at_s: float, speed: float = 1.0, off_s: float = 0.06, off_speed: float = 0.001
) -> Song:
    """Return a song as a match would have it: not quite where it is, and not quite as fast."""
    told = speed * (1 + off_speed)
    there = Span(at_s + off_s, at_s + off_s + query.duration_s * told)
    return Song(path, query, there, told, 12 * float(np.log2(told)))


@pytest.mark.parametrize("speed", [1.0, 1.0002, 1.04, 0.96], ids=lambda speed: f"speed {speed}")
def test_the_voice_is_left(track: Path, speed: float) -> None:
    spoken = voice(16)
    mixed = spoken + played(1, 5, 16, speed)
    left, (outcome,) = erased(mixed, song(track, Span(0, 16), 5, speed))
    assert outcome.ok, outcome
    assert better_db(spoken, mixed, left) > 15


@pytest.mark.parametrize("off_s", [-0.7, 0.7], ids=["told too early", "told too late"])
def test_where_the_music_starts_and_stops_is_found(track: Path, off_s: float) -> None:
    spoken = voice(24)
    mixed = spoken.copy()
    mixed[6 * RATE : 18 * RATE] += played(1, 5, 12)
    left, (outcome,) = erased(mixed, song(track, Span(6 + off_s, 18 + off_s), 5 + off_s))
    assert outcome.ok, outcome
    assert better_db(spoken, mixed, left) > 12
    assert np.array_equal(left[: 4 * RATE], spoken[: 4 * RATE])
    assert np.array_equal(left[20 * RATE :], spoken[20 * RATE :])


def test_digital_silence_before_the_music_tells_nothing(track: Path) -> None:
    spoken = voice(24)
    spoken[: 6 * RATE] = 0
    mixed = spoken.copy()
    mixed[6 * RATE : 18 * RATE] += played(1, 5, 12)
    left, (outcome,) = erased(mixed, song(track, Span(5.3, 17.3), 4.3))
    assert outcome.ok, outcome
    assert better_db(spoken, mixed, left) > 12


def test_music_that_is_turned_down_while_somebody_speaks(track: Path) -> None:
    spoken = voice(16)
    level = np.sqrt(scipy.signal.lfilter([1e-3], [1, 1e-3 - 1], spoken[:, :1] ** 2, axis=0))
    mixed = spoken + played(1, 5, 16) * (1 / (1 + 20 * level)).astype(np.float32)
    left, (outcome,) = erased(mixed, song(track, Span(0, 16), 5))
    assert outcome.ok, outcome
    assert better_db(spoken, mixed, left) > 10


def test_music_in_one_channel_that_went_through_an_equaliser(track: Path) -> None:
    spoken = voice(16)
    shaped = scipy.signal.lfilter([1.0, -0.6], [1.0, 0.2], played(1, 5, 16), axis=0).astype(np.float32)
    mixed = spoken + shaped * np.array([1, 0], np.float32)
    left, (outcome,) = erased(mixed, song(track, Span(0, 16), 5))
    assert outcome.ok, outcome
    assert better_db(spoken, mixed, left) > 15


def test_music_in_a_room(track: Path) -> None:
    spoken, rng = voice(16), np.random.default_rng(0)
    response = 0.05 * rng.standard_normal(RATE // 5) * np.exp(-6.9 * np.linspace(0, 1, RATE // 5))
    response[0] = 1
    mixed = spoken + scipy.signal.fftconvolve(played(1, 5, 16), response[:, None])[: 16 * RATE].astype(np.float32)
    left, (outcome,) = erased(mixed, song(track, Span(0, 16), 5))
    assert outcome.ok, outcome
    assert better_db(spoken, mixed, left) > 10


def test_two_songs_at_once(track: Path, other: Path) -> None:
    spoken = voice(16)
    mixed = spoken + played(1, 5, 16)
    mixed[4 * RATE :] += played(2, 9, 12)
    left, outcomes = erased(mixed, song(other, Span(4, 16), 9), song(track, Span(0, 16), 5))
    assert [outcome.ok for outcome in outcomes] == [True, True]
    assert better_db(spoken, mixed, left) > 8


def test_a_wrong_song_is_not_erased_and_nothing_changes(other: Path) -> None:
    mixed = voice(16) + played(1, 5, 16)
    left, (outcome,) = erased(mixed, song(other, Span(0, 16), 5))
    assert (outcome.ok, outcome.suppression_db) == (False, 0)
    assert outcome.why == "its reference can't be laid beside it to the sample"
    assert np.array_equal(left, mixed)


def test_a_song_that_is_not_there_changes_nothing(track: Path) -> None:
    spoken = voice(16)
    left, (outcome,) = erased(spoken, song(track, Span(2, 14), 5))
    assert not outcome.ok
    assert np.array_equal(left, spoken)


def test_a_stretched_song_is_told_as_one(track: Path) -> None:
    mixed = voice(16) + played(1, 5, 16)
    told = Song(track, Span(0, 16), Span(5, 21.8), 1.05, 0.0)
    left, (outcome,) = erased(mixed, told)
    assert not outcome.ok
    assert "stretched" in outcome.why
    assert np.array_equal(left, mixed)


def test_a_reference_that_is_over_by_then_changes_nothing(track: Path) -> None:
    mixed = voice(16)
    left, (outcome,) = erased(mixed, song(track, Span(0, 16), LENGTH_S + 1))
    assert not outcome.ok
    assert np.array_equal(left, mixed)


def test_media_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="there is no such file"):
        erased(voice(4), song(tmp_path / "gone.wav", Span(0, 4), 0))


def test_it_does_not_matter_how_the_sound_is_cut_into_blocks(track: Path) -> None:
    mixed = voice(20) + played(1, 5, 20)
    told = song(track, Span(2, 20), 7)
    whole, _ = erased(mixed, told, size=len(mixed))
    for size in (777, 30_000):
        assert np.array_equal(erased(mixed, told, size=size)[0], whole)


def test_seconds_of_a_long_sound_are_held_and_no_more(track: Path) -> None:
    mixed = voice(LENGTH_S) + played(1, 0, LENGTH_S)
    asked = 0

    def counted() -> Iterator[Block]:
        nonlocal asked
        for block in blocks(mixed):
            asked += len(block)
            yield block

    given = 0
    for block in erase(counted(), RATE, [song(track, Span(0, LENGTH_S), 0)], []):
        given += len(block)
        assert asked - given <= (1.5 * CHUNK_S + 1) * RATE
    assert given == len(mixed)


@given(
    rate=st.sampled_from([8000, 16_000, 44_100, 96_000]),
    channels=st.sampled_from([1, 2, 6]),
    length_s=st.floats(0.01, 8),
    start_s=st.floats(0, 8),
    duration_s=st.sampled_from([0.01, 0.5, 1.1, 5, 20]),
    reference_s=st.floats(0, LENGTH_S + 2),
    loose_s=st.sampled_from([0.0, 1.0]),
    level=st.sampled_from([0, 1e-6, 0.1]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_as_many_samples_come_out_and_all_are_finite(
    track: Path,
    rate: int,
    channels: int,
    length_s: float,
    start_s: float,
    duration_s: float,
    reference_s: float,
    loose_s: float,
    level: float,
) -> None:
    noise = np.random.default_rng(0).standard_normal((round(length_s * rate), channels))
    mixed = np.asarray(level * noise, np.float32)
    there = Span(reference_s, reference_s + duration_s)
    told = Song(track, Span(start_s, start_s + duration_s), there, 1.0, 0.0, loose_s)
    outcomes: list[Outcome] = []
    left = [np.zeros((0, channels), np.float32), *erase(blocks(mixed), rate, [told], outcomes)]
    assert np.concatenate(left).shape == mixed.shape
    assert all(np.isfinite(block).all() for block in left)
    assert not outcomes[0].ok


# --- timing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "db"), [(1.0, -12), (1.0002, 0), (0.97, 0)], ids=["-12 dB", "200 ppm", "speed 0.97"])
def test_timing_is_right_to_a_part_of_a_sample(step: float, db: float) -> None:
    reference = synth.music(LENGTH_S, 1)
    copy = sampled(reference[:, None], 81_234.4, step, 12 * RATE)[:, 0] * 10 ** (db / 20)
    mixed = np.asarray(copy + synth.speech_like(12, 3), np.float32)
    found = aligned(mixed, reference, RATE, Timing(81_234.4 + 900, step * 1.002))
    for sample in (0, 12 * RATE):
        assert found.at(sample) == pytest.approx(81_234.4 + step * sample, abs=0.3)
    assert found.agreeing > 0.5


def test_unrelated_sounds_do_not_agree() -> None:
    found = aligned(synth.speech_like(12, 3), synth.music(LENGTH_S, 2), RATE, Timing(80_000, 1.0))
    assert found.agreeing < 0.3


def test_sound_between_samples_is_that_of_the_sine() -> None:
    sine: NDArray[np.float32] = np.sin(0.7 * np.arange(2000, dtype=np.float64)).astype(np.float32)
    between = sampled(sine[:, None], 100.25, 1.013, 1500)[:, 0]
    assert np.abs(between - np.sin(0.7 * (100.25 + 1.013 * np.arange(1500)))).max() < 1e-3


def test_there_is_silence_where_there_is_no_sound() -> None:
    ones = np.ones((100, 2), np.float32)
    outside = sampled(ones, -200.0, 1.0, 400)
    assert not outside[:150].any()
    assert not outside[350:].any()
    assert outside[240:260] == pytest.approx(1, abs=1e-3)
