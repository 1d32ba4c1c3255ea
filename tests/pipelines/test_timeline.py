"""Where sound and pictures stand, block by block."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.pipelines.downmix import FULL_SCALE
from sordino.pipelines.matroska import Block, MatroskaError, Track
from sordino.pipelines.timeline import GAP_S, Pcm, Pictures, Sound, samples

RATE = 1000


def lay(blocks: list[tuple[float, int]]) -> list[Pcm]:
    """Blocks of so many samples at these times; the k-th one's samples are all k + 1, at left and right."""
    sound = Sound(RATE)
    levels = [np.full((n, 2), (k + 1) / FULL_SCALE, np.float32) for k, (_, n) in enumerate(blocks)]
    chunks = [c for (at, _), level in zip(blocks, levels, strict=True) for c in sound.place(at, level)]
    return [*chunks, *sound.finish()]


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        pytest.param([(0.0, 3), (0.003, 2)], [1, 1, 1, 2, 2], id="one after the other"),
        pytest.param([(0.002, 1)], [0, 0, 1], id="late start"),
        pytest.param([(0.0, 2), (0.05, 1)], [1, 1, 2], id="jitter is no gap"),
        pytest.param([(0.0, 2), (0.2, 1)], [1, 1, *[0] * 198, 2], id="gap"),
        pytest.param([(0.0, 3), (0.001, 2)], [1, 1, 1, 2, 2], id="overlap: nothing is dropped"),
        pytest.param([(-0.5, 2)], [1, 1], id="before the start"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_blocks_are_laid_where_they_belong(blocks: list[tuple[float, int]], expected: list[int]) -> None:
    assert [int(sample) for chunk in lay(blocks) for sample in chunk.samples] == expected


@given(st.lists(st.tuples(st.floats(-5, 60), st.integers(0, 3000)), max_size=30))
def test_sound_is_continuous_and_complete(blocks: list[tuple[float, int]]) -> None:
    chunks = lay(blocks)
    at = 0
    for chunk in chunks:
        assert chunk.start_s == pytest.approx(at / RATE)
        at += len(chunk.samples)
    everything = np.concatenate([np.zeros(0, np.int16), *(chunk.samples for chunk in chunks)])
    for k, (time_s, n) in enumerate(blocks):
        where = np.flatnonzero(everything == k + 1)
        assert len(where) == n
        if n:
            assert where[0] / RATE >= time_s - GAP_S - 1 / RATE  # never earlier than its time but for jitter


def test_an_hour_of_nothing_comes_in_small_chunks() -> None:
    chunks = lay([(0.0, 1), (3600.0, 1)])
    assert max(len(chunk.samples) for chunk in chunks) <= 2 * RATE
    assert sum(len(chunk.samples) for chunk in chunks) == 3600 * RATE + 1


def test_samples_come_in_pairs() -> None:
    payload = np.array([[0.5, -0.5], [1, 0]], "<f4").tobytes()
    assert samples(Block(Track(1, "audio"), 0, payload), 2).tolist() == [[0.5, -0.5], [1, 0]]
    with pytest.raises(MatroskaError, match="12 bytes is not of 2 channels"):
        samples(Block(Track(1, "audio"), 0, payload[:12]), 2)


@pytest.mark.parametrize(
    ("times_s", "end_s"),
    [
        pytest.param([], 0.0, id="none"),
        pytest.param([2.0], 2.04, id="one"),
        pytest.param([0.0, 0.1, 0.2], 0.3, id="video"),
        pytest.param([0.0, 10.0, 20.0], 30.0, id="slides"),
        pytest.param([0.0, 0.1, 0.2, 5.0], 5.1, id="a hole"),
    ],
)
def test_pictures_end_when_the_last_has_been_shown(times_s: list[float], end_s: float) -> None:
    pictures = Pictures()
    for time_s in times_s:
        pictures.tick(time_s)
    assert pictures.end_s == pytest.approx(end_s)


def test_a_frame_has_its_tracks_size() -> None:
    track = Track(1, "video", width=4, height=2)
    frame = Pictures().frame(Block(track, 1.5, bytes(range(8))))
    assert frame.time_s == 1.5
    assert frame.luma.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(MatroskaError, match="7 bytes is not 4 x 2"):
        Pictures().frame(Block(track, 0, bytes(7)))
