from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sordino.fingerprints import hamming, video
from sordino.fingerprints.model import VideoPrint
from tests import synth

Pictures = NDArray[np.uint8]


def scenes(n: int = 12, seed: int = 1) -> Pictures:
    """Return pictures of different scenes: one every 5 s of film."""
    return synth.pictures(5.0 * n, seed)[:: 5 * synth.FPS]


def prints(frames: Pictures | list[Pictures]) -> VideoPrint:
    return video.fingerprint(np.arange(len(frames)) / 2, frames, len(frames) / 2, mirrored=True)


def own_bits(left: VideoPrint, right: VideoPrint) -> NDArray[np.int16]:
    return np.diag(hamming.distances(left.hashes, right.hashes))


@pytest.mark.parametrize(
    ("change", "at_most"),
    [
        (lambda picture: cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA), 12),
        (lambda picture: cv2.resize(picture, (1279, 719)), 12),
        (lambda picture: (255 * (picture / 255.0) ** 1.6).astype(np.uint8), 50),
        (lambda picture: (picture * 0.8 + 20).astype(np.uint8), 12),
        (lambda picture: cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 10])[1], 0), 30),
    ],
    ids=["half size", "odd size", "gamma", "less contrast", "jpeg"],
)
def test_a_changed_picture_stays_near(change: Callable[[Pictures], Pictures], at_most: int) -> None:
    frames = scenes()
    original, changed = prints(frames), prints([change(picture) for picture in frames])
    np.testing.assert_array_equal(original.times_s, changed.times_s)
    assert own_bits(original, changed).max() <= at_most


def test_other_pictures_are_far() -> None:
    left, right = prints(scenes(seed=1)), prints(scenes(seed=2))
    assert hamming.distances(left.hashes, right.hashes).min() > 80


def test_the_mirrored_hash_is_the_hash_of_the_mirror_image() -> None:
    frames = scenes()
    straight, reflected = prints(frames), prints(frames[:, :, ::-1])
    assert straight.mirrored is not None
    bits = np.diag(hamming.distances(straight.mirrored, reflected.hashes))
    assert bits.max() <= 2  # rounding may move a coefficient over the median
    assert own_bits(straight, reflected).min() > 80


def test_half_of_the_bits_are_set() -> None:
    np.testing.assert_array_equal(np.bitwise_count(prints(scenes()).hashes).sum(axis=1), 128)


def test_flat_black_and_nearly_empty_frames_are_left_out_with_their_times() -> None:
    scene = scenes(2)
    noise = np.random.default_rng(0).integers(16, 20, size=(180, 320)).astype(np.uint8)
    dull = [np.zeros((180, 320), np.uint8), np.full((180, 320), 200, np.uint8), noise, np.full((1, 1), 90, np.uint8)]
    found = prints([scene[0], *dull, scene[1]])
    assert found.times_s.tolist() == [0.0, 2.5]
    assert len(found.hashes) == 2


def test_frames_are_taken_one_by_one() -> None:
    frames = scenes(4)
    again = video.fingerprint(np.arange(600) / 2, (frames[k % 4] for k in range(600)), 300.0)
    np.testing.assert_array_equal(again.hashes[:4], again.hashes[596:])
    assert (len(again.hashes), again.mirrored) == (600, None)


def test_no_frames_give_an_empty_print() -> None:
    empty = prints([])
    assert empty.mirrored is not None
    assert (empty.times_s.shape, empty.hashes.shape, empty.mirrored.shape) == ((0,), (0, 4), (0, 4))


@pytest.mark.parametrize(
    ("times_s", "frame", "said"),
    [
        ([0.0, 0.5], np.zeros((9, 9), np.uint8), "2 frame times for 1 frames"),
        ([float("nan")], np.zeros((9, 9), np.uint8), "finite and ascending"),
        ([0.0], np.zeros((9, 9, 3), np.uint8), "a frame must be"),
        ([0.0], np.zeros((9, 0), np.uint8), "a frame must be"),
        ([0.0], np.zeros((9, 9), np.uint16), "a frame must be"),
    ],
    ids=["number", "not a number", "colour", "no pixels", "16 bits"],
)
def test_what_does_not_fit_is_refused(times_s: list[float], frame: Pictures, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        video.fingerprint(np.array(times_s), [frame], 1.0)


def test_times_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="ascending"):
        video.fingerprint(np.array([1.0, 0.5]), scenes(2), 1.0)
