"""Live streams for the speed benchmark: a home with registered works, and segments of real film, speech and music."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import sounds
from sordino.fingerprints import video
from sordino.fingerprints.model import AudioPrint, VideoPrint
from sordino.fingerprints.params import VideoParams
from sordino.monitor.home import Home
from sordino.monitor.works import Ownership, Reference, Work
from sordino.pipelines import messages
from sordino.pipelines.fetch import local_media
from sordino.pipelines.media import Frame, decode
from sordino.pipelines.prefixes import parse_prefixes

SEGMENT_S = 10.0
MUSIC_DB = -10.0  # against the speech over it
STREAM_SEGMENTS = 6  # then the next stream begins
RATES = {720: "2000k", 360: "600k"}  # bits a second by height, as live streams have them
VIEWS = [(flip, turn) for flip in (False, True) for turn in range(4) if (flip, turn) != (True, 0)]


@dataclass(frozen=True)
class Scene:
    """Real media: music to be registered with its prints, music never to be, a voice, and a film."""

    known: Mapping[Path, AudioPrint]
    strange: Sequence[Path]
    voice: sounds.Speech
    film: Path


@dataclass(frozen=True)
class LiveSegment:
    """A segment's file; where `has_works`, a registered track sounds in it and a registered film is seen."""

    path: Path
    has_works: bool

    def message(self, stream_id: str, sequence: int) -> messages.Segment:
        """Return what a platform would say of it."""
        return messages.Segment(
            stream_id=stream_id,
            sequence=sequence,
            start_s=sequence * SEGMENT_S,
            duration_s=SEGMENT_S,
            media=messages.Media(uri=self.path.as_uri()),
            live=True,
            account="shop",
            territory="DE",
            commercial=True,
        )

    def media(self, message: messages.Segment) -> AbstractContextManager[Path]:
        """Return the way to its media that a worker takes."""
        return local_media(message, parse_prefixes([self.path.parent.as_uri() + "/"]))


def cut(scene: Scene, n: int, height: int, folder: Path, rng: np.random.Generator) -> list[LiveSegment]:
    """
    Write `n` segments: MPEG-TS, H.264 and AAC, speech over music 10 dB below it; every other one has works.

    Works are tracks of `scene.known` and the film's first half; in the others sound strange tracks, and the film's
    second half is seen.
    """
    half_s = _decoded(scene.film)[2] / 2
    with_works = sounds.queries(list(scene.known), (n + 1) // 2, MUSIC_DB, scene.voice, rng)
    without = sounds.queries(scene.strange, n // 2, MUSIC_DB, scene.voice, rng)
    made = []
    for k in range(n):
        has_works = k % 2 == 0
        query = next(with_works if has_works else without)
        start_s = (k // 2 * SEGMENT_S) % max(half_s - SEGMENT_S, 1.0) + (0.0 if has_works else half_s)
        made.append(LiveSegment(_encoded(scene.film, start_s, query.sound, height, folder / f"{k}.ts"), has_works))
    return made


def _encoded(film: Path, start_s: float, sound: NDArray[np.float32], height: int, out: Path) -> Path:
    command = ["ffmpeg", "-v", "error", "-y", "-ss", f"{start_s}", "-t", f"{SEGMENT_S}", "-i", f"file:{film}"]
    command += ["-f", "f32le", "-ar", f"{sounds.RATE}", "-ac", "1", "-i", "-", "-map", "0:v:0", "-map", "1:a:0"]
    rate = RATES[height]
    command += [
        "-vf",
        f"scale=-2:{height}",
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-pix_fmt",
        "yuv420p",
        "-g",
        "48",
    ]
    command += ["-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-c:a", "aac", "-b:a", "128k", "-ar", "44100"]
    command += ["-ac", "2", "-f", "mpegts", str(out)]
    subprocess.run(command, input=sound.tobytes(), check=True)
    return out


@cache
def _decoded(film: Path) -> tuple[NDArray[np.float64], list[NDArray[np.uint8]], float]:
    """Return times and luminance of a film's frames, and its duration; kept, as it is described from several sides."""
    with decode(film, audio=False, frame_side=VideoParams().reference_side) as decoding:
        frames = [item for item in decoding if isinstance(item, Frame)]
    return np.array([f.time_s for f in frames]), [f.luma for f in frames], decoding.video_s


def film_print(film: Path, flip: bool = False, turn: int = 0, part: float = 1.0) -> VideoPrint:
    """Return a film's print, or that of its first part; flipped, or turned by quarters, it is another real film."""
    times_s, frames, duration_s = _decoded(film)
    n = int((times_s < part * duration_s).sum())
    seen = (np.ascontiguousarray(np.rot90(luma[:, ::-1] if flip else luma, turn)) for luma in frames[:n])
    return video.reference_print(times_s[:n], seen, part * duration_s)


def film_references(scene: Scene, others: Sequence[Path], hours: float) -> Iterator[tuple[str, VideoPrint]]:
    """Yield the first half of the scene's film, other films, then all of them flipped and turned, up to `hours`."""
    half = film_print(scene.film, part=0.5)
    yield scene.film.name, half
    so_far_s = half.duration_s
    for flip, turn in VIEWS:
        for film in others if (flip, turn) == VIEWS[0] else [scene.film, *others]:
            if so_far_s >= hours * 3600:
                return
            made = film_print(film, flip, turn)
            so_far_s += made.duration_s
            yield f"{film.name}, {'flipped, ' if flip else ''}turned {turn}", made


def register(home: Home, name: str, sound: AudioPrint | None, pictures: VideoPrint | None) -> None:
    """Register a print, as `sordino works add` does with the file."""
    work = f"W{len(home.catalogue.reference_ids)}"
    media_s = (sound.duration_s if sound else 0.0, pictures.duration_s if pictures else 0.0)
    home.catalogue.add(f"R{work}", sound, pictures)
    home.catalogue.save()
    reference = Reference(f"R{work}", work, name, f"{work:0>64}", *media_s)
    kind = "recording" if sound else "film"
    home.store.add_work(Work(work, name, kind, (Ownership("Label"),), (reference,)))


def limited(prints: Mapping[Path, AudioPrint], hours: float) -> dict[Path, AudioPrint]:
    """Return the first of the prints, as many as it takes for so many hours."""
    lengths = np.cumsum([0.0, *(p.duration_s for p in prints.values())])
    return {path: p for (path, p), before_s in zip(prints.items(), lengths, strict=False) if before_s < hours * 3600}
