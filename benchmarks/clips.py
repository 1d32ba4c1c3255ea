"""
The clips of the picture benchmark: stretches of real videos, changed as copies are, in encoded files.

A query is some seconds of a video that is not registered, the changed clip, and some seconds of the former again. Query
number k of a row is always the same file; files are kept in the cache, under a digest of the code that makes them.
"""

import hashlib
import json
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import corpus, pictures
from benchmarks.pictures import Backdrop, Change, Make, Parameters, Picture, Size, even
from benchmarks.sounds import kept_as, write_array
from benchmarks.video_judge import Truth
from sordino.fingerprints.model import Region, Span

STRANGE = ("cup.mp4", "boswars_intro.ogg", "carphone_pristine.mp4")  # are never registered
WORKS = {"trailer_bbb.mp4": "bbb.mp4"}  # shares its shots
CLIPS = {  # of 40; long videos have many shots
    "bbb.mp4": 20,
    "trailer_bbb.mp4": 3,
    "freecol-opening.video.ogg": 5,
    "Megamind.avi": 2,
    "tree.avi": 3,
    "box.mp4": 2,
    "bikes.mp4": 1,
    "vtest.avi": 2,
    "balle-jbart.mp4": 1,
    "retroMars2018.avi": 1,
}
CLIP_S = (2.0, 8.0)
FILLER_S = (2.0, 2.5)
HEIGHTS = (360, 720)
MAX_RATE = 30.0  # frames a second
FLAT = 15.0  # grey levels: a clip with a frame of less deviation (black, a slate) may as well be nothing
FRAMES_PER_S = 2.0
FRAME_WIDTH = 640
BACKDROP_WIDTH = 480
BACKDROP_RATE = 24


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
        command = [
            "ffprobe",
            "-v",
            "error",
            "-select_streams",
            "V:0",
            "-show_entries",
            entries,
            "-of",
            "json",
            str(path),
        ]
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


@dataclass(frozen=True)
class Query:
    """A file, what is planted in it, and how it was made."""

    path: Path
    truth: Truth
    parameters: Parameters
    rate: float


ROWS = (
    Row("none", pictures.none),
    Row("240p crf 35", pictures.none, height=240, crf=35),
    Row("letterbox", pictures.letterbox),
    Row("pillarbox", pictures.pillarbox),
    Row("crop 80 %", pictures.crop(0.8, middle=True)),
    Row("crop 65 % off-centre", pictures.crop(0.65), 0.85),
    Row("mirror", pictures.mirror),
    Row("logo + subtitle band", pictures.logo_and_subtitle),
    Row("gamma, colour", pictures.gamma_and_colour),
    Row("speed 1.25", pictures.none, speed=1.25),
    Row("8 fps", pictures.none, rate=8.0),
    Row("camera recording", pictures.camera),
    Row("rotate 5 degrees", pictures.rotate),
    Row("border", pictures.border),
    Row("9:16 with blurred bars", pictures.blurred_bars),
    Row("9:16 centre crop", pictures.upright_crop),
    Row("inset 50 % on a picture", pictures.inset(0.5, moving=False)),
    Row("inset 35 % on a moving video", pictures.inset(0.35, moving=True), 0.85),
    Row("webcam overlay in a corner", pictures.webcam),
    Row("several at once", pictures.several, 0.95),
)
UPSIDE_DOWN = Row("upside down", pictures.upside_down)


@cache
def videos() -> dict[str, Video]:
    """Return the films of the corpus that can be had, by name."""
    return {path.name: Video.of(path) for path in corpus.video()}


def registered() -> list[Video]:
    """Return those that are registered."""
    return [video for name, video in videos().items() if name not in STRANGE]


def strangers() -> list[Video]:
    """Return those that are not."""
    return [video for name, video in videos().items() if name in STRANGE]


def frames(video: Video) -> NDArray[np.uint8]:
    """Return `FRAMES_PER_S` grey pictures a second, mapped from the cache: uint8[n, height, FRAME_WIDTH]."""
    kept = kept_as(video.path, f"frames/{FRAME_WIDTH}", ".npy")
    if not kept.exists():
        size = (FRAME_WIDTH, even(FRAME_WIDTH * video.size[1] / video.size[0]))
        seen = [picture[:, :, 1] for picture in _decoded(Clip(video, Span(0, video.duration_s)), size, FRAMES_PER_S)]
        write_array(kept, np.stack(seen))
    return np.asarray(np.load(kept, mmap_mode="r"))


