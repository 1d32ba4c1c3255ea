"""
What the audio benchmarks hear: tracks and clips as PCM, speech without end, and songs mixed with what is over them.

Everything is mono at 16 kHz. Files are decoded once, into the cache.
"""

import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus
from sordino.fingerprints import audio
from sordino.fingerprints.model import AudioPrint, Span
from sordino.fingerprints.params import AudioParams, VideoParams, stamp
from sordino.monitor.corpus import default_cache

Sound = NDArray[np.float32]

PARAMS = AudioParams()
RATE = PARAMS.sample_rate
QUERY_S = 10.0
LEVEL = 0.1  # RMS
QUIET = 1e-3  # RMS of the excerpt as it is in the file: there is no music to find below this
PEAK = 0.7  # of a query
HELD_OUT = 4  # every fourth track of a package is never registered


@dataclass(frozen=True)
class Plant:
    """A stretch of a track that sounds in a query: its truth. `speed` is query over reference, as in `model.Match`."""

    track: Path
    query: Span
    reference_s: float  # what of the track sounds at the start of the span
    speed: float = 1.0
    semitones: float = 0.0

    def reference_at(self, query_s: float) -> float:
        """Return the reference time that sounds at a query's time."""
        return self.reference_s + (query_s - self.query.start_s) * self.speed


@dataclass(frozen=True)
class Query:
    """A sound, what of the registered tracks is in it, and a track in it that is none of them."""

    sound: Sound
    plants: tuple[Plant, ...] = ()
    stranger: Path | None = None


@cache
def pcm(path: Path) -> NDArray[np.int16]:
    """Return a file's sound, mapped from the cache, into which it is decoded the first time."""
    kept = kept_as(path, "pcm", ".npy")
    if not kept.exists():
        write_array(kept, _decode(path))
    return np.asarray(np.load(kept, mmap_mode="r"))


def kept_as(path: Path, kind: str, suffix: str) -> Path:
    """Return the file in the cache that keeps something that was made of another file."""
    folder = default_cache().parent / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder / (hashlib.sha256(str(path).encode()).hexdigest()[:24] + suffix)


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    """Write an array in one step: other processes may be about to write the same."""
    partial = path.with_suffix(f".{np.random.default_rng().integers(1 << 62)}.part")
    with partial.open("wb") as file:
        np.save(file, array)
    partial.replace(path)


def _decode(path: Path) -> NDArray[np.int16]:
    bare = ["-f", "g722"] if path.suffix == ".g722" else []
    command = ["ffmpeg", "-v", "error", "-nostdin", *bare, "-i", f"file:{path}"]
    command += ["-ac", "1", "-ar", f"{RATE}", "-f", "s16le", "-"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return np.frombuffer(done.stdout, "<i2")


def decoded(path: Path, start_s: float = 0.0, length_s: float | None = None) -> Sound:
    """Return a file's sound, or a stretch of it, as floats."""
    start = round(start_s * RATE)
    stop = None if length_s is None else start + round(length_s * RATE)
    return pcm(path)[start:stop].astype(np.float32) / np.float32(32768)


def prints(paths: Sequence[Path]) -> dict[Path, AudioPrint]:
    """Return each file's reference print; kept in the cache, under the parameters' stamp."""
    made = {}
    for path in paths:
        kept = kept_as(path, f"prints/{stamp(PARAMS, VideoParams())}", ".npz")
        if not kept.exists():
            new = audio.reference_print(pcm(path), PARAMS)
            np.savez(kept, duration_s=len(pcm(path)) / RATE, frames=new.frames, bands=new.bands)
        held = np.load(kept)
        made[path] = AudioPrint(PARAMS, float(held["duration_s"]), held["frames"], held["bands"])
    return made


class Speech:
    """Real speech without end: clips of one split, in random order, each at the same level."""

    def __init__(self, split: corpus.Split, rng: np.random.Generator, n_clips: int = 300) -> None:
        clips = corpus.speech(split)
        chosen = rng.permutation(len(clips))[:n_clips]
        sounds = [decoded(clips[k]) for k in chosen]
        self._sound = np.concatenate([levelled(s) for s in sounds if len(s) > RATE and rms(s) > QUIET])

    def take(self, n: int, rng: np.random.Generator) -> Sound:
        """Return `n` samples from somewhere."""
        start = rng.integers(0, len(self._sound) - n)
        return self._sound[start : start + n]


def rms(sound: Sound) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(sound**2))) if len(sound) else 0.0


def levelled(sound: Sound) -> Sound:
    """Return a sound at the common level; silence stays silent."""
    return np.asarray(sound * np.float32(LEVEL / max(rms(sound), 1e-9)), np.float32)


def peaked(sound: Sound) -> Sound:
    """Return a sound at a query's peak."""
    return np.asarray(sound * np.float32(PEAK / max(float(np.abs(sound).max(initial=0.0)), 1e-9)), np.float32)


def excerpt(tracks: Sequence[Path], length_s: float, rng: np.random.Generator) -> tuple[Path, float, Sound]:
    """Return a random track that is long enough, a time from which it is not silent, and what sounds there."""
    n = round(length_s * RATE)
    enough = [track for track in tracks if len(pcm(track)) >= n]
    if not enough:
        raise ValueError(f"no track lasts {length_s:.1f} s")
    while True:
        track = enough[int(rng.integers(len(enough)))]
        start_s = float(rng.uniform(0, (len(pcm(track)) - n) / RATE))
        sound = decoded(track, start_s, length_s)
        if rms(sound) >= QUIET:
            return track, start_s, levelled(sound)


def under(over: Sound, music: Sound, db: float) -> Sound:
    """Mix music at a level of `db` against what is over it; both come at the common level."""
    return over + music * np.float32(10 ** (db / 20))


def queries(
    tracks: Sequence[Path], n: int, db: float | None, voice: Speech, rng: np.random.Generator
) -> Iterator[Query]:
    """Yield excerpts of random tracks, under speech where `db` says how far."""
    for _ in range(n):
        track, start_s, music = excerpt(tracks, QUERY_S, rng)
        mixed = music if db is None else under(voice.take(len(music), rng), music, db)
        yield Query(peaked(mixed), (Plant(track, Span(0.0, QUERY_S), start_s),))


def split_tracks(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return references and held-out tracks: every fourth, but none of which the same recording is another file."""
    same = corpus.duplicates()
    held = {p for k, p in enumerate(paths) if k % HELD_OUT == 0 and corpus.name_of(p) not in same}
    return [p for p in paths if p not in held], sorted(held)
