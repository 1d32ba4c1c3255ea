"""
Voices over registered music as editors, phones and codecs make them: what erasing is measured on, its parts known.

Sound is float32[n, 2] at 44.1 kHz here, as it is online; `sounds` has what the matcher hears.
"""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from benchmarks import corpus
from benchmarks.sounds import LEVEL, QUIET, rms
from sordino.fingerprints.model import Span
from sordino.pipelines.media import MediaError
from sordino.pipelines.remedies.erase import Song
from sordino.pipelines.remedies.warp import sampled
from sordino.pipelines.sound import sound

Sound = NDArray[np.float32]
Effect = Callable[[Sound, Sound, np.random.Generator], Sound]  # music and voice -> music

RATE = 44_100
LENGTH_S = 15.0
PEAK = 0.9
OFF_S, OFF_SPEED, OFF_END_S = 0.08, 0.002, 0.4  # what a match is wrong by, at most
CLIPS = 150  # of speech, one after another


@dataclass(frozen=True)
class Codec:
    """An encoder with its bit rate; `channels` 1 mixes down first, as a phone does."""

    encoder: str
    rate: str
    suffix: str
    channels: int = 2


AAC_128 = (Codec("aac", "128k", "m4a"),)
AAC_64 = (Codec("aac", "64k", "m4a"),)
AAC_64_MONO = (Codec("aac", "64k", "m4a", 1),)
OPUS_48 = (Codec("libopus", "48k", "ogg"),)
TWICE = (*AAC_128, *AAC_64)
TWICE_MONO = (Codec("aac", "128k", "m4a", 1), *AAC_64_MONO)


@dataclass(frozen=True)
class Recipe:
    """How a mixture is made; `db` is the music's level against the voice's."""

    db: float = 0.0
    codecs: Sequence[Codec] = AAC_128
    effect: Effect | None = None
    speed: float = 1.0
    inside: bool = False  # the song starts after, and stops before, the voice


@dataclass(frozen=True)
class Mixture:
    """What is heard, what is to be left of it, what has to go, and where it is as a match would say."""

    heard: Sound
    voice: Sound
    music: Sound
    song: Song


def mixture(recipe: Recipe, split: corpus.Split, rng: np.random.Generator) -> Mixture:
    """Make one of a random track and random speech."""
    n = round(LENGTH_S * RATE)
    sung = round(n * 0.6) if recipe.inside else n
    track, start_s, music = _excerpt(split, sung, recipe.speed, rng)
    first = (n - sung) // 2
    voice = np.repeat(_speech(split).take(n, rng)[:, None], 2, axis=1)
    music *= LEVEL / rms(music) * 10 ** (recipe.db / 20)
    if recipe.effect:
        music = recipe.effect(music, voice[first : first + sung, 0], rng)
    music = np.pad(music, ((first, n - sung - first), (0, 0)))
    if any(codec.channels == 1 for codec in recipe.codecs):
        music = np.repeat(music.mean(axis=1, keepdims=True), 2, axis=1)
    gain = min(1.0, PEAK / float(np.abs(voice + music).max()))
    heard = coded((voice + music) * np.float32(gain), recipe.codecs)
    at_s, end_s = first / RATE, (first + sung) / RATE
    speed = recipe.speed * (1 + rng.uniform(-OFF_SPEED, OFF_SPEED))
    here = Span(max(0.0, at_s + rng.uniform(-OFF_END_S, OFF_END_S)), end_s + rng.uniform(-OFF_END_S, OFF_END_S))
    there_s = start_s + (here.start_s - at_s) * recipe.speed + rng.uniform(-OFF_S, OFF_S)
    song = Song(track, here, Span(there_s, there_s + here.duration_s * speed), speed, 12 * float(np.log2(speed)))
    return Mixture(heard, voice * np.float32(gain), music * np.float32(gain), song)


def _excerpt(split: corpus.Split, n: int, speed: float, rng: np.random.Generator) -> tuple[Path, float, Sound]:
    """Return a random track, a time from which it isn't silent, and what sounds there, played at a speed."""
    tracks = corpus.music(split)
    while True:
        track = tracks[int(rng.integers(len(tracks)))]
        whole = _decoded(track)
        spare = len(whole) - n * speed - 4 * RATE
        if spare <= 0:
            continue
        start = 2 * RATE + rng.uniform(0, spare)
        heard = sampled(whole, start, speed, n)
        if rms(heard) > QUIET:
            return track, start / RATE, heard


def _decoded(track: Path) -> Sound:
    try:
        return np.concatenate(list(sound(track, sample_rate=RATE, channels=2)))
    except MediaError:  # of a kind that can't be registered
        return np.zeros((0, 2), np.float32)


