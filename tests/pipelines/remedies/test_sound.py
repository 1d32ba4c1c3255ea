"""Gains, loudness, other music: what happens to sound block by block, against independent oracles."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sordino.fingerprints.model import Span
from sordino.pipelines.media import Limits, MediaError
from sordino.pipelines.remedies.gain import FADE_S, muted, trimmed
from sordino.pipelines.remedies.loudness import loudness
from sordino.pipelines.remedies.plan import Block
from sordino.pipelines.remedies.replace import MEASURED_S, replaced
from tests import synth
from tests.synth import RATE

SPANS = (Span(0.5, 1.0), Span(1.01, 1.5))


def blocks(samples: NDArray[np.float32], size: int) -> Iterator[Block]:
    for at in range(0, len(samples), size):
        yield samples[at : at + size]


def joined(parts: Iterator[Block]) -> NDArray[np.float32]:
    return np.concatenate(list(parts))


@given(size=st.integers(1, 5000))
def test_it_does_not_matter_how_sound_is_cut_into_blocks(size: int) -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, (4000, 2)).astype(np.float32)
    for change in (muted, trimmed):
        whole = joined(change(iter([sound]), 2000, SPANS))
        assert np.array_equal(joined(change(blocks(sound, size), 2000, SPANS)), whole)


def test_muting_fades_outside_the_span() -> None:
    ones = np.ones((2 * RATE, 1), np.float32)
    after = joined(muted(iter([ones]), RATE, [Span(0.5, 1)]))[:, 0]
    assert not after[RATE // 2 : RATE + 1].any()
    fade = round(FADE_S * RATE)
    assert (after[: RATE // 2 - fade] == 1).all()
    assert (after[RATE + fade + 1 :] == 1).all()
    assert after[RATE // 2 - fade // 2] == pytest.approx(0.5, abs=0.01)


def test_trimming_leaves_out_exactly_the_span() -> None:
    counting = np.arange(2 * RATE, dtype=np.float32)[:, None] + 1
    after = joined(trimmed(iter([counting]), RATE, [Span(0.5, 1)]))[:, 0]
    assert len(after) == 1.5 * RATE
    assert after[7000] == 7001
    assert after[9000] == 9001 + RATE // 2


# --- loudness --------------------------------------------------------------------------------------------------------


def measured_by_ffmpeg(path: Path) -> float:
    """EBU R 128 as ffmpeg has it: an independent implementation."""
    said = synth.ffmpeg(
        "-i", path, "-af", "ebur128=metadata=1,ametadata=print:key=lavfi.r128.I:file=-", "-f", "null", "-"
    ).decode()
    return float(re.findall(r"lavfi\.r128\.I=(-?[\d.]+)", said)[-1])


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000])
@pytest.mark.parametrize("gain", [1.0, 0.03])
def test_loudness_is_what_ebu_r128_says(tmp_path: Path, rate: int, gain: float) -> None:
    quiet_then_loud = np.concatenate([np.float32(0.02) * synth.speech_like(6, 1), synth.music(8, 2)])
    path = synth.wav(tmp_path / "at 16 kHz.wav", np.float32(gain) * quiet_then_loud)
    synth.ffmpeg("-i", path, "-ar", str(rate), "-ac", "2", tmp_path / "sound.wav")
    raw = synth.ffmpeg("-i", tmp_path / "sound.wav", "-f", "f32le", "-")
    ours = loudness(np.frombuffer(raw, np.float32).reshape(-1, 2), rate)
    assert ours == pytest.approx(measured_by_ffmpeg(tmp_path / "sound.wav"), abs=0.3)


def test_silence_has_no_loudness() -> None:
    assert loudness(np.zeros((RATE, 2), np.float32), RATE) == float("-inf")
    assert loudness(np.zeros((1, 2), np.float32), RATE) == float("-inf")


# --- other music -----------------------------------------------------------------------------------------------------


def two(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([samples, 0.5 * samples], axis=1)


@pytest.mark.parametrize("start_s", [0.0, 5.0])
def test_the_other_music_is_as_loud_as_what_it_replaces_and_the_voice_stays(tmp_path: Path, start_s: float) -> None:
    voice, song = two(synth.speech_like(40, 1)), two(0.05 * synth.music(40, 2))
    span = Span(start_s, start_s + 30)
    at = np.arange(len(voice)) / RATE
    song[(at < span.start_s) | (at >= span.end_s)] = 0
    other = synth.wav(tmp_path / "other.wav", synth.music(11, 3))  # shorter than the span: it is played again

    def erase(parts: Iterator[Block], rate: int) -> Iterator[Block]:
        """Know the song exactly, and answer two blocks late, as real ones look ahead."""
        done, waiting = 0, []
        for part in parts:
            waiting.append(part - song[done : done + len(part)])
            done += len(part)
            if len(waiting) > 2:
                yield waiting.pop(0)
        yield from waiting

    after = joined(replaced(blocks(voice + song, 4097), RATE, erase, [span], other, Limits()))
    assert after.shape == voice.shape
    new = after - voice
    first, last = round(span.start_s * RATE), round(span.end_s * RATE)
    assert np.abs(new[:first]).max(initial=0) < 1e-6
    assert np.abs(new[last:]).max() < 1e-6
    assert loudness(new[first:last], RATE) == pytest.approx(loudness(song[first:last], RATE), abs=1.0)
    measured = new[first : first + round(MEASURED_S * RATE)]
    assert loudness(measured, RATE) == pytest.approx(
        loudness(song[first : first + round(MEASURED_S * RATE)], RATE), abs=0.3
    )
    told = np.corrcoef(new[first + 2000 : first + 10 * RATE, 0], synth.music(11, 3)[2000 : 10 * RATE])[0, 1]
    assert told > 0.999


def test_nothing_is_played_where_nothing_was_taken_out(tmp_path: Path) -> None:
    voice = two(synth.speech_like(3, 1))
    other = synth.wav(tmp_path / "other.wav", synth.music(2, 3))
    after = joined(replaced(blocks(voice, 1000), RATE, lambda parts, _: parts, [Span(0, 2)], other, Limits()))
    assert np.array_equal(after, voice)


def test_other_music_that_cannot_be_decoded_is_an_error(tmp_path: Path) -> None:
    voice = two(synth.speech_like(3, 1))
    other = synth.text(tmp_path / "letter.wav")
    with pytest.raises(MediaError, match=r"letter\.wav"):
        joined(replaced(blocks(voice, 1000), RATE, lambda parts, _: parts, [Span(0, 2)], other, Limits()))
