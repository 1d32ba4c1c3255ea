"""Landmarks stand where sound was planted, whatever its level, type and length."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sordino.fingerprints import audio
from sordino.fingerprints.model import AudioPrint, AudioQuery
from sordino.fingerprints.params import AudioParams
from tests import synth
from tests.synth import RATE, Samples

PARAMS = AudioParams()
TONES = [(0.5, 700.0), (1.0, 1500.0), (1.37, 523.25), (2.2, 3000.0), (2.9, 880.0), (3.4, 6000.0), (4.1, 1234.0)]
TONE_S = 0.1


def places(p: AudioPrint) -> set[tuple[int, int]]:
    return set(zip(p.frames.tolist(), p.bands.tolist(), strict=True))


def agreement(a: AudioPrint, b: AudioPrint) -> float:
    """Share of the landmarks of `a` that `b` has, too."""
    return len(places(a) & places(b)) / len(places(a))


def recording(seconds: float, seed: int) -> Samples:
    """Return music with a noise floor of -60 dB: without one, rounding would be all that sounds in empty bands."""
    clean = synth.music(seconds, seed)
    floor = np.random.default_rng(seed).standard_normal(len(clean))
    return np.asarray(clean + 1e-3 * floor, np.float32)


def planted() -> Samples:
    sound = 1e-4 * np.random.default_rng(0).standard_normal(5 * RATE)
    for at_s, hz in TONES:
        start, n = int(at_s * RATE), int(TONE_S * RATE)
        sound[start : start + n] += 0.5 * np.hanning(n) * np.sin(2 * np.pi * hz * np.arange(n) / RATE)
    return sound.astype(np.float32)


@pytest.mark.parametrize(("at_s", "hz"), TONES)
def test_a_tone_is_a_landmark_at_its_band_and_frame(at_s: float, hz: float) -> None:
    middle = (at_s + TONE_S / 2) * RATE
    frame = (middle - PARAMS.n_fft / 2) / PARAMS.hop_length  # the frame whose window has the tone in its middle
    band = PARAMS.bands_per_octave * math.log2(hz / PARAMS.min_hz)
    p = audio.reference_print(planted())
    nearest = min(math.hypot(f - frame, b - band) for f, b in places(p))
    assert nearest <= 1.5


@pytest.mark.parametrize("gain_db", [-20, -10, 10, 20])
def test_the_level_does_not_matter(gain_db: float) -> None:
    music = recording(12, 1)
    louder = (music * 10 ** (gain_db / 20)).astype(np.float32)
    assert agreement(audio.reference_print(music), audio.reference_print(louder)) > 0.95


def test_integers_and_floats_agree() -> None:
    music = np.clip(recording(12, 2), -1, 1)
    integers = (music * 32767).astype(np.int16)
    assert agreement(audio.reference_print(music), audio.reference_print(integers)) > 0.95
    same = integers.astype(np.float32) / np.float32(32768)
    np.testing.assert_array_equal(audio.query_print(integers).contrast, audio.query_print(same).contrast)


def test_nan_and_infinity_are_silence() -> None:
    broken, silent = synth.music(6, 3), synth.music(6, 3)
    broken[RATE : 2 * RATE] = np.nan
    broken[[3 * RATE, 4 * RATE]] = np.inf, -np.inf
    silent[RATE : 2 * RATE] = 0
    silent[[3 * RATE, 4 * RATE]] = 0
    assert places(audio.reference_print(broken)) == places(audio.reference_print(silent))
    assert np.isfinite(audio.query_print(broken).contrast).all()


@pytest.mark.parametrize("samples", [0, 1, PARAMS.n_fft - 1])
def test_sound_shorter_than_a_window_has_no_landmarks(samples: int) -> None:
    for query in (audio.query_print(np.ones(samples, np.int16)), audio.query_print(np.ones(samples, np.float32))):
        assert query.contrast.shape == (0, PARAMS.n_bands)
        assert places(query.landmarks) == set()
        assert query.landmarks.duration_s == samples / RATE


def test_silence_has_no_landmarks() -> None:
    assert places(audio.reference_print(np.zeros(10 * RATE, np.float32))) == set()
    assert places(audio.query_print(np.zeros(10 * RATE, np.int16)).landmarks) == set()


@pytest.mark.parametrize("level", [0.5, 1.0, 1e-3])
def test_constant_sound_has_no_landmarks(level: float) -> None:
    constant = np.full(10 * RATE, level, np.float32)
    assert places(audio.reference_print(constant)) == set()
    assert places(audio.query_print(constant).landmarks) == set()


@pytest.mark.parametrize("level", [0.5, 1.0, 1e-3])
def test_a_step_to_constant_sound_is_heard_only_where_it_is(level: float) -> None:
    step = np.concatenate([np.zeros(10 * RATE), np.full(10 * RATE, level)]).astype(np.float32)
    first, last = (10 * RATE - PARAMS.n_fft) / PARAMS.hop_length, 10 * RATE / PARAMS.hop_length + PARAMS.peak_frames
    for p in (audio.reference_print(step), audio.query_print(step).landmarks):
        assert all(first <= frame <= last for frame in p.frames.tolist())


def test_a_landmark_is_between_the_bands_where_the_peak_is() -> None:
    tops = np.array([50.0, 60.3, 70.5, 79.6, PARAMS.n_bands - 1.0, 0.0])
    contrast = np.asarray(5 - (np.arange(PARAMS.n_bands)[None, :] - tops[:, None]) ** 2, np.float32)
    p = AudioPrint(PARAMS, 1.0, np.arange(len(tops), dtype=np.int32), np.rint(tops).astype(np.int16))
    np.testing.assert_allclose(audio.between_bands(AudioQuery(p, contrast))[:4], tops[:4], atol=1e-3)
    level = AudioQuery(p, np.zeros_like(contrast))
    assert (np.abs(audio.between_bands(level) - p.bands) <= 0.5).all()


@pytest.mark.parametrize("shape", [(), (RATE, 2), (1, RATE)], ids=str)
def test_only_mono_is_taken(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="mono"):
        audio.reference_print(np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match="mono"):
        audio.query_print(np.zeros(shape, np.int16))


def test_blocks_leave_no_seam() -> None:
    seam, around = audio.BLOCK_FRAMES, 40
    pcm = np.tile(recording(13, 4), 5)
    whole = audio.contrast_map(pcm, PARAMS)
    hop = PARAMS.hop_length
    across = pcm[(seam - around) * hop : (seam + around - 1) * hop + PARAMS.n_fft]
    assert len(whole) == 1 + (len(pcm) - PARAMS.n_fft) // hop > seam + around
    np.testing.assert_allclose(whole[seam - around : seam + around], audio.contrast_map(across, PARAMS), atol=1e-4)


def test_the_contrast_is_what_stands_out_of_its_neighbourhood() -> None:
    pcm = recording(1, 5)
    spectrum = np.abs(np.fft.rfft(pcm[: PARAMS.n_fft].astype(np.float64) * np.hanning(PARAMS.n_fft)))
    bin_hz = RATE / PARAMS.n_fft
    level = []
    for band in range(PARAMS.n_bands):
        centre = PARAMS.min_hz * 2 ** (band / PARAMS.bands_per_octave)
        width = max(centre * (2 ** (1 / PARAMS.bands_per_octave) - 1), bin_hz)
        weights = [max(0.0, 1 - abs(k * bin_hz - centre) / width) for k in range(len(spectrum))]
        level.append(math.log(float(spectrum @ weights) / sum(weights)))
    expected = [
        x - float(np.mean(level[max(0, band - PARAMS.local_bands) : band + PARAMS.local_bands + 1]))
        for band, x in enumerate(level)
    ]
    np.testing.assert_allclose(audio.contrast_map(pcm, PARAMS)[0], expected, atol=1e-3)


@pytest.mark.parametrize("rate", [1, 7, 30])
def test_no_second_has_more_landmarks_than_the_rate(rate: int) -> None:
    music = recording(8, 6)
    p = audio.reference_print(music, AudioParams(reference_rate=rate))
    per_second = Counter((p.frames / PARAMS.frames_per_s).astype(int).tolist())
    assert max(per_second.values()) == rate
    assert places(p) <= places(audio.reference_print(music, AudioParams(reference_rate=10_000)))


def test_a_query_has_more_landmarks_than_a_reference_and_all_of_its() -> None:
    music = recording(8, 7)
    reference, query = audio.reference_print(music), audio.query_print(music).landmarks
    assert len(query.frames) > len(reference.frames)
    assert places(reference) <= places(query)


def test_a_shift_by_whole_frames_shifts_the_landmarks() -> None:
    music, by = recording(10, 8), 37
    inside = {(f, b) for f, b in places(audio.query_print(music).landmarks) if 60 < f < 440}
    later = np.concatenate([recording(1, 9)[: by * PARAMS.hop_length], music])
    shifted = {(f - by, b) for f, b in places(audio.query_print(later).landmarks)}
    assert len(inside & shifted) / len(inside) > 0.9


@given(
    seed=st.integers(0, 2**32 - 1),
    samples=st.integers(0, 40_000),
    gain=st.sampled_from([1e-7, 1e-3, 1.0, 1e3]),
    bad=st.lists(st.integers(0, 39_999), max_size=20),
    rate=st.integers(1, 200),
)
@settings(deadline=None, max_examples=60)
def test_any_sound_makes_a_print_in_order(seed: int, samples: int, gain: float, bad: list[int], rate: int) -> None:
    sound = (gain * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)
    sound[[k for k in bad if k < samples]] = np.nan
    params = AudioParams(query_rate=rate)
    query = audio.query_print(sound, params)
    p = query.landmarks
    assert query.contrast.dtype == np.float32
    assert np.isfinite(query.contrast).all()
    assert (p.frames.dtype.name, p.bands.dtype.name) == ("int32", "int16")
    assert (np.diff(p.frames) >= 0).all()
    assert len(places(p)) == len(p.frames) == len(p.bands)
    assert all(0 <= f < len(query.contrast) and 0 < b < params.n_bands - 1 for f, b in places(p))
    assert all(n <= rate for n in Counter((p.frames / params.frames_per_s).astype(int).tolist()).values())
