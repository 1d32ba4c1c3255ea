"""
What the registered videos are found among: five hours of pictures that are none of theirs.

Their frames turned on their side, to the left and (in reverse order) to the right; whole, in halves and quarters, and
their middle: like real pictures, but neither they nor their mirrors. Only what is round, or turns in the video itself,
looks the same; so videos that stand around the copies are not among them.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import FRAMES_PER_S, digest, frames, registered
from benchmarks.costs import say
from benchmarks.rendering import Video
from benchmarks.sounds import kept_as
from sordino.fingerprints import corners, model
from sordino.fingerprints import video as extractor
from sordino.fingerprints.catalogue import Catalogue
from sordino.fingerprints.model import VideoPrint
from sordino.fingerprints.params import AudioParams, VideoParams, stamp
from sordino.pipelines import analyse

HOURS = 5.0
TURNS = {"left": 1, "right": 3}
PARTS = {  # left, top, right, bottom
    "whole": (0.0, 0.0, 1.0, 1.0),
    "left half": (0.0, 0.0, 0.5, 1.0),
    "right half": (0.5, 0.0, 1.0, 1.0),
    "upper half": (0.0, 0.0, 1.0, 0.5),
    "lower half": (0.0, 0.5, 1.0, 1.0),
    "upper left": (0.0, 0.0, 0.5, 0.5),
    "upper right": (0.5, 0.0, 1.0, 0.5),
    "lower left": (0.0, 0.5, 0.5, 1.0),
    "lower right": (0.5, 0.5, 1.0, 1.0),
    "middle": (0.25, 0.25, 0.75, 0.75),
    "middle column": (0.25, 0.0, 0.75, 1.0),
    "middle band": (0.0, 0.25, 1.0, 0.75),
}
SEPARATOR = ", turned "


def turned(of: NDArray[np.uint8], turn: str, part: str) -> NDArray[np.uint8]:
    """Return a view of a video's frames, or a part of them, on their side."""
    height, width = of.shape[1:]
    left, top, right, bottom = PARTS[part]
    piece = of[:, round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
    return np.rot90(piece if turn == "left" else piece[::-1], TURNS[turn], axes=(1, 2))


def references(hours: float, params: VideoParams) -> Iterator[tuple[str, VideoPrint]]:
    """Yield distractors' ids and prints, kept in the cache under the parameters' stamp, up to so many hours."""
    so_far_s = 0.0
    for part in PARTS:
        for turn in TURNS:
            for video in registered():
                if so_far_s >= 3600 * hours:
                    return
                name = f"{video.name}{SEPARATOR}{turn}, {part}"
                made = _print(name, turned(frames(video), turn, part), params)
                so_far_s += made.duration_s
                yield name, made


def _print(name: str, pictures: NDArray[np.uint8], params: VideoParams) -> VideoPrint:
    made_by = digest(
        *(str(m.__file__) for m in (extractor, corners, model))
    )  # while these are worked on, stamps stay the same
    kept = kept_as(Path(name), f"prints/{stamp(AudioParams(), params)}-{made_by}", ".npz")
    if not kept.exists():
        say(f"distractor: {name}")
        times_s = np.arange(len(pictures)) / FRAMES_PER_S
        upright = (np.ascontiguousarray(picture) for picture in pictures)
        made = extractor.reference_print(times_s, upright, len(pictures) / FRAMES_PER_S, params)
        whole = kept.with_name(f"{os.getpid()}-{kept.name}")  # two benchmarks at once may make the same
        np.savez(whole, **{f.name: getattr(made, f.name) for f in fields(made) if f.name != "params"})
        whole.replace(kept)
    held = np.load(kept)
    arrays = {name: held[name] for name in held}
    return VideoPrint(params=params, **{name: a if a.ndim else a.item() for name, a in arrays.items()})


def register(catalogue: Catalogue, hours: float = HOURS) -> str:
    """Register the videos, as the product does, and the distractors; return what they are."""
    known = registered()
    for video in known:
        say(f"registering {video.name}")
        made = analyse.reference(video.path, catalogue)
        catalogue.add(video.name, audio=None, video=made.video)
    n = 0
    for n, (name, seen) in enumerate(references(hours, catalogue.video_params), 1):  # noqa: B007
        catalogue.add(name, audio=None, video=seen)
    catalogue.save()
    minutes = sum(video.duration_s for video in known) / 60
    return f"{len(known)} registered videos of {minutes:.1f} min and {n} distractors: {catalogue.hours()[1]:.1f} h"


def heated(catalogue: Catalogue, into: Catalogue) -> None:
    """Register the same once more, the videos as hot."""
    for reference_id in sorted(catalogue.reference_ids):
        prints = catalogue.prints(reference_id)
        into.add(reference_id, prints.audio, prints.video, hot=SEPARATOR not in reference_id)
    into.save()


def picture_at(reference_id: str, time_s: float, among: Sequence[Video]) -> NDArray[np.uint8]:
    """Return the grey picture that a reference, video or distractor, has at a time."""
    name, _, view = reference_id.partition(SEPARATOR)
    seen = frames(next(video for video in among if video.name == name))
    if view:
        turn, part = view.split(", ")
        seen = turned(seen, turn, part)
    return np.ascontiguousarray(seen[min(len(seen) - 1, round(time_s * FRAMES_PER_S))])
