"""Contact sheets: pictures of queries with the planted and the found region, beside the reference's picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.pictures import Picture, even, fitted
from sordino.fingerprints.model import Region

TILE = (300, 200)  # room for a picture
LINE = 16  # pixels of a line of text
COLUMNS = 3
PLANTED, TOLD, MISSED, WRONG = (0, 200, 0), (0, 160, 255), (60, 60, 230), (230, 60, 200)  # BGR
LEGEND = (
    "contact sheets: a query's picture, the planted region in it green and the found one orange, beside the "
    "reference's; red text: missed; violet: another work"
)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Pair:
    """A picture of a query, what lies where in it, the reference's picture, and what to say of them."""

    query: Picture
    planted: Region | None
    told: Region | None
    reference: NDArray[np.uint8] | None
    text: Sequence[str]
    colour: Colour = (255, 255, 255)


def write(path: Path, pairs: Sequence[Pair]) -> None:
    """Write a sheet, a pair beside the other."""
    if not pairs:
        return
    tiles = [_tile(pair) for pair in pairs]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows))


def _tile(pair: Pair) -> Picture:
    query = pair.query.copy()
    for region, colour in ((pair.planted, PLANTED), (pair.told, TOLD)):
        if region:
            _frame(query, region, colour)
    width, height = TILE
    tile = np.zeros((height + 2 * LINE + 6, 2 * width, 3), np.uint8)
    _show(tile[:height, :width], query)
    if pair.reference is not None:
        _show(tile[:height, width:], np.repeat(pair.reference[:, :, None], 3, axis=2))
    for k, line in enumerate(pair.text[:2]):
        at = (4, height + LINE * (k + 1) - 2)
        cv2.putText(tile, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, pair.colour, 1, cv2.LINE_AA)
    return tile


def _frame(picture: Picture, region: Region, colour: Colour) -> None:
    height, width = picture.shape[:2]
    thick = max(2, max(width, height) // 150)
    a = (round(region.x * width), round(region.y * height))
    b = (round((region.x + region.w) * width) - 1, round((region.y + region.h) * height) - 1)
    cv2.rectangle(picture, a, b, colour, thick)


def _show(room: Picture, picture: Picture) -> None:
    """Fit a picture into the middle of a room."""
    scale = min(room.shape[1] / picture.shape[1], room.shape[0] / picture.shape[0])
    w, h = (min(n, even(side * scale)) for side, n in zip(picture.shape[1::-1], room.shape[1::-1], strict=True))
    x, y = (room.shape[1] - w) // 2, (room.shape[0] - h) // 2
    room[y : y + h, x : x + w] = fitted(picture, (w, h))


def frame_at(path: Path, number: int) -> Picture:
    """Return a file's picture of a number, or its last one."""
    reader = cv2.VideoCapture(str(path))
    last = np.zeros((2, 2, 3), np.uint8)
    for _ in range(number + 1):
        there, picture = reader.read()
        if not there:
            break
        last = np.asarray(picture, np.uint8)
    reader.release()
    return last


def named(text: str) -> str:
    """Return a file's name for a row."""
    return "".join(letter if letter.isalnum() else "-" for letter in text).strip("-") + ".png"
