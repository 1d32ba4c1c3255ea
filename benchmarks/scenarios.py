"""
Videos with known truth for the benchmark of proportionality, from real media: what infringes, and what is lawful.

Scenario number k of a kind is always the same; its file is made once and kept in the cache. Speech and music are of the
split `report`. Pictures are 360 lines high, sound is mono, encoded as H.264 and as AAC at 64 kbit/s.
"""

import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import clips, corpus, rendering, sounds, voice
from benchmarks.rendering import Video
from benchmarks.sounds import RATE, Sound
from sordino.fingerprints.model import Region, Span
from sordino.monitor.weighing import Layer, minus, picture_layers

LENGTH_S = 60.0
SONG_S = (10.0, 24.0)
FILM_S = (8.0, 20.0)
MUSIC_DB = (-15.0, -3.0)  # against the speech over it
HEIGHT, RATE_FPS = 360, 24
INSET = Region(0.5, 0.0, 0.5, 0.5)
SHOP = "shop-1"
LICENSED = "licensed-shop"  # holds a licence for every work
SONGS = 12  # registered, and as many films as there are; the last is registered by two labels
WHOLE = Span(0.0, LENGTH_S)

Kind = Callable[[np.random.Generator], "Sketch"]


@dataclass(frozen=True)
class Song:
    """A track in a video: where, and from where in the track."""

    track: Path
    span: Span
    from_s: float


@dataclass(frozen=True)
class Film:
    """A registered film in a video: where, from where in the film, and in which region (None: all of the picture)."""

    video: Video
    span: Span
    from_s: float
    region: Region | None


@dataclass(frozen=True)
class Sketch:
    """What is to be heard and seen in a video; `allowed`: what is registered in it may stay."""

    songs: tuple[Song, ...] = ()
    films: tuple[Film, ...] = ()
    speech: tuple[Span, ...] = (WHOLE,)
    allowed: bool = False
    situation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """A video, its truth as layers of what infringes and what is lawful, and what a platform says of it."""

    name: str
    path: Path
    layers: tuple[Layer, ...]
    situation: Mapping[str, Any]

    @property
    def is_lawful(self) -> bool:
        """May all of it stay."""
        return not any(layer.infringing for layer in self.layers)


@cache
def tracks() -> tuple[list[Path], list[Path]]:
    """Return the registered tracks and those that are not."""
    known, strange = sounds.split_tracks(corpus.music("report"))
    chosen = np.random.default_rng(6).permutation(len(known))[:SONGS]
    return [known[k] for k in chosen], strange


def films() -> list[Video]:
    """Return the registered films: long ones, as the others have nothing to cut from."""
    return [video for video in clips.registered() if video.duration_s > 2 * FILM_S[1]]


def _song(rng: np.random.Generator, start_s: float = 10.0, *, whose: Sequence[Path] | None = None) -> Song:
    length_s = float(rng.uniform(*SONG_S))
    track, from_s, _ = sounds.excerpt(whose or tracks()[0][:-1], length_s, rng)
    return Song(track, Span(start_s, start_s + length_s), from_s)


def _film(rng: np.random.Generator, region: Region | None) -> Film:
    video, length_s = films()[int(rng.integers(len(films())))], float(rng.uniform(*FILM_S))
    from_s, start_s = float(rng.uniform(0, video.duration_s - length_s)), float(rng.uniform(5, 30))
    return Film(video, Span(start_s, start_s + length_s), from_s, region)


def _over_silence(rng: np.random.Generator) -> Sketch:
    song = _song(rng)
    return Sketch((song,), speech=minus([WHOLE], [song.span]))


def _reupload(rng: np.random.Generator) -> Sketch:
    longest = max(films(), key=lambda video: video.duration_s)
    from_s = float(rng.uniform(0, longest.duration_s - LENGTH_S))
    return Sketch(films=(Film(longest, WHOLE, from_s, None),), speech=())


KINDS: Mapping[str, Kind] = {
    "music under speech": lambda rng: Sketch((_song(rng),)),
    "two songs": lambda rng: Sketch((_song(rng, 4.0), _song(rng, 32.0))),
    "song, nobody speaks": _over_silence,
    "film in a corner": lambda rng: Sketch(films=(_film(rng, INSET),)),
    "film in full": lambda rng: Sketch(films=(_film(rng, None),)),
    "whole video is a film": _reupload,
    "licensed": lambda rng: Sketch((_song(rng),), allowed=True, situation={"account": LICENSED}),
    "quotation": lambda rng: Sketch((_song(rng),), allowed=True, situation={"exceptions_claimed": ["quotation"]}),
    "nobody's music under speech": lambda rng: Sketch((_song(rng, whose=tracks()[1]),), allowed=True),
    "speech only": lambda rng: Sketch(),
    "two labels' song": lambda rng: Sketch((_song(rng, whose=tracks()[0][-1:]),)),
}


