"""Corners: those of OpenCV's FAST, ranked by the smaller eigenvalue of their gradients, in no cell too many."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sordino.fingerprints import corners
from sordino.fingerprints.corners import CONTRAST, GRID, MARGIN, WINDOW
from tests import synth

Picture = NDArray[np.uint8]
RNG = np.random.default_rng(7)
PICTURES: dict[str, Picture] = {
    "a scene": synth.pictures(1.0, 3, width=640, height=360)[0],
    "an upright scene": np.ascontiguousarray(np.rot90(synth.pictures(1.0, 4, width=320, height=180)[0])),
    "noise": RNG.integers(0, 256, (97, 131), dtype=np.uint8),
    "faint noise": RNG.integers(100, 120, (97, 131), dtype=np.uint8),
    "blocks": np.kron(RNG.integers(0, 2, (20, 30)), np.full((7, 7), 255)).astype(np.uint8),
    "the same again and again": np.tile(RNG.integers(0, 256, (20, 20), dtype=np.uint8), (5, 7)),
    "nothing": np.full((60, 80), 90, np.uint8),
    "hardly larger than its margins": RNG.integers(0, 256, (33, 26), dtype=np.uint8),
    "smaller than its margins": RNG.integers(0, 256, (20, 90), dtype=np.uint8),
    "smaller than a circle": RNG.integers(0, 256, (5, 4), dtype=np.uint8),
}


def opencvs(picture: Picture, *, peaks: bool) -> dict[tuple[int, int], int]:
    """Return the scores of OpenCV's corners by x and y, row by row."""
    found = cv2.FastFeatureDetector.create(CONTRAST, peaks).detect(picture)
    return {(int(c.pt[0]), int(c.pt[1])): int(c.response) for c in found}


def strength(picture: Picture, x: int, y: int) -> float:
    """Return the smaller eigenvalue of the gradients about a pixel."""
    around = picture[y - WINDOW - 1 : y + WINDOW + 2, x - WINDOW - 1 : x + WINDOW + 2].astype(np.float64)
    gx, gy = (around[1:-1, 2:] - around[1:-1, :-2]).ravel(), (around[2:, 1:-1] - around[:-2, 1:-1]).ravel()
    return float(np.linalg.eigvalsh([[gx @ gx, gx @ gy], [gx @ gy, gy @ gy]])[0])


def cell_of(picture: Picture, x: int, y: int) -> int:
    height, width = len(picture), len(picture[0])
    columns, rows = GRID if width >= height else GRID[::-1]
    return y * rows // height * columns + x * columns // width


def within(picture: Picture, x: int, y: int) -> bool:
    height, width = len(picture), len(picture[0])
    return MARGIN <= x < width - MARGIN and MARGIN <= y < height - MARGIN


@pytest.mark.parametrize("name", PICTURES)
def test_scores_are_those_of_opencv(name: str) -> None:
    found, height, width = corners.scores(PICTURES[name]), *PICTURES[name].shape
    known = opencvs(PICTURES[name], peaks=True)
    assert {(x, y): found[y, x] - 1 for x, y in known} == known
    ours = {(int(x), int(y)) for y, x in np.argwhere(found > CONTRAST)}
    assert ours == set(opencvs(PICTURES[name], peaks=False))
    assert not found[:3].any()
    assert not found[:, width - 3 :].any()
    assert found.shape == (height, width)


@pytest.mark.parametrize("name", PICTURES)
def test_all_corners_are_those_of_opencv(name: str) -> None:
    picture = PICTURES[name]
    found = {(int(x), int(y)) for x, y in corners.corners(picture, picture.size, 1.0)}
    assert found == {place for place in opencvs(picture, peaks=True) if within(picture, *place)}


@pytest.mark.parametrize("crowd", [1.0, 1.5])
@pytest.mark.parametrize("n", [0, 1, 45, 400])
@pytest.mark.parametrize("name", PICTURES)
def test_the_clearest_are_taken_and_in_no_cell_too_many(name: str, n: int, crowd: float) -> None:
    picture, taken, cells = PICTURES[name], list[tuple[int, int]](), [0] * math.prod(GRID)
    known = [place for place in opencvs(picture, peaks=True) if within(picture, *place)]
    for place in sorted(known, key=lambda place: -round(strength(picture, *place), 1)):
        cell = cell_of(picture, *place)
        if len(taken) < n and cells[cell] < math.ceil(crowd * n / len(cells)):
            taken.append(place)
            cells[cell] += 1
    found = corners.corners(picture, n, crowd)
    assert found.dtype == np.float32
    clear = [strength(picture, *place) for place in taken]
    assert [strength(picture, int(x), int(y)) for x, y in found] == pytest.approx(clear, abs=1.0, rel=1e-5)
    assert len({(x, y) for x, y in found.tolist()}) == len(found)
    counts = np.bincount([cell_of(picture, int(x), int(y)) for x, y in found], minlength=1)
    assert counts.max() <= math.ceil(crowd * n / len(cells))


def test_of_corners_as_clear_the_upper_left_ones_come_first() -> None:
    picture = np.zeros((100, 160), np.uint8)
    picture[20::20, 20::20] = 255
    found = corners.corners(picture, 1000, 1.0)
    assert [tuple(at) for at in found.tolist()] == sorted(
        ((x, y) for x, y in opencvs(picture, peaks=True) if within(picture, x, y)), key=lambda at: at[::-1]
    )
    assert len(found) == 4 * 7


def test_pictures_may_be_read_only_and_pieces_of_others() -> None:
    picture = PICTURES["noise"]
    piece, frozen = picture[10:90, 7:120:2], np.ascontiguousarray(picture[10:90, 7:120:2])
    frozen.setflags(write=False)
    assert len(corners.corners(frozen, 200, 1.0)) > 50
    assert np.array_equal(corners.corners(piece, 200, 1.0), corners.corners(frozen, 200, 1.0))
