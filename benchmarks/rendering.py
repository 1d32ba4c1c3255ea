"""
Queries of the picture benchmark as files: a video that is not registered, a changed clip, and the former again.

What is in the cache was made by this file, `pictures` and `changes`: it is made anew when they change.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.pictures import Backdrop, Change, Make, Parameters, Picture, Size, even
from benchmarks.video_judge import Truth
from sordino.fingerprints.model import Span

FILLER_S = (2.0, 2.5)
HEIGHTS = (360, 360, 720)  # any of these
MAX_RATE = 30.0  # frames a second


@dataclass(frozen=True)
class Video:
    """A file: its picture's size with square pixels, and its frame rate."""

    path: Path
    size: Size
    rate: float
    duration_s: float

    @property
    def name(self) -> str:
        """The id of its reference."""
        return self.path.name

    @classmethod
    def of(cls, path: Path) -> "Video":
        """Probe a file."""
        entries = "stream=width,height,sample_aspect_ratio,avg_frame_rate,r_frame_rate:format=duration"
        command = ["ffprobe", "-v", "error", "-select_streams", "V:0", "-show_entries", entries]
        command += ["-of", "json", str(path)]
        said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        stream = said["streams"][0]
        shape = stream.get("sample_aspect_ratio", "1:1").replace(":", "/")
        wide = Fraction(shape) if not shape.startswith("0") else Fraction(1)
        rates = [stream["avg_frame_rate"], stream["r_frame_rate"]]
        rate = next(float(Fraction(r)) for r in rates if not r.startswith("0") and not r.endswith("/0"))
        size = (round(stream["width"] * wide), stream["height"])
        return cls(path, size, min(MAX_RATE, rate), float(said["format"]["duration"]))

    def at_height(self, height: int) -> Size:
        """Return its picture's size at a height."""
        return even(height * self.size[0] / self.size[1]), height


@dataclass(frozen=True)
class Clip:
    """A stretch of a video."""

    video: Video
    span: Span


@dataclass(frozen=True)
class Row:
    """A change, what share of the clips shall be found in spite of it, and how its files are encoded."""

    name: str
    make: Make
    target: float = 1.0
    speed: float = 1.0
    rate: float | None = None
    height: int | None = None
    crf: int = 26


def render(
    row: Row, clip: Clip, around: Sequence[Backdrop], rng: np.random.Generator, out: Path
) -> tuple[Truth, Parameters]:
    """Write a query's file; return what is planted in it, and the parameters that were drawn."""
    rate, height = row.rate or clip.video.rate, int(rng.choice(HEIGHTS))
    filler = around[int(rng.integers(len(around)))]
    before, after = (round(s * rate) for s in rng.uniform(*FILLER_S, 2))
    size = clip.video.at_height(height)
    change = row.make(size, rng, around)
    made = _between(filler, before, after, change, decoded(clip, size, rate, row.speed))
    written = _encoded(made, change.size, rate, row, out)
    shown = written - before - after
    if not shown:
        raise RuntimeError(f"nothing of {clip} could be decoded")
    start_s = clip.span.start_s
    truth = Truth(
        clip.video.name,
        Span(before / rate, (before + shown) / rate),
        Span(start_s, start_s + shown / rate * row.speed),
        row.speed,
        change.mirrored,
        change.region,
        change.uncut,
    )
    return truth, {"height": height, "filler": filler.name, **change.parameters}


def _between(filler: Backdrop, before: int, after: int, change: Change, copied: Iterator[Picture]) -> Iterator[Picture]:
    for k in range(before):
        yield filler.shown(change.size, k)
    for k, picture in enumerate(copied):
        yield change.draw(picture, k)
    for k in range(after):
        yield filler.shown(change.size, before + k)


def decoded(clip: Clip, size: Size, rate: float, speed: float = 1.0) -> Iterator[Picture]:
    """Yield a clip's pictures at a rate."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1"]
    command += ["-ss", f"{clip.span.start_s}", "-t", f"{clip.span.duration_s}", "-i", f"file:{clip.video.path}"]
    steps = f"setpts=PTS/{speed},fps={rate}:start_time=0,scale={size[0]}:{size[1]}:flags=bicubic,setsar=1"
    command += ["-map", "0:V:0", "-vf", steps, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"]
    n = size[0] * size[1] * 3
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout
        while len(raw := child.stdout.read(n)) == n:
            yield np.frombuffer(raw, np.uint8).reshape(size[1], size[0], 3)


def _encoded(made: Iterator[Picture], size: Size, rate: float, row: Row, out: Path) -> int:
    """Write pictures as H.264; return how many."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24"]
    command += ["-s", f"{size[0]}x{size[1]}", "-r", f"{rate}", "-i", "-"]
    command += ["-vf", f"scale=-2:{row.height}"] if row.height else []
    command += ["-c:v", "libx264", "-preset", "superfast", "-threads", "1", "-crf", f"{row.crf}", "-pix_fmt", "yuv420p"]
    with subprocess.Popen([*command, f"file:{out}"], stdin=subprocess.PIPE) as child:
        assert child.stdin
        n = 0
        for n, picture in enumerate(made, 1):  # noqa: B007
            child.stdin.write(np.ascontiguousarray(picture).tobytes())
        child.stdin.close()
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return n