def scenarios(n: int) -> Iterator[Scenario]:
    """Yield `n` scenarios of each kind."""
    for name, kind in KINDS.items():
        for k in range(n):
            yield _made(name, k, kind)


def _made(name: str, k: int, kind: Kind) -> Scenario:
    rng = np.random.default_rng([zlib.crc32(name.encode()), k])
    sketch = kind(rng)
    speech = _speech(sketch.speech, rng)
    made_by = clips.digest(__file__, str(rendering.__file__), str(sounds.__file__), str(voice.__file__))
    path = sounds.kept_as(Path(f"{name} {k}"), f"scenarios/{made_by}", ".mp4")
    if not path.exists():
        backdrop = clips.strangers()[int(rng.integers(len(clips.strangers())))]
        _render(sketch, _sound(sketch, speech, rng), backdrop, path)
    situation = {"account": SHOP, "territory": "DE", "commercial": True, **sketch.situation}
    return Scenario(f"{name} {k}", path, _truth(sketch, speech), situation)


def _speech(where: Sequence[Span], rng: np.random.Generator) -> Sound:
    """Return speech in these stretches, with pauses."""
    track = np.zeros(round(LENGTH_S * RATE), np.float32)
    spoken = voice.placed(_clips(), LENGTH_S, rng)
    for span in where:
        part = slice(round(span.start_s * RATE), round(span.end_s * RATE))
        track[part] = spoken[part]
    return track


@cache
def _clips() -> list[Sound]:
    return voice.clips("report", np.random.default_rng(5))


def _sound(sketch: Sketch, speech: Sound, rng: np.random.Generator) -> Sound:
    mixed = speech.copy()
    for song in sketch.songs:
        music = sounds.levelled(sounds.decoded(song.track, song.from_s, song.span.duration_s))
        start = round(song.span.start_s * RATE)
        mixed[start : start + len(music)] += music * np.float32(10 ** (float(rng.uniform(*MUSIC_DB)) / 20))
    return sounds.peaked(mixed)


def _truth(sketch: Sketch, speech: Sound) -> tuple[Layer, ...]:
    """Return the layers: music that is allowed is lawful, and so is all voice."""
    heard = tuple(song.span for song in sketch.songs)
    spoken = tuple((span, 1.0) for span in voice.truth_of(speech))
    shown = [] if sketch.allowed else [(film.span, film.region) for film in sketch.films]
    return (
        Layer("music", () if sketch.allowed else heard, tuple((s, 1.0) for s in heard) if sketch.allowed else ()),
        Layer("voice", (), spoken),
        *picture_layers(WHOLE, shown),
    )


def _render(sketch: Sketch, sound: Sound, backdrop: Video, out: Path) -> None:
    """Write the video: films lie over the backdrop, which repeats."""
    size = (640, HEIGHT)
    inputs = ["-stream_loop", "-1", "-i", f"file:{backdrop.path}"]
    fitted = f"fps={RATE_FPS},scale={{}}:{{}}:force_original_aspect_ratio=disable,setsar=1"
    steps, last = [f"[0:V:0]{fitted.format(*size)}[v0]"], "v0"
    for k, film in enumerate(sketch.films, 1):
        region = film.region or Region(0, 0, 1, 1)
        inputs += ["-ss", f"{film.from_s}", "-t", f"{film.span.duration_s}", "-i", f"file:{film.video.path}"]
        small = fitted.format(round(region.w * size[0]), round(region.h * size[1]))
        steps.append(f"[{k}:V:0]{small},setpts=PTS-STARTPTS+{film.span.start_s}/TB[f{k}]")
        steps.append(f"[{last}][f{k}]overlay={region.x * size[0]}:{region.y * size[1]}:eof_action=pass[v{k}]")
        last = f"v{k}"
    raw = ["-f", "f32le", "-ar", f"{RATE}", "-ac", "1", "-i", "-"]
    coders = [
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-threads",
        "1",
        "-crf",
        "26",
        "-pix_fmt",
        "yuv420p",
        "-g",
        "48",
    ]
    coders += ["-c:a", "aac", "-b:a", "64k", "-ar", "44100", "-t", f"{LENGTH_S}"]
    mapped = ["-filter_complex", ";".join(steps), "-map", f"[{last}]", "-map", f"{len(sketch.films) + 1}:a:0"]
    partial = out.with_suffix(".part.mp4")
    command = ["ffmpeg", "-v", "error", "-y", *inputs, *raw, *mapped, *coders, str(partial)]
    subprocess.run(command, input=sound.astype("<f4").tobytes(), check=True)
    partial.replace(out)
