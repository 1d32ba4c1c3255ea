"""Pictures to landmarks: what a copy keeps of them, and what a print says."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sordino.fingerprints import video
from sordino.fingerprints.model import VideoPrint
from tests import synth

Pictures = NDArray[np.uint8]
Change = Callable[[Pictures], Pictures]


def scenes(n: int = 6, seed: int = 1) -> Pictures:
    """Return pictures of different scenes: one every 5 s of film."""
    return synth.pictures(5.0 * n, seed, width=640, height=360)[:: 5 * synth.FPS]


def printed(frames: Pictures | list[Pictures]) -> VideoPrint:
    return video.reference_print(np.arange(len(frames)) / 2, frames, len(frames) / 2)


def asked(frames: Pictures | list[Pictures]) -> VideoPrint:
    return video.query_print(np.arange(len(frames)) / 2, frames, len(frames) / 2).landmarks


def kept(original: VideoPrint, changed: VideoPrint, mask: int = 0) -> list[float]:
    """Return for each frame the share of its landmarks that are where they were in the changed one, and look alike."""
    shares = []
    for k in range(len(original.times_s)):
        here, there = (slice(int(p.starts[k]), int(p.starts[k + 1])) for p in (original, changed))
        places = changed.places[there, :2] * [-1, 1] + [1, 0] if mask else changed.places[there, :2]
        near = np.abs(original.places[here, None, :2] - places).max(axis=2) < 0.015
        alike = np.bitwise_count((original.words[here] ^ np.uint64(mask))[:, None] ^ changed.words[there]) <= 14
        shares.append(float((near & alike).any(axis=1).mean()))
    return shares


@pytest.mark.parametrize(
    ("change", "at_least"),
    [
        (lambda picture: cv2.resize(picture, (480, 270), interpolation=cv2.INTER_AREA), 0.5),
        (lambda picture: cv2.resize(picture, (1279, 719)), 0.5),
        (lambda picture: (255 * (picture / 255.0) ** 1.6).astype(np.uint8), 0.5),
        (lambda picture: (picture * 0.8 + 20).astype(np.uint8), 0.5),
        (lambda picture: cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], 0), 0.4),
    ],
    ids=["smaller", "odd size", "gamma", "less contrast", "jpeg"],
)
def test_a_changed_picture_keeps_its_landmarks(change: Change, at_least: float) -> None:
    frames = scenes()
    assert np.median(kept(printed(frames), asked([change(picture) for picture in frames]))) >= at_least


def test_other_pictures_have_others() -> None:
    assert max(kept(printed(scenes(seed=1)), asked(scenes(seed=2)))) < 0.05


def test_the_mirrored_word_is_the_word_of_the_mirror_image() -> None:
    frames = scenes()
    straight, reflected = asked(frames), asked(frames[:, :, ::-1].copy())
    assert np.median(kept(straight, reflected, int(video.MIRRORED))) > 0.8
    assert max(kept(straight, reflected)) < 0.1


def test_bits_are_set_as_often_as_not_and_know_nothing_of_each_other() -> None:
    words = printed(scenes(12)).words
    bits = (words[:, None] >> np.arange(video.N_BITS, dtype=np.uint64)) & np.uint64(1)
    assert np.all(np.abs(bits.mean(axis=0) - 0.5) < 0.2)
    apart = np.corrcoef(bits.T.astype(float))[np.triu_indices(video.N_BITS, 1)]
    assert np.mean(np.abs(apart)) < 0.1


def test_landmarks_are_spread_over_the_picture() -> None:
    busy = np.random.default_rng(0).integers(0, 255, (360, 640)).astype(np.uint8)
    frame = scenes(1)[0].copy()
    frame[:, :160] = busy[:, :160]  # a quarter is far busier than the rest
    found = asked([frame])
    assert np.mean(found.places[:, 0] < 0.25) < 0.7  # of the corners, nearly all are there


def test_flat_and_black_pictures_have_no_landmarks() -> None:
    noise = np.random.default_rng(0).integers(16, 20, size=(180, 320)).astype(np.uint8)
    for dull in (
        np.zeros((180, 320), np.uint8),
        np.full((180, 320), 200, np.uint8),
        noise,
        np.full((1, 1), 90, np.uint8),
    ):
        assert len(asked([dull]).words) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (33, 33), (16, 640), (2160, 3840), (1279, 719)])
def test_pictures_of_any_shape_are_described(shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    for p in (printed([frame]), asked([frame])):
        assert p.times_s.tolist() == [0.0]
        assert p.starts.tolist() == [0, len(p.words)]
        assert np.all((p.places >= 0) & (p.places <= max(1, shape[0] / shape[1])))


def test_a_picture_that_stays_is_described_once_in_ten_seconds() -> None:
    first, second = scenes(2)
    noisy = [np.clip(first + np.random.default_rng(k).integers(-2, 3, first.shape), 0, 255) for k in range(45)]
    p = printed([*(frame.astype(np.uint8) for frame in noisy), second])
    assert p.times_s.tolist() == [0.0, 10.0, 20.0, 22.5]
    assert p.until_s.tolist() == [9.5, 19.5, 22.0, 22.5]
    assert len(p.words) == p.starts[-1]


def test_something_small_that_moves_is_a_change() -> None:
    frames = []
    for k in range(6):
        frame = scenes(1)[0].copy()
        cv2.circle(frame, (60 + 90 * k, 200), 14, 255, -1)
        frames.append(frame)
    assert len(printed(frames).times_s) == 6


def test_frames_are_taken_one_by_one() -> None:
    frames = scenes(4)
    again = video.reference_print(np.arange(200) / 2, (frames[k % 4] for k in range(200)), 100.0)
    assert len(again.times_s) == 200
    np.testing.assert_array_equal(again.words[: again.starts[4]], again.words[again.starts[196] :])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_the_same_pictures_give_the_same_print(seed: int) -> None:
    frames = scenes(2, seed)
    one, other = printed(frames), printed(frames)
    np.testing.assert_array_equal(one.words, other.words)
    np.testing.assert_array_equal(one.places, other.places)


def test_no_frames_give_an_empty_print() -> None:
    empty = video.query_print(np.empty(0), [], 0.0)
    p = empty.landmarks
    assert (p.times_s.shape, p.places.shape, p.words.shape, empty.unsure.shape) == ((0,), (0, 3), (0,), (0, 4))
    assert p.starts.tolist() == [0]


@pytest.mark.parametrize(
    ("times_s", "frame", "said"),
    [
        ([0.0, 0.5], np.zeros((9, 9), np.uint8), "zip"),
        ([float("nan")], np.zeros((9, 9), np.uint8), "finite and ascending"),
        ([0.0], np.zeros((9, 9, 3), np.uint8), "a frame must be"),
        ([0.0], np.zeros((9, 0), np.uint8), "a frame must be"),
        ([0.0], np.zeros((9, 9), np.uint16), "a frame must be"),
    ],
    ids=["number", "not a number", "colour", "no pixels", "16 bits"],
)
def test_what_does_not_fit_is_refused(times_s: list[float], frame: Pictures, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        video.query_print(np.array(times_s), [frame], 1.0)


def test_times_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="ascending"):
        video.query_print(np.array([1.0, 0.5]), scenes(2), 1.0)
