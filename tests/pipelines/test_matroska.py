"""The reader against Matroska written by hand, in any pieces, and against rubbish."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.pipelines.matroska import Block, MatroskaError, Reader


def element(identity: str, payload: bytes, width: int = 4) -> bytes:
    size = len(payload) | 1 << 7 * width
    return bytes.fromhex(identity) + size.to_bytes(width, "big") + payload


def unsized(identity: str, payload: bytes) -> bytes:
    return bytes.fromhex(identity) + b"\x01" + b"\xff" * 7 + payload


def track(number: int, kind: int, width: int = 0, height: int = 0) -> bytes:
    size = element("b0", width.to_bytes(2, "big")) + element("ba", height.to_bytes(2, "big"))
    return element("ae", element("d7", bytes([number]), 1) + element("83", bytes([kind]), 1) + element("e0", size))


def block(number: int, ticks: int, payload: bytes, flags: int = 0) -> bytes:
    return bytes([number | 0x80]) + ticks.to_bytes(2, "big", signed=True) + bytes([flags]) + payload


HEAD = element("1a45dfa3", element("4282", b"matroska"))
TRACKS = element("1549a966", element("2ad7b1", (500_000).to_bytes(3, "big"))) + element(
    "1654ae6b", track(1, 2) + track(2, 1, 320, 180)
)
STREAM = HEAD + unsized(
    "18538067",
    TRACKS
    + element("ec", bytes(300))  # Void
    + element(
        "1f43b675",
        element("e7", b"\x00\x10") + element("a3", block(1, 4, b"pcm")) + element("a3", block(2, -6, b"grey")),
    )
    + unsized("1f43b675", element("e7", b"\x20\x00") + element("a0", element("a1", block(2, 0, b"more")))),
)
FOUND = [("audio", 0.010, b"pcm"), ("video", 0.005, b"grey"), ("video", 4.096, b"more")]


def read(pieces: list[bytes], reader: Reader | None = None) -> list[Block]:
    reader = reader or Reader()
    return [found for piece in pieces for found in reader.feed(piece)]


def test_blocks_come_with_their_tracks_and_times() -> None:
    blocks = read([STREAM])
    assert [(b.track.kind, round(b.time_s, 9), b.payload) for b in blocks] == FOUND
    assert (blocks[1].track.width, blocks[1].track.height) == (320, 180)


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_pieces_make_no_difference(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(STREAM)]
    assert read([STREAM[a:b] for a, b in pairwise(ends)]) == read([STREAM])


@given(st.integers(0, len(STREAM)))
def test_a_stream_that_breaks_off_gives_what_was_complete(end: int) -> None:
    whole = read([STREAM])
    assert read([STREAM[:end]]) == whole[: len(read([STREAM[:end]]))]


@given(st.binary(max_size=400), st.integers(0, len(STREAM)))
def test_rubbish_is_an_error_or_nothing(rubbish: bytes, at: int) -> None:
    try:
        blocks = read([STREAM[:at] + rubbish + STREAM[at:]])
    except MatroskaError:
        return
    assert all(len(found.payload) <= 1 << 20 for found in blocks)


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        pytest.param(b"#EXTM3U\n", "does not begin", id="text"),
        pytest.param(HEAD + b"\x00", "head is broken", id="no such identity"),
        pytest.param(HEAD + unsized("18538067", element("a3", b"\x81\x00\x00\x00")), "unknown track", id="no tracks"),
        pytest.param(HEAD + element("d7", b"\x01"), "before the track", id="number without track"),
        pytest.param(HEAD + TRACKS + element("a3", block(1, 0, b"", flags=0x02)), "not asked for", id="lacing"),
        pytest.param(HEAD + TRACKS + element("a3", b"\x81"), "not asked for", id="short block"),
        pytest.param(HEAD + bytes.fromhex("a3") + b"\x10\x20\x00\x00", "larger than", id="block of 2 MiB"),
        pytest.param(HEAD + unsized("a3", b""), "larger than", id="block without a size"),
        pytest.param(HEAD + element("e7", bytes(9)), "larger than 8", id="number of nine bytes"),
    ],
)
def test_what_breaks_the_format_is_an_error(stream: bytes, says: str) -> None:
    with pytest.raises(MatroskaError, match=says):
        read([stream])


def test_memory_is_for_one_element_only() -> None:
    reader = Reader()
    read([HEAD, TRACKS], reader)
    for _ in range(1000):
        assert len(read([element("a3", block(1, 0, bytes(10_000))), element("ec", bytes(10_000))], reader)) == 1
    assert len(reader._buffer) < 20_000
