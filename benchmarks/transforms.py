"""What becomes of sound on its way: other pitch and tempo, equalisers, rooms, codecs. Truth about time is kept."""

import math
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from benchmarks.sounds import RATE, Sound, excerpt, levelled, rms
from sordino.pipelines.media import Pcm, decode

MARGIN_S = 0.5  # of an excerpt, to each side: filters begin and end softly
GAP_S = 1.0  # of silence between sounds that are encoded together
EQ_BANDS_HZ = ((80, 250), (250, 700), (700, 2000), (2000, 5000))
EQ_DB = 6.0
RT60_S = (0.2, 0.6)
DIRECT_DB = (-3.0, 3.0)  # the direct path against the room's answer: about the distance at which they are alike
PHONE_SNR_DB = 15.0


@dataclass(frozen=True)
class Change:
    """
    Other tempo and pitch, as ratios; where they are equal it is the speed that was changed.

    >>> round(Change(pitch=2.0).semitones)
    12
    """

    tempo: float = 1.0
    pitch: float = 1.0

    @property
    def semitones(self) -> float:
        """How much higher it sounds."""
        return 12 * math.log2(self.pitch)

    @property
    def filters(self) -> str:
        """Return ffmpeg's words for it; empty where nothing is changed."""
        if self.tempo == self.pitch:
            return "" if self.tempo == 1 else f"asetrate={round(RATE * self.tempo)},aresample={RATE}"
        words = [f"rubberband=pitch={self.pitch}"] if self.pitch != 1 else []
        return ",".join(words + ([f"atempo={self.tempo}"] if self.tempo != 1 else []))


def changed_excerpt(
    tracks: Sequence[Path], length_s: float, change: Change, rng: np.random.Generator
) -> tuple[Path, float, Sound]:
    """Return an excerpt that lasts `length_s` after the change, as `sounds.excerpt` does."""
    if not change.filters:
        return excerpt(tracks, length_s, rng)
    track, start_s, music = excerpt(tracks, (length_s + 2 * MARGIN_S) * change.tempo, rng)
    first, n = round(MARGIN_S * RATE), round(length_s * RATE)
    made = filtered(music, change.filters)[first : first + n]
    return track, start_s + MARGIN_S * change.tempo, levelled(np.pad(made, (0, n - len(made))))


def filtered(sound: Sound, filters: str) -> Sound:
    """Return what ffmpeg's audio filters make of a sound."""
    raw = ["-f", "f32le", "-ar", f"{RATE}", "-ac", "1"]
    command = ["ffmpeg", "-v", "error", *raw, "-i", "-", "-af", filters, *raw, "-"]
    done = subprocess.run(command, input=sound.astype("<f4").tobytes(), stdout=subprocess.PIPE, check=True)
    return np.frombuffer(done.stdout, "<f4")


def equalised(sound: Sound, rng: np.random.Generator) -> Sound:
    """Raise or lower a place in each of four ranges by up to 6 dB, and take away what is above 6 kHz."""
    places_hz = [math.exp(rng.uniform(math.log(low), math.log(high))) for low, high in EQ_BANDS_HZ]
    peaks = [f"equalizer=f={hz:.0f}:t=o:w=1:g={rng.choice([-EQ_DB, EQ_DB])}" for hz in places_hz]
    return filtered(sound, ",".join([*peaks, "lowpass=f=6000", "lowpass=f=6000"]))


def rerecorded(sound: Sound, rng: np.random.Generator) -> Sound:
    """Play a sound in a room and record it with a phone."""
    heard = fftconvolve(sound, room(rng))[: len(sound)].astype(np.float32)
    noise = rng.standard_normal(len(heard)).astype(np.float32)
    noise *= np.float32(rms(heard) * 10 ** (-PHONE_SNR_DB / 20))
    return filtered(heard + noise, "highpass=f=200,lowpass=f=7000")


def room(rng: np.random.Generator) -> Sound:
    """Return a room's response: the direct path, then noise that dies away in a random time."""
    rt60_s = rng.uniform(*RT60_S)
    t = np.arange(round(rt60_s * RATE)) / RATE
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / rt60_s)
    tail *= 10 ** (-rng.uniform(*DIRECT_DB) / 20) / np.sqrt(np.sum(tail**2))
    return np.concatenate([[1.0], np.zeros(round(rng.uniform(0.001, 0.01) * RATE)), tail]).astype(np.float32)


@dataclass(frozen=True)
class Codec:
    """A codec in ffmpeg's words, and its files' suffix."""

    words: str
    suffix: str


AAC_96 = Codec("-ar 44100 -c:a aac -b:a 96k", ".mp4")
AAC_64 = Codec("-ar 44100 -c:a aac -b:a 64k", ".mp4")
MP3_64 = Codec("-ar 44100 -c:a libmp3lame -b:a 64k", ".mp3")
OPUS_24 = Codec("-ar 16000 -c:a libopus -b:a 24k", ".ogg")


def coded(sounds: Sequence[Sound], codec: Codec) -> list[NDArray[np.int16]]:
    """Encode sounds and decode them as the product does; all in one file, as programs start slowly."""
    gap = np.zeros(round(GAP_S * RATE), np.float32)
    joined = np.concatenate([piece for sound in sounds for piece in (sound, gap)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sounds{codec.suffix}"
        command = ["ffmpeg", "-v", "error", "-f", "f32le", "-ar", f"{RATE}", "-ac", "1", "-i", "-"]
        subprocess.run([*command, *codec.words.split(), str(path)], input=joined.astype("<f4").tobytes(), check=True)
        with decode(path, video=False) as decoding:
            heard = np.concatenate([item.samples for item in decoding if isinstance(item, Pcm)])
    starts = np.cumsum([0, *(len(sound) + len(gap) for sound in sounds)])
    return [heard[start : start + len(sound)] for sound, start in zip(sounds, starts, strict=False)]
