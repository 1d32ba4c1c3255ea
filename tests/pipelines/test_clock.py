"""The times of pictures, from ffmpeg's lists of packets and frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.pipelines.clock import MAX_LINE, Clock

HEAD = "#format: frame checksums\n#tb 0: 1/1000\n#media_type 0: video\n#codec_id 0: h264\n#tb 1: 1/48000\n"


def packets(*times_ms: int, keys: tuple[int, ...] = (0,)) -> str:
    flags = {False: ", F=0x0", True: ""}
    return "".join(
        f"0, {n - 10**12}, {at:10}, 40, 500, 0x0badcafe{flags[at in keys]}\n" for n, at in enumerate(times_ms)
    )


def frames(*times_ms: int) -> str:
    return "".join(f"frame:{n:<4} pts:{1000 * at:<7} pts_time:{at / 1000:g}\nt=1\n" for n, at in enumerate(times_ms))


def clock(text: str) -> Clock:
    result = Clock(100)
    result.feed((HEAD + text).encode())
    return result


@pytest.mark.parametrize(
    ("text", "end_s"),
    [
        pytest.param("", 0.0, id="none"),
        pytest.param(packets(2000), 2.04, id="one"),
        pytest.param(packets(0, 120, 40, 80), 0.16, id="in the order of decoding"),
        pytest.param(packets(0, 40, 80, 5000), 5.04, id="a hole"),
        pytest.param(packets(0, 40, 99_999_999, 80), 0.12, id="a time out of bounds"),
        pytest.param(packets(0, 40) + "0, 1, 80, 40, 500, 0x00000000, F=0x5\n", 0.08, id="not to be shown"),
        pytest.param(packets(0, 40) + "1, 1, 480000, 1024, 500, 0x00000000\n", 0.08, id="sound"),
        pytest.param(packets(0, 40, -(2**63)), 0.08, id="no time"),
    ],
)
def test_pictures_end(text: str, end_s: float) -> None:
    assert clock(text).end_s == pytest.approx(end_s)


def test_a_clock_that_goes_back_is_followed() -> None:
    times = clock(packets(5000, 5040, 5080, 1000, 1040, 1080, keys=(5000, 1000)) + frames(5000, 1000))
    assert times.next_frame_s() == 5.0
    assert times.next_frame_s() == pytest.approx(5.08, abs=1e-4)
    assert times.next_frame_s() is None
    assert times.end_s == pytest.approx(5.2, abs=1e-3)


def test_a_clock_that_goes_back_is_followed_without_keyframes_too() -> None:
    before, after = range(5000, 7000, 40), range(1000, 3000, 40)
    assert clock(packets(*before, *after)).end_s == pytest.approx(6.96 + 1.96 + 0.04, abs=1e-3)


def test_a_clock_that_went_back_may_catch_up() -> None:
    times = clock(packets(5000, 5040, 1000, 9000, 9040, keys=(1000, 9000)) + frames(9000))
    assert times.next_frame_s() == 9.0


def test_frames_that_are_repeated_after_a_jump_are_not_confused() -> None:
    first, second = packets(1000, 2000, 3000, keys=(1000, 2000, 3000)), packets(2000, 3000, keys=(2000, 3000))
    times = clock(first + frames(1000, 2000) + second + frames(3000, 2000, 3000))
    assert [times.next_frame_s() for _ in range(5)] == pytest.approx([1, 2, 3, 3, 4], abs=1e-3)


def test_a_frame_at_a_time_of_its_own_keeps_it() -> None:
    assert clock(packets(0, 40) + frames(33)).next_frame_s() == pytest.approx(0.033)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_whatever_comes_is_no_trouble(one: bytes, two: bytes) -> None:
    times = clock("")
    times.feed(one)
    times.feed(two)
    assert times.end_s >= 0
    assert times.received == len(HEAD) + len(one) + len(two)


def test_an_endless_line_is_not_kept() -> None:
    times = Clock(1)
    for _ in range(100):
        times.feed(b"x" * 1000)
    assert len(times._rest) <= MAX_LINE


@given(st.integers(1, 60))
def test_lines_may_come_in_pieces(size: int) -> None:
    content = (HEAD + packets(0, 120, 40, 80) + frames(0)).encode()
    times = Clock(100)
    for at in range(0, len(content), size):
        times.feed(content[at : at + size])
    assert times.end_s == pytest.approx(0.16)
    assert times.next_frame_s() == 0.0
