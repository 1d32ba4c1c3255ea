"""Chromaprint: the same recording however it was encoded, and no other."""

import subprocess
import sys
from pathlib import Path

import chromaprint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from sordino.pipelines.acoustid import TooShort, acoustid_print, bit_error_rate, is_same_recording
from tests import synth
from tests.synth import RATE, Samples

SONG = synth.music(40, 51)


def pcm(samples: Samples) -> NDArray[np.int16]:
    return np.asarray(np.clip(samples, -1, 1) * 32767, np.int16)


def printed(samples: Samples) -> str:
    return acoustid_print(pcm(samples), RATE)


def test_it_is_what_chromaprint_s_own_library_makes() -> None:
    fingerprinter = chromaprint.Fingerprinter()
    fingerprinter.start(RATE, 1)
    fingerprinter.feed(pcm(SONG).tobytes())
    assert printed(SONG) == fingerprinter.finish().decode()


def test_only_the_first_two_minutes_count() -> None:
    long = np.tile(SONG, 4)
    assert printed(long) == printed(long[: 120 * RATE])
    assert printed(long) != printed(long[: 110 * RATE])


@pytest.mark.parametrize("encoding", [("mp3", "64k"), ("aac", "48k"), ("ogg", "64k")], ids=lambda e: "-".join(e))
def test_a_lossy_copy_is_the_same_recording(tmp_path: Path, encoding: tuple[str, str]) -> None:
    suffix, rate = encoding
    copy, back = tmp_path / f"copy.{suffix}", tmp_path / "back.s16"
    synth.ffmpeg("-i", synth.wav(tmp_path / "song.wav", SONG), "-b:a", rate, copy)
    synth.ffmpeg("-i", copy, "-f", "s16le", "-ar", str(RATE), "-ac", "1", back)
    assert is_same_recording(printed(SONG), acoustid_print(np.fromfile(back, "<i2"), RATE))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda song: 0.1 * song, True),
        (lambda song: song[3 * RATE :], True),
        (lambda song: np.concatenate([np.zeros(8 * RATE, np.float32), song]), True),
        (lambda song: synth.music(40, 52), False),
        (lambda song: synth.mix(synth.speech_like(40, 1), song, -6), False),
        (lambda song: song[::-1], False),
    ],
    ids=["quieter", "begins later", "silence before it", "another song", "under speech", "backwards"],
)
def test_which_recordings_are_the_same(change: object, same: bool) -> None:
    assert callable(change)
    assert is_same_recording(printed(SONG), printed(change(SONG))) is same
    assert is_same_recording(printed(change(SONG)), printed(SONG)) is same


@pytest.mark.parametrize("seconds", [0.0, 0.2, 2.0])
def test_too_short(seconds: float) -> None:
    with pytest.raises(TooShort):
        printed(SONG[: round(seconds * RATE)])


def test_a_few_seconds_are_enough() -> None:
    assert printed(SONG[: 5 * RATE])


ITEMS = arrays.arrays(np.uint32, st.integers(40, 300))


@given(ITEMS)
def test_no_bit_of_a_print_differs_from_itself(items: NDArray[np.uint32]) -> None:
    assert bit_error_rate(items, items) == 0.0


@given(ITEMS, ITEMS)
def test_the_rate_is_a_share_and_the_same_both_ways(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> None:
    assert 0.0 <= bit_error_rate(one, other) <= 1.0
    assert bit_error_rate(one, other) == bit_error_rate(other, one)


def test_flipped_bits_are_counted() -> None:
    items = np.random.default_rng(0).integers(0, 2**32, 200, dtype=np.uint32)
    flipped = items ^ np.uint32(0b111)
    assert bit_error_rate(items, flipped) == pytest.approx(3 / 32)


def test_nothing_is_like_nothing() -> None:
    empty = np.empty(0, np.uint32)
    assert bit_error_rate(empty, np.arange(100, dtype=np.uint32)) == 1.0


def test_without_the_library_the_package_imports_and_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "chromaprint.py").write_text('raise ImportError("couldn\'t find libchromaprint")\n')
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import numpy as np
from sordino.pipelines import acoustid
nothing = np.zeros(99, np.int16)
for call in (lambda: acoustid.acoustid_print(nothing, 16_000), lambda: acoustid.is_same_recording("", "")):
    try:
        call()
    except acoustid.AcoustidMissing as missing:
        print(missing)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["libchromaprint is not installed (Debian: apt install libchromaprint1)"] * 2
