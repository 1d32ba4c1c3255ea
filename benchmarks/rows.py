"""
The rows of the audio benchmark: what is asked, how it was made, and what share of it shall be found.

A row's query number k is always the same sound, whichever rows and however many queries are chosen.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from benchmarks import noises, transforms
from benchmarks.sounds import QUERY_S, RATE, Plant, Query, Sound, Speech, excerpt, peaked, under
from benchmarks.transforms import AAC_64, AAC_96, MP3_64, OPUS_24, Change, Codec, changed_excerpt
from sordino.fingerprints.model import Span

Kind = Literal["pitch", "tempo", "speed"]
KINDS: tuple[Kind, ...] = ("pitch", "tempo", "speed")
SPAN_S = (10.0, 20.0)  # of a song inside ...
INSIDE_S = 30.0  # ... a longer query
TURN_S = 20.0  # of song after song


@dataclass(frozen=True)
class Stage:
    """Who is there: tracks that are registered, tracks that never are, and a voice."""

    known: Sequence[Path]
    strange: Sequence[Path]
    voice: Speech


Over = Callable[[Stage, int, np.random.Generator], Sound]


class Maker(Protocol):
    """Makes query number `k` of a row."""

    def __call__(self, stage: Stage, rng: np.random.Generator, k: int) -> Query:
        """Return the query."""


@dataclass(frozen=True)
class Row:
    """
    A row and its targets: of recall, and of ends that are right among what is found.

    `after`: its queries are streams of so many segments, and what is found by then counts; a target for each.
    """

    name: str
    make: Maker
    targets: tuple[float | None, ...] = (None,)
    ends_target: float | None = None
    codec: Codec = AAC_96
    after: tuple[int, ...] = (1,)
    negative: bool = False

    def query(self, stage: Stage, k: int) -> Query:
        """Return the row's query number `k`."""
        return self.make(stage, np.random.default_rng([zlib.crc32(self.name.encode()), k]), k)

    def title(self, after: int) -> str:
        """Return the name of the row's part that counts what is found after so many segments."""
        return self.name if self.after == (1,) else f"{self.name}, after {after} segment{'s' * (after > 1)}"


def speech(stage: Stage, n: int, rng: np.random.Generator) -> Sound:
    """Return somebody talking."""
    return stage.voice.take(n, rng)


def heard(noise: noises.Noise) -> Over:
    """Return a noise that needs no stage as one that could use it."""
    return lambda stage, n, rng: noise(n, rng)


def song(
    stage: Stage,
    rng: np.random.Generator,
    k: int,
    *,
    length_s: float = QUERY_S,
    db: float | None = None,
    over: Over = speech,
    kind: Kind = "speed",
    percent: float = 0.0,
    finish: Callable[[Sound, np.random.Generator], Sound] | None = None,
    gain_db: float = 0.0,
    strange: bool = False,
) -> Query:
    """Make a query of one song, `db` against what is over it; every other one is changed by `percent` the other way."""
    change = changed(kind, percent if k % 2 else -percent)
    track, start_s, music = changed_excerpt(stage.strange if strange else stage.known, length_s, change, rng)
    mixed = music if db is None else under(over(stage, len(music), rng), music, db)
    sound = peaked(finish(mixed, rng) if finish else mixed) * np.float32(10 ** (gain_db / 20))
    if strange:
        return Query(sound, stranger=track)
    return Query(sound, (Plant(track, Span(0.0, length_s), start_s, change.tempo, change.semitones),))


def changed(kind: Kind, percent: float) -> Change:
    """Return the change of a kind by so much."""
    ratio = 1 + percent / 100
    return Change(1.0 if kind == "pitch" else ratio, 1.0 if kind == "tempo" else ratio)


def inside(stage: Stage, rng: np.random.Generator, k: int, *, db: float) -> Query:
    """Make a query in which a song starts and stops under speech."""
    lasts_s = float(rng.uniform(*SPAN_S))
    begins_s = float(rng.uniform(0, INSIDE_S - lasts_s))
    track, start_s, music = excerpt(stage.known, lasts_s, rng)
    first, n = round(begins_s * RATE), round(INSIDE_S * RATE)
    padded = np.pad(music, (first, n))[:n]
    plant = Plant(track, Span(begins_s, begins_s + lasts_s), start_s)
    return Query(peaked(under(speech(stage, n, rng), padded, db)), (plant,))


def together(stage: Stage, rng: np.random.Generator, k: int) -> Query:
    """Make a query of two songs at once, equally loud."""
    (one, one_s, a), (other, other_s, b) = _two(stage, QUERY_S, rng)
    span = Span(0.0, QUERY_S)
    return Query(peaked(a + b), (Plant(one, span, one_s), Plant(other, span, other_s)))


