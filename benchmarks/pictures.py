"""
How a change of pictures is told: what it draws, one picture at a time, and where the copied picture then lies.

`region` is what shows of the copied picture, and `place` maps its pixels to where they land, so that tests can check
the one against the other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.model import Region

Picture = NDArray[np.uint8]  # BGR
Matrix = NDArray[np.float64]  # 3 x 3: pixels of the copied picture to pixels of the copy
Size = tuple[int, int]  # width, height
Box = tuple[float, float, float, float]  # left, top, right, bottom
Draw = Callable[[Picture, int], Picture]
Parameters = Mapping[str, float | str]

WHOLE = Region(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Backdrop:
    """What stands around or over a copy: pictures of videos that are not registered."""

    name: str
    pictures: Sequence[Picture]

    def shown(self, size: Size, k: int) -> Picture:
        """Return a picture of it, of that size: cut, not squeezed."""
        return filled(self.pictures[k % len(self.pictures)], size)


@dataclass(frozen=True)
class Change:
    """
    A change of pictures of size `source` to pictures of `size`.

    `draw` makes a picture of a picture and its number. `visible`: what shows of the copied picture: left, top, right
    and bottom, in pixels of the copy.
    """

    source: Size
    size: Size
    draw: Draw
    place: Matrix
    visible: Box
    parameters: Parameters = field(default_factory=dict)
    mirrored: bool = False

    @property
    def region(self) -> Region:
        """Where in the copy the copied picture shows."""
        return _region(self.visible, self.size)

    @property
    def uncut(self) -> Region:
        """Where in the copy it would show if nothing had been cropped off it, or was over it."""
        return _region(_clipped(moved(corners(self.source), self.place), self.size), self.size)

    def then(self, other: "Change") -> "Change":
        """Return both, one after the other."""
        left, top, right, bottom = self.visible
        shows = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        return Change(
            self.source,
            other.size,
            lambda picture, k: other.draw(self.draw(picture, k), k),
            other.place @ self.place,
            _clipped(moved(shows, other.place), other.size),
            {**self.parameters, **other.parameters},
            self.mirrored != other.mirrored,
        )


Make = Callable[[Size, np.random.Generator, Sequence[Backdrop]], Change]


def moved(points: NDArray[np.float64], place: Matrix) -> NDArray[np.float64]:
    """Return where points land, float64[n, 2]."""
    lifted = np.column_stack([points, np.ones(len(points))]) @ place.T
    return np.asarray(lifted[:, :2] / lifted[:, 2:])


def corners(size: Size) -> NDArray[np.float64]:
    """Return a picture's corners, clockwise from the upper left: float64[4, 2]."""
    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def _region(box: Box, size: Size) -> Region:
    (left, top, right, bottom), (width, height) = box, size
    return Region(left / width, top / height, (right - left) / width, (bottom - top) / height)


def _clipped(points: NDArray[np.float64], size: Size) -> Box:
    low, high = np.clip(points.min(axis=0), 0, size), np.clip(points.max(axis=0), 0, size)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def placed(size: Size, out: Size, place: Matrix, draw: Draw, **parameters: float) -> Change:
    """Return a change that shows of pictures of `size` all that lands within the copy."""
    return Change(size, out, draw, place, _clipped(moved(corners(size), place), out), parameters)


def fitted(picture: Picture, size: Size) -> Picture:
    """Return a picture at another size."""
    how = cv2.INTER_AREA if picture.shape[1] > size[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def filled(picture: Picture, size: Size) -> Picture:
    """Return the middle of a picture that fills a size."""
    height, width = picture.shape[:2]
    scale = min(width / size[0], height / size[1])
    w, h = round(size[0] * scale), round(size[1] * scale)
    x, y = (width - w) // 2, (height - h) // 2
    return fitted(picture[y : y + h, x : x + w], size)


def luma(picture: Picture) -> NDArray[np.uint8]:
    """Return a picture without its colours: uint8[height, width]."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def even(n: float) -> int:
    """Return the next even number of pixels: video has its colours at half the size."""
    return max(2, 2 * round(n / 2))


def scaling(x: float, y: float, by: float, other: float | None = None) -> Matrix:
    return np.array([[by, 0, x], [0, by if other is None else other, y], [0, 0, 1]], np.float64)


def pasted(
    size: Size,
    out: Size,
    around: Callable[[Picture, Size, int], Picture],
    at: tuple[int, int] | None = None,
    scale: float = 1.0,
    **parameters: float,
) -> Change:
    """Paste the picture, scaled, over another one: in its middle or `at` some place."""
    w, h = round(size[0] * scale), round(size[1] * scale)
    x, y = at if at is not None else ((out[0] - w) // 2, (out[1] - h) // 2)

    def draw(picture: Picture, k: int) -> Picture:
        canvas = around(picture, out, k)
        canvas[y : y + h, x : x + w] = fitted(picture, (w, h))
        return canvas

    return placed(size, out, scaling(x, y, w / size[0], h / size[1]), draw, **parameters)
