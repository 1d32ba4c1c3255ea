"""What sounds in either channel is in the mix, at its time and level, however the sound is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sordino.pipelines.downmix import FULL_SCALE, SIDE, Downmix

RATE = 16_000


def mixed(sound: NDArray[np.float32], cuts: tuple[int, ...] = (), rate: int = RATE) -> NDArray[np.int16]:
    mix = Downmix(rate)
    return np.concatenate([*(mix.push(piece) for piece in np.split(sound, sorted(cuts))), mix.finish()])


def tone(hz: float, left: float, right: float, seconds: float = 1.0) -> NDArray[np.float32]:
    wave = np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)
    return (wave[:, None] * [left, right]).astype(np.float32)


def level(mono: NDArray[np.int16]) -> float:
    """Amplitude of a tone, away from its ends."""
    inside = mono[RATE // 4 : -RATE // 4].astype(np.float64) / FULL_SCALE
    return float(np.sqrt(2 * np.mean(inside**2)))


@pytest.mark.parametrize("samples", [0, 1, 100, 200, 5000])
def test_equal_channels_pass_unchanged(samples: int) -> None:
    whole = np.random.default_rng(samples).integers(-FULL_SCALE, FULL_SCALE, samples).astype(np.int16)
    both = np.repeat(whole[:, None], 2, axis=1).astype(np.float32) / np.float32(FULL_SCALE)
    assert mixed(both).tolist() == whole.tolist()


@pytest.mark.parametrize("hz", [120, 440, 3000, 6500])
@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [(0.5, 0.5, 0.5), (0.5, -0.5, SIDE * 0.5), (0.5, 0.0, 0.25 * (1 + SIDE**2) ** 0.5), (0.3, -0.5, 0.297)],
    ids=["in phase", "opposite", "left only", "almost opposite"],
)
def test_the_level_of_a_tone(hz: float, left: float, right: float, expected: float) -> None:
    assert level(mixed(tone(hz, left, right))) == pytest.approx(expected, rel=0.02)


def test_what_is_opposite_stays_at_its_time() -> None:
    sound = np.zeros((RATE, 2), np.float32)
    sound[4000:4800] = tone(1000, 0.5, -0.5, 0.05)
    loud = np.flatnonzero(np.abs(mixed(sound).astype(np.int32)) > 0.15 * FULL_SCALE)
    assert (loud[0], loud[-1]) == (pytest.approx(4000, abs=32), pytest.approx(4800, abs=32))


@given(st.lists(st.integers(0, 6000), max_size=6), st.sampled_from([50, 1000, RATE]))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_it_does_not_matter_how_the_sound_is_cut(cuts: list[int], rate: int) -> None:
    sound = np.random.default_rng(1).uniform(-0.7, 0.7, (6000, 2)).astype(np.float32)
    whole, pieces = mixed(sound, rate=rate), mixed(sound, tuple(cuts), rate)
    assert len(whole) == len(pieces) == 6000
    assert np.abs(whole.astype(np.int32) - pieces).max() <= 1  # of rounding


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_silence_in_its_own_channel(bad: float) -> None:
    broken, silent = tone(440, 0.5, 0.5), tone(440, 0.5, 0.5)
    broken[:, 1], silent[:, 1] = bad, 0
    assert mixed(broken).tolist() == mixed(silent).tolist()


def test_what_is_beyond_full_scale_is_clipped_in_its_own_channel() -> None:
    loud = tone(440, 0.5, 0.0)
    loud[8000, 1] = 1e30
    clipped = loud.copy()
    clipped[8000, 1] = 1
    assert mixed(loud).tolist() == mixed(clipped).tolist()
    assert mixed(np.full((500, 2), 1e30, np.float32)).tolist() == [FULL_SCALE - 1] * 500
