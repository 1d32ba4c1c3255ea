"""What is heard over music besides one voice: crowds, games, applause, and sounds that no music is in."""

from collections.abc import Callable
from functools import cache

import numpy as np

from benchmarks import corpus
from benchmarks.sounds import QUIET, RATE, Sound, decoded, levelled, rms

Noise = Callable[[int, np.random.Generator], Sound]

VOICES = (8, 13)  # how many a crowd is made of, the end not included
EFFECTS_A_SECOND = 2.5
EFFECT_DB = (-12.0, 0.0)
LAYERS = 3  # of applause: there is one recording of 4 s, and nobody shall hear it repeat


def crowd(n: int, rng: np.random.Generator) -> Sound:
    """Return 8 to 12 people who talk at once, and a real crowd that cheers, boos or chats, as loud as they."""
    voices = [_looped("voices", n, rng) for _ in range(rng.integers(*VOICES))]
    return levelled(levelled(np.sum(voices, axis=0)) + _looped("crowd", n, rng))


def effects(n: int, rng: np.random.Generator) -> Sound:
    """Return a game: many short sounds at random times and levels."""
    made, recordings = np.zeros(n, np.float32), _recordings("effects")
    for start in rng.integers(0, n, round(EFFECTS_A_SECOND * n / RATE)):
        sound = recordings[int(rng.integers(len(recordings)))][: n - start]
        made[start : start + len(sound)] += sound * np.float32(10 ** (rng.uniform(*EFFECT_DB) / 20))
    return levelled(made)


def applause(n: int, rng: np.random.Generator) -> Sound:
    """Return applause."""
    return levelled(np.sum([_looped("applause", n, rng) for _ in range(LAYERS)], axis=0))


def hiss(n: int, rng: np.random.Generator) -> Sound:
    """Return noise: white, or with less and less above."""
    noise = rng.standard_normal(n)
    return levelled((noise if rng.random() < 0.5 else np.cumsum(noise - noise.mean())).astype(np.float32))


def tones(n: int, rng: np.random.Generator) -> Sound:
    """Return a chord that does not move."""
    t = np.arange(n) / RATE
    return levelled(np.sum([np.sin(2 * np.pi * f * t) for f in rng.uniform(100, 3000, 4)], axis=0).astype(np.float32))


def silence(n: int, rng: np.random.Generator) -> Sound:
    """Return nothing."""
    return np.zeros(n, np.float32)


def _looped(kind: corpus.Noise, n: int, rng: np.random.Generator) -> Sound:
    """Return recordings of a kind one after the other, beginning somewhere in the first."""
    recordings = _recordings(kind)
    pieces = [recordings[int(rng.integers(len(recordings)))]]
    pieces[0] = pieces[0][int(rng.integers(len(pieces[0]))) :]
    while sum(map(len, pieces)) < n:
        pieces.append(recordings[int(rng.integers(len(recordings)))])
    return np.concatenate(pieces)[:n]


@cache
def _recordings(kind: corpus.Noise) -> tuple[Sound, ...]:
    sounds = [decoded(path) for path in corpus.noise(kind)]
    return tuple(levelled(sound) for sound in sounds if len(sound) > RATE // 4 and rms(sound) > QUIET)
