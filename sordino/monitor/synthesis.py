"""Music, speech-like sound and moving pictures composed from a seed, for a demo where real media can't be had."""

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]  # [n], mono, -1 to 1
Picture = NDArray[np.uint8]  # [height, width, 3], RGB

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10))  # major, minor, Dorian
VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
SHOT_S = (2.5, 6.0)


def music(seed: int, duration_s: float, sample_rate: int) -> Samples:
    """Compose chords, a bass, a melody and drums; key, tempo, timbre and every bar follow from the seed."""
    rng = np.random.default_rng([1, seed])
    beat_s = 60 / rng.uniform(80, 150)
    notes = np.sort(np.concatenate([np.add(SCALES[rng.integers(3)], 12 * octave) for octave in range(3)]))
    notes = notes + rng.integers(40, 52)  # as in MIDI
    timbres = [tuple(levels) for levels in rng.uniform(0.2, 1, (3, 6)) / np.arange(1, 7)]
    mix = np.zeros(int((duration_s + 8 * beat_s) * sample_rate), np.float32)
    degree = 10
    for bar_s in np.arange(0, duration_s, 4 * beat_s):
        root = int(rng.integers(0, 7))
        for step in (0, 2, 4):
            _lay(mix, 0.2 * _note(notes[root + step] + 12, 4 * beat_s, timbres[0], sample_rate), bar_s, sample_rate)
        for half in (0, 2):
            bass = 0.5 * _note(notes[root] - 12, 2 * beat_s, timbres[1], sample_rate)
            _lay(mix, bass, bar_s + half * beat_s, sample_rate)
        for eighth in range(8):
            at_s = bar_s + eighth * beat_s / 2
            if rng.random() < 0.6:
                degree = int(np.clip(degree + rng.integers(-3, 4), 4, len(notes) - 1))
                length_s = beat_s * rng.choice([0.5, 1, 1.5])
                _lay(mix, 0.5 * _note(notes[degree] + 12, length_s, timbres[2], sample_rate), at_s, sample_rate)
            if rng.random() < (0.9 if eighth % 2 == 0 else 0.3):
                _lay(mix, _drum(rng, low=eighth % 4 == 0, sample_rate=sample_rate), at_s, sample_rate)
    return _to_peak(mix[: round(duration_s * sample_rate)])


@lru_cache(maxsize=512)  # a melody comes back to its notes
def _note(midi: int, length_s: float, timbre: tuple[float, ...], sample_rate: int) -> Samples:
    time_s = np.arange(int(length_s * sample_rate), dtype=np.float32) / sample_rate
    turns = 2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * time_s
    wave = sum(level * np.exp(-partial * time_s) * np.sin(partial * turns) for partial, level in enumerate(timbre, 1))
    edges = np.minimum(1, np.minimum(time_s / 0.005, (length_s - time_s) / 0.03))
    return np.asarray(wave * edges, np.float32)


def _drum(rng: np.random.Generator, *, low: bool, sample_rate: int) -> Samples:
    time_s = np.arange(int(0.2 * sample_rate)) / sample_rate
    if low:
        return np.asarray(
            0.9 * np.sin(2 * np.pi * (50 + 4 / (time_s + 0.05)) * time_s) * np.exp(-20 * time_s), np.float32
        )
    return np.asarray(rng.uniform(0.1, 0.3) * rng.standard_normal(len(time_s)) * np.exp(-35 * time_s), np.float32)


def speech(seed: int, duration_s: float, sample_rate: int) -> Samples:
    """Compose babble shaped as speech: syllables of a gliding pitch in vowels' formants, hissing consonants, pauses."""
    rng = np.random.default_rng([2, seed])
    voice = np.zeros(int((duration_s + 2) * sample_rate), np.float32)
    at_s = 0.0
    while at_s < duration_s:
        pitch_hz = rng.uniform(100, 180)
        for _ in range(int(rng.integers(4, 14))):  # a phrase
            if rng.random() < 0.5:
                _lay(voice, _consonant(rng, sample_rate), at_s, sample_rate)
                at_s += 0.05
            syllable = _syllable(rng, pitch_hz, sample_rate)
            _lay(voice, syllable, at_s, sample_rate)
            at_s += len(syllable) / sample_rate
        at_s += rng.uniform(0.2, 0.6)
    return _to_peak(voice[: round(duration_s * sample_rate)])


def _syllable(rng: np.random.Generator, pitch_hz: float, sample_rate: int) -> Samples:
    length_s = rng.uniform(0.1, 0.3)
    time_s = np.arange(int(length_s * sample_rate)) / sample_rate
    pitch_hz *= rng.uniform(0.85, 1.2)
    turns = 2 * np.pi * pitch_hz * (time_s + rng.uniform(-0.5, 0.5) * time_s**2)
    formants = np.array(VOWELS_HZ[rng.integers(len(VOWELS_HZ))])
    partials = np.arange(1, int(4000 / pitch_hz))
    levels = sum(np.exp(-(((partials * pitch_hz - hz) / 120) ** 2) / 2) for hz in formants) / partials**0.5
    wave = sum(level * np.sin(partial * turns) for partial, level in zip(partials, levels + 0.02, strict=True))
    return np.asarray(rng.uniform(0.5, 1) * wave * np.sin(np.pi * time_s / length_s) ** 0.7, np.float32)


def _consonant(rng: np.random.Generator, sample_rate: int) -> Samples:
    hiss = np.diff(rng.standard_normal(int(0.06 * sample_rate)), prepend=0)  # differences: high frequencies
    return np.asarray(rng.uniform(0.02, 0.15) * hiss * np.hanning(len(hiss)), np.float32)


def pictures(seed: int, duration_s: float, frames_per_s: int, width: int, height: int) -> Iterator[Picture]:
    """Draw a shop's shelf, shot by shot: goods of many shapes before a pattern, and a camera that moves past them."""
    rng = np.random.default_rng([3, seed])
    left = round(duration_s * frames_per_s)
    while left > 0:
        shot = min(left, int(rng.uniform(*SHOT_S) * frames_per_s))
        wide = _shelf(rng, 2 * width, height + height // 4)
        travel = rng.uniform(0, 1, (2, 2)) * (wide.shape[1] - width - 1, wide.shape[0] - height - 1)
        for part in np.linspace(0, 1, shot):
            x, y = travel[0] + part * (travel[1] - travel[0])
            yield wide[int(y) : int(y) + height, int(x) : int(x) + width]
        left -= shot


def _shelf(rng: np.random.Generator, width: int, height: int) -> Picture:
    cells = rng.integers(40, 216, (5, 9, 3), dtype=np.uint8)
    wall = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(24):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        w, h = (int(side) for side in rng.integers(height // 12, height // 3, 2))
        colour = tuple(int(level) for level in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            cv2.rectangle(wall, (x, y), (x + w, y + h), colour, -1)
        else:
            cv2.ellipse(wall, (x, y), (w, h), float(rng.uniform(0, 180)), 0, 360, colour, -1)
    return np.asarray(wall, np.uint8)


def _lay(track: Samples, sound: Samples, at_s: float, sample_rate: int) -> None:
    start = int(at_s * sample_rate)
    room = max(0, len(track) - start)
    track[start : start + len(sound)] += sound[:room]


def _to_peak(samples: Samples) -> Samples:
    return np.asarray(0.8 * samples / max(1e-9, float(np.abs(samples).max())), np.float32)
