"""
The clips of the picture benchmark: stretches of real videos, and the rows of changes that copies come with.

Query number k of a row is always the same file; files are kept in the cache, under a digest of what makes them.
"""

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import changes, corpus, pictures, rendering
from benchmarks.pictures import Backdrop, Parameters, Size, even, luma
from benchmarks.rendering import Clip, Row, Video, decoded, render
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
FLAT = 15.0  # grey levels: a clip with a frame of less deviation (black, a slate) may as well be nothing
FRAMES_PER_S = 2.0
FRAME_WIDTH = 640
BACKDROP_WIDTH = 480
BACKDROP_RATE = 24


@dataclass(frozen=True)
class Query:
    """A file, what is planted in it, and how it was made."""

    path: Path
    truth: Truth
    parameters: Parameters
    rate: float


ROWS = (
    Row("none", changes.none),
    Row("240p crf 35", changes.none, height=240, crf=35),
    Row("letterbox", changes.letterbox),
    Row("pillarbox", changes.pillarbox),
    Row("crop 80 %", changes.crop(0.8, middle=True)),
    Row("crop 65 % off-centre", changes.crop(0.65), 0.85),
    Row("mirror", changes.mirror),
    Row("logo + subtitle band", changes.logo_and_subtitle),
    Row("gamma, colour", changes.gamma_and_colour),
    Row("speed 1.25", changes.none, speed=1.25),
    Row("8 fps", changes.none, rate=8.0),
    Row("camera recording", changes.camera),
    Row("rotate 5 degrees", changes.rotate),
    Row("border", changes.border),
    Row("9:16 with blurred bars", changes.blurred_bars),
    Row("9:16 centre crop", changes.upright_crop),
    Row("inset 50 % on a picture", changes.inset(0.5, moving=False)),
    Row("inset 35 % on a moving video", changes.inset(0.35, moving=True), 0.85),
    Row("webcam overlay in a corner", changes.webcam),
    Row("several at once", changes.several, 0.95),
)
SMALL_ROWS = tuple(
    Row(f"inset {share} % on a moving video", changes.inset(share / 100, moving=True), 0.0, height=720)
    for share in (25, 20, 15)
)
UPSIDE_DOWN = Row("upside down", changes.upside_down)


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
    kept = kept_as(video.path, f"luma/{FRAME_WIDTH}", ".npy")
    if not kept.exists():
        size = (FRAME_WIDTH, even(FRAME_WIDTH * video.size[1] / video.size[0]))
        seen = [luma(picture) for picture in decoded(Clip(video, Span(0, video.duration_s)), size, FRAMES_PER_S)]
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
        Backdrop(video.name, list(decoded(Clip(video, Span(0, video.duration_s)), _narrow(video), BACKDROP_RATE)))
        for video in strangers()
    )


def _narrow(video: Video) -> Size:
    return BACKDROP_WIDTH, even(BACKDROP_WIDTH * video.size[1] / video.size[0])


def query(row: Row, clip: Clip, k: int) -> Query:
    """Return a row's query number `k`, of this clip; it is rendered unless the cache has it."""
    how = (row.name, row.speed, row.rate, row.height, row.crf)
    made_by = digest(*(str(made.__file__) for made in (rendering, pictures, changes)))
    path = kept_as(Path(f"{how} {k} {clip.video.name} {clip.span}"), f"queries/{made_by}", ".mp4")
    noted = path.with_suffix(".json")
    if not noted.exists():
        rng = np.random.default_rng([zlib.crc32(row.name.encode()), k])
        truth, parameters = render(row, clip, backdrops(), rng, path)
        noted.write_text(json.dumps({"truth": asdict(truth), "parameters": dict(parameters)}))
    note = json.loads(noted.read_text())
    truth = note["truth"]
    spans = {side: Span(**truth[side]) for side in ("query", "reference")}
    known = Truth(**{**truth, **spans, **{of: Region(**truth[of]) for of in ("region", "uncut")}})
    return Query(path, known, note["parameters"], row.rate or clip.video.rate)


@cache
def digest(*modules: str) -> str:
    """Name the code of some files."""
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in modules)).hexdigest()[:12]
