"""
The negatives of the picture benchmark: segments that show nothing of the other references.

Windows of 10 s of all videos: as they are, where only their own work may be found (static rooms, hosts, films), and
upside down, whole and changed further, where nothing may. Most are searched as prints of frames; some are encoded.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import changes, clips, pictures, sheets
from benchmarks.clips import FRAMES_PER_S, ROWS, UPSIDE_DOWN
from benchmarks.pictures import Change, Make, Picture
from benchmarks.rendering import Clip, Row, Video
from benchmarks.video_judge import Judge
from sordino.fingerprints import align_video
from sordino.fingerprints import video as extractor
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import Match, Span
from sordino.pipelines import analyse

WINDOW_S = 10.0
HOP_S = 2.0
NOBODY = ""  # a video that is no reference
ENCODED = 40  # clips
NEAR = -0.5  # log10 of chance: accepted by `lenient`

Find = Callable[[Catalogue], Sequence[Match]]


@dataclass(frozen=True)
class Segment:
    """
    A segment in which only `video` may be found; what it shows is `footage`, changed so that it is of no reference.

    `find` searches it, `picture` returns what it shows at a time of a match.
    """

    kind: str
    name: str
    video: str
    footage: str
    find: Find
    picture: Callable[[float], Picture]


@dataclass(frozen=True)
class Mistake:
    """A false match, and the segment it was made in."""

    segment: Segment
    match: Match

    @property
    def same_footage(self) -> bool:
        """Whether it was taken for the same video, turned: what is round there looks the same."""
        return self.match.reference_id.startswith(self.segment.footage)

    def __str__(self) -> str:
        m = self.match
        return (
            f"{self.segment.kind}: {self.segment.name}, {m.query.start_s:.1f} to {m.query.end_s:.1f} s, taken for "
            f"{m.reference_id} at {m.reference.start_s:.1f} s{', mirrored' * m.mirrored}, score {m.score:g}, "
            f"10^{m.log10_false_positive:.2f}"
        )


def segments() -> Iterator[Segment]:
    """Yield all of them."""
    for video in clips.registered():
        yield from _windows("registered videos as they are", video, video.name, changes.none)
    made = (changes.none, changes.crop(0.65), changes.inset(0.5, moving=True), changes.several)
    for name, change in zip(("whole", "cropped", "inset", "several changes"), made, strict=True):
        for video in [*clips.registered(), *clips.strangers()]:
            yield from _windows(f"upside down, {name}", video, NOBODY, partial(_turned, change))
    yield from encoded()


def encoded() -> Iterator[Segment]:
    """Yield those that are files."""
    for k, clip in enumerate(clips.clips(ENCODED)):
        yield _file("upside down, encoded", clip, UPSIDE_DOWN, k)
    for video in clips.strangers():
        length_s = min(WINDOW_S, video.duration_s)
        for k, row in enumerate(ROWS):
            yield _file("unregistered, encoded", Clip(video, Span(0.0, length_s)), row, k)


def _turned(make: Make, size: pictures.Size, rng: np.random.Generator, around: Sequence[pictures.Backdrop]) -> Change:
    turned = changes.upside_down(size, rng, around)
    return turned.then(make(turned.size, rng, around))


def _windows(kind: str, video: Video, own: str, make: Make) -> Iterator[Segment]:
    """Yield a segment every `HOP_S` of a video: prints of its frames, changed."""
    whole = clips.frames(video)
    n = round(WINDOW_S * FRAMES_PER_S)
    for first in range(0, max(1, len(whole) - n // 2), round(HOP_S * FRAMES_PER_S)):
        seen = whole[first : first + n]
        name = f"{video.name} from {first / FRAMES_PER_S:g} s"
        drawn = partial(_drawn, seen, make, zlib.crc32(f"{kind} {name}".encode()))
        yield Segment(kind, name, own, video.name, partial(_find_print, drawn), partial(_of_print, drawn))


def _drawn(seen: NDArray[np.uint8], make: Make, seed: int) -> list[Picture]:
    change = make((seen.shape[2], seen.shape[1]), np.random.default_rng(seed), clips.backdrops())
    coloured = (np.asarray(cv2.cvtColor(np.ascontiguousarray(s), cv2.COLOR_GRAY2BGR), np.uint8) for s in seen)
    return [change.draw(picture, k) for k, picture in enumerate(coloured)]


def _find_print(drawn: Callable[[], list[Picture]], catalogue: Catalogue) -> Sequence[Match]:
    grey = [pictures.luma(picture) for picture in drawn()]
    times_s = np.arange(len(grey)) / FRAMES_PER_S
    print_ = extractor.query_print(times_s, grey, len(grey) / FRAMES_PER_S, catalogue.video_params)
    return catalogue.find(None, print_)


def _of_print(drawn: Callable[[], list[Picture]], time_s: float) -> Picture:
    all_ = drawn()
    return all_[min(len(all_) - 1, round(time_s * FRAMES_PER_S))]


def _file(kind: str, clip: Clip, row: Row, k: int) -> Segment:
    def find(catalogue: Catalogue) -> Sequence[Match]:
        return analyse.analyse(clips.query(row, clip, k).path, catalogue).matches

    def picture(time_s: float) -> Picture:
        query = clips.query(row, clip, k)
        return sheets.frame_at(query.path, round(time_s * query.rate))

    return Segment(
        kind, f"{clip.video.name} from {clip.span.start_s:g} s, {row.name}", NOBODY, clip.video.name, find, picture
    )


@contextmanager
def lenient() -> Iterator[float]:
    """Let matches pass that are refused else, so that the nearest to be false can be seen; yield the true threshold."""
    strict = align_video.MAX_LOG10_FALSE_POSITIVE
    align_video.MAX_LOG10_FALSE_POSITIVE = NEAR
    try:
        yield strict
    finally:
        align_video.MAX_LOG10_FALSE_POSITIVE = strict


def mistakes(some: Sequence[Segment], catalogue: Catalogue, judge: Judge) -> Iterator[Mistake]:
    """Search segments; yield what should not have been found."""
    for segment in some:
        for match in judge.wrong(segment.find(catalogue), segment.video):
            yield Mistake(segment, match)


def spread(all_: Sequence[Segment], n: int) -> list[Segment]:
    """Return `n` of them, or all there are, evenly from all kinds."""
    chosen = np.unique(np.linspace(0, len(all_) - 1, min(n, len(all_))).round().astype(int))
    return [all_[k] for k in chosen]