def in_turn(stage: Stage, rng: np.random.Generator, k: int, *, fade_s: float) -> Query:
    """Make a query in which a song fades into another."""
    lasts_s = (TURN_S + fade_s) / 2
    (one, one_s, a), (other, other_s, b) = _two(stage, lasts_s, rng)
    fade = np.sin(np.linspace(0, np.pi / 2, round(fade_s * RATE), dtype=np.float32))
    a[len(a) - len(fade) :] *= fade[::-1]
    b[: len(fade)] *= fade
    n = round(TURN_S * RATE)
    sound = np.pad(a, (0, n - len(a))) + np.pad(b, (n - len(b), 0))
    first, second = Span(0.0, lasts_s), Span(TURN_S - lasts_s, TURN_S)
    return Query(peaked(sound), (Plant(one, first, one_s), Plant(other, second, other_s)))


def _two(stage: Stage, length_s: float, rng: np.random.Generator) -> list[tuple[Path, float, Sound]]:
    first = excerpt(stage.known, length_s, rng)
    return [first, excerpt([track for track in stage.known if track != first[0]], length_s, rng)]


def alone(stage: Stage, rng: np.random.Generator, k: int, *, of: Sequence[Over]) -> Query:
    """Make a query without music, of each kind in turn."""
    return Query(peaked(of[k % len(of)](stage, round(QUERY_S * RATE), rng)))


def negatives() -> Iterator[Row]:
    """Yield the rows in which nothing is to be found: never registered tracks of the same packages, and no music."""
    yield Row("other music alone", partial(song, strange=True), negative=True)
    for db in (0.0, -6.0, -12.0):
        yield Row(f"other music {db:+g} dB under speech", partial(song, strange=True, db=db), negative=True)
    for kind in KINDS:
        made = partial(song, strange=True, kind=kind, percent=5.0)
        yield Row(f"other music, {kind} ±5 %", made, negative=True)
    yield Row("speech", partial(alone, of=(speech,)), negative=True)
    unheard = (noises.hiss, noises.silence, noises.tones)
    yield Row("noise, silence, tones", partial(alone, of=[heard(n) for n in unheard]), negative=True)
    public = (noises.crowd, noises.effects, noises.applause)
    yield Row("crowd, game effects, applause", partial(alone, of=[heard(n) for n in public]), negative=True)


def positives() -> Iterator[Row]:
    """Yield the rows in which registered songs are."""
    for name, codec in (("AAC 96k", AAC_96), ("Opus 24k at 16 kHz", OPUS_24), ("MP3 64k", MP3_64)):
        yield Row(name, song, (0.995,), codec=codec)
    yield Row("level -30 dB", partial(song, gain_db=-30.0), (0.995,))
    for db, target in ((0.0, 0.995), (-6.0, 0.985), (-12.0, 0.95), (-15.0, 0.88)):
        yield Row(f"music {db:+g} dB under speech", partial(song, db=db), (target,))
    for length_s, target in ((5.0, 0.80), (20.0, 0.975)):
        yield Row(f"music -12 dB, {length_s:g} s", partial(song, db=-12.0, length_s=length_s), (target,))
    yield Row("music -12 dB", partial(song, db=-12.0, length_s=3 * QUERY_S), (0.99,), after=(3,))
    stream = partial(song, db=-15.0, length_s=6 * QUERY_S)
    yield Row("music -15 dB", stream, (0.88, None, None), after=(1, 3, 6))
    equalised = partial(song, db=-6.0, finish=transforms.equalised)
    yield Row("music -6 dB, EQ, lowpass 6 kHz, AAC 64k", equalised, (0.95,), codec=AAC_64)
    yield from _changes()
    yield Row("phone in a room, AAC 64k", partial(song, finish=transforms.rerecorded), (0.95,), codec=AAC_64)
    for noise in (noises.crowd, noises.effects, noises.applause):
        yield Row(f"{noise.__name__} at 0 dB", partial(song, db=0.0, over=heard(noise)), (0.97,))
    for db in (0.0, -6.0):
        yield Row(f"10 to 20 s inside 30 s of speech, {db:+g} dB", partial(inside, db=db), ends_target=0.95)
    yield Row("two songs at once", together)
    yield Row("cross-fade of 8 s in 20 s", partial(in_turn, fade_s=8.0))
    yield Row("song after song in 20 s", partial(in_turn, fade_s=0.0))


def _changes() -> Iterator[Row]:
    steps: dict[Kind, tuple[float, ...]] = {"pitch": (3, 6, 10), "tempo": (5, 10, 20), "speed": (4, 8, 12)}
    for kind in KINDS:
        for percent, target in zip(steps[kind], (0.98, 0.98, 0.95), strict=True):
            yield Row(f"{kind} ±{percent:g} %", partial(song, kind=kind, percent=percent), (target,))
    for kind in KINDS:
        for db, target in ((-6.0, 0.95), (-10.0, 0.88)):
            made = partial(song, kind=kind, percent=5.0, db=db)
            yield Row(f"{kind} ±5 %, music {db:g} dB", made, (target,))