class _Speech:
    """Speech without end: clips of a split, one after another, at one level."""

    def __init__(self, split: corpus.Split) -> None:
        clips = corpus.speech(split)
        chosen = np.random.default_rng(3).permutation(len(clips))[:CLIPS]
        sounds = [_clip(clips[k]) for k in chosen]
        kept = [s * np.float32(LEVEL / rms(s)) for s in sounds if len(s) > RATE and rms(s) > QUIET]
        self._sound = np.concatenate(kept)

    def take(self, n: int, rng: np.random.Generator) -> Sound:
        """Return `n` samples from somewhere, mono, at the common level."""
        start = rng.integers(0, len(self._sound) - n)
        taken = self._sound[start : start + n]
        return taken * np.float32(LEVEL / rms(taken))


_speech = cache(_Speech)


def _clip(path: Path) -> Sound:
    bare = ["-f", "g722"] if path.suffix == ".g722" else []
    command = ["ffmpeg", "-v", "error", "-nostdin", *bare, "-i", f"file:{path}", "-ac", "1", "-ar", f"{RATE}"]
    return np.frombuffer(subprocess.run([*command, "-f", "f32le", "-"], capture_output=True, check=True).stdout, "<f4")


def coded(heard: Sound, codecs: Sequence[Codec]) -> Sound:
    """Return a sound after it was encoded and decoded by each codec in turn."""
    with tempfile.TemporaryDirectory() as folder:
        for codec in codecs:
            file = Path(folder) / f"coded.{codec.suffix}"
            given = ["-f", "f32le", "-ar", f"{RATE}", "-ac", "2", "-i", "-", "-ac", f"{codec.channels}"]
            encode = ["ffmpeg", "-v", "error", "-y", *given, "-c:a", codec.encoder, "-b:a", codec.rate, str(file)]
            subprocess.run(encode, input=np.asarray(heard, "<f4").tobytes(), check=True)
            back = np.concatenate(list(sound(file, sample_rate=RATE, channels=2)))[: len(heard)]
            heard = np.pad(back, ((0, len(heard) - len(back)), (0, 0)))
    return heard


def ducked(music: Sound, voice: Sound, rng: np.random.Generator) -> Sound:
    """Turn the music down while somebody speaks, as a compressor with a side chain does: by up to 10 dB or so."""
    level = np.sqrt(scipy.signal.lfilter([1 / 2205], [1, 1 / 2205 - 1], voice**2))
    keep = 1 - np.exp(-1 / (0.15 * RATE))
    wanted = np.where(level > LEVEL / 2, (level / (LEVEL / 2) + 1e-9) ** -0.7, 1.0)
    gain = scipy.signal.lfilter([keep], [1, keep - 1], wanted - 1) + 1
    return np.asarray(music * gain[:, None], np.float32)


def equalised(music: Sound, voice: Sound, rng: np.random.Generator) -> Sound:
    """Raise or lower three bands by up to 8 dB (R. Bristow-Johnson's peaking filters)."""
    for hertz in (200, 1500, 6000):
        root, turn = 10 ** (rng.uniform(-8, 8) / 40), 2 * np.pi * hertz / RATE
        wide = np.sin(turn) / 1.8
        rise, fall = (
            [1 + wide * root, -2 * np.cos(turn), 1 - wide * root],
            [1 + wide / root, -2 * np.cos(turn), 1 - wide / root],
        )
        music = scipy.signal.lfilter(rise, fall, music, axis=0)
    return np.asarray(music, np.float32)


def widened(music: Sound, voice: Sound, rng: np.random.Generator) -> Sound:
    """Make the stereo picture narrower, down to mono, or wider."""
    middle, side = music.mean(axis=1), (music[:, 0] - music[:, 1]) / 2 * np.float32(rng.uniform(0, 1.8))
    return np.stack([middle + side, middle - side], axis=1)


def roomy(music: Sound, voice: Sound, rng: np.random.Generator) -> Sound:
    """Play the music in a room: a direct sound, an echo, and a quarter of a second of reverberation."""
    n, level = RATE // 4, rms(music)
    fading = np.exp(-6.9 * np.arange(n) / n)
    for channel in range(2):
        response = rng.standard_normal(n) * fading * 0.05
        response[0], response[int(rng.integers(100, 400))] = 1.0, 0.4
        music[:, channel] = scipy.signal.fftconvolve(music[:, channel], response)[: len(music)]
    return np.asarray(music * (level / rms(music)), np.float32)