def clips(n: int) -> list[Clip]:
    """Return `n` clips, from all over each video in proportion to `CLIPS`; up to 40, the first of the same list."""
    rng = np.random.default_rng(40)
    chosen = []
    for name, of_40 in CLIPS.items():
        if name not in videos():
            continue
        count = max(1, round(of_40 * max(n, 40) / 40))
        chosen += [_clip(videos()[name], k / count, (k + 1) / count, rng) for k in range(count)]
    return [chosen[k] for k in rng.permutation(len(chosen))[:n]]


def _clip(video: Video, low: float, high: float, rng: np.random.Generator) -> Clip:
    """Draw a clip that begins between these shares of a video; another one if it is flat."""
    for _ in range(20):
        length_s = min(float(rng.uniform(*CLIP_S)), video.duration_s - 0.3)
        start_s = float(rng.uniform(low, high)) * (video.duration_s - length_s)
        first, last = (round(s * FRAMES_PER_S) for s in (start_s, start_s + length_s))
        if all(picture.std() >= FLAT for picture in frames(video)[first : last + 1]):
            break
    return Clip(video, Span(round(start_s, 3), round(start_s + length_s, 3)))


@cache
def backdrops() -> tuple[Backdrop, ...]:
    """Return the videos that are not registered, as what stands around and over copies."""
    return tuple(
        Backdrop(video.name, list(_decoded(Clip(video, Span(0, video.duration_s)), _narrow(video), BACKDROP_RATE)))
        for video in strangers()
    )


def _narrow(video: Video) -> Size:
    return BACKDROP_WIDTH, even(BACKDROP_WIDTH * video.size[1] / video.size[0])


def query(row: Row, clip: Clip, k: int) -> Query:
    """Return a row's query number `k`, of this clip; it is rendered unless the cache has it."""
    text = f"{row.name} {k} {clip.video.name} {clip.span}"
    path = kept_as(Path(text), f"queries/{digest(__file__, str(pictures.__file__))}", ".mp4")
    noted = path.with_suffix(".json")
    if not noted.exists():
        rng = np.random.default_rng([zlib.crc32(row.name.encode()), k])
        truth, parameters = render(row, clip, backdrops(), rng, path)
        noted.write_text(json.dumps({"truth": asdict(truth), "parameters": dict(parameters)}))
    note = json.loads(noted.read_text())
    truth = note["truth"]
    spans = {side: Span(**truth[side]) for side in ("query", "reference")}
    known = Truth(**{**truth, **spans, "region": Region(**truth["region"])})
    return Query(path, known, note["parameters"], row.rate or clip.video.rate)


@cache
def digest(*modules: str) -> str:
    """Name the code of some files."""
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in modules)).hexdigest()[:12]


def render(
    row: Row, clip: Clip, around: Sequence[Backdrop], rng: np.random.Generator, out: Path
) -> tuple[Truth, Parameters]:
    """Write a query's file; return what is planted in it, and the parameters that were drawn."""
    rate, height = row.rate or clip.video.rate, int(rng.choice(HEIGHTS))
    filler = around[int(rng.integers(len(around)))]
    before, after = (round(s * rate) for s in rng.uniform(*FILLER_S, 2))
    size = clip.video.at_height(height)
    change = row.make(size, rng, around)
    made = _between(filler, before, after, change, _decoded(clip, size, rate, row.speed))
    written = _encode(made, change.size, rate, row, out)
    shown = written - before - after
    start_s = clip.span.start_s
    truth = Truth(
        clip.video.name,
        Span(before / rate, (before + shown) / rate),
        Span(start_s, start_s + shown / rate * row.speed),
        row.speed,
        change.mirrored,
        change.region,
    )
    return truth, {"height": height, "filler": filler.name, **change.parameters}


def _between(filler: Backdrop, before: int, after: int, change: Change, copied: Iterator[Picture]) -> Iterator[Picture]:
    for k in range(before):
        yield filler.shown(change.size, k)
    for k, picture in enumerate(copied):
        yield change.draw(picture, k)
    for k in range(after):
        yield filler.shown(change.size, before + k)


def _decoded(clip: Clip, size: Size, rate: float, speed: float = 1.0) -> Iterator[Picture]:
    """Yield a clip's pictures at a rate."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1"]
    command += ["-ss", f"{clip.span.start_s}", "-t", f"{clip.span.duration_s}", "-i", f"file:{clip.video.path}"]
    steps = f"setpts=PTS/{speed},fps={rate}:start_time=0,scale={size[0]}:{size[1]}:flags=area,setsar=1"
    command += ["-map", "0:V:0", "-vf", steps, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"]
    n = size[0] * size[1] * 3
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout
        while len(raw := child.stdout.read(n)) == n:
            yield np.frombuffer(raw, np.uint8).reshape(size[1], size[0], 3)


def _encode(made: Iterator[Picture], size: Size, rate: float, row: Row, out: Path) -> int:
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
