"""A folder being filled: what is complete becomes segments, in order, once."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sordino.pipelines import sources
from sordino.pipelines.consume import Answer
from sordino.pipelines.failures import Busy, Poison
from sordino.pipelines.fetch import local_media
from sordino.pipelines.messages import Segment
from sordino.pipelines.prefixes import parse_prefixes
from sordino.pipelines.sources import FolderSource
from tests.pipelines.wire_samples import recommendation

Bad = list[tuple[str, str]]


class Store:
    """What was answered; each file lasts as many seconds as it has bytes."""

    def __init__(self) -> None:
        self.ends: dict[tuple[str, int], float] = {}

    def __call__(self, segment: Segment) -> Answer:
        assert segment.media is not None
        assert segment.media.uri is not None
        folder = Path("/")
        with local_media(segment, parse_prefixes([folder.as_uri()])) as path:
            self.ends[segment.stream_id, segment.sequence] = segment.start_s + path.stat().st_size
        return Answer(recommendation(segment.stream_id, segment.sequence))

    def ended_at(self, stream_id: str, sequence: int) -> float | None:
        return self.ends.get((stream_id, sequence))


def put(folder: Path, name: str, seconds: int = 10) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * seconds)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SETTLE_S", 0.0)
    monkeypatch.setattr(sources, "POLL_S", 0.01)


def watched(
    folder: Path,
    store: Store,
    *,
    handle: Callable[[Segment], Answer] | None = None,
    until: Callable[[list[Segment], Bad], bool],
) -> tuple[list[Segment], Bad]:
    """Answer what the folder has until it is enough."""
    bad: Bad = []
    segments: list[Segment] = []
    stop = threading.Event()

    def on_bad(path: Path, poison: Poison) -> None:
        bad.append((path.name, poison.code))
        if until(segments, bad):
            stop.set()

    source = FolderSource(folder, store.ended_at, on_bad)
    for segment, _ in source.answers(handle or store, stop):
        segments.append(segment)
        if until(segments, bad):
            stop.set()
    return segments, bad


def count(number: int) -> Callable[[list[Segment], Bad], bool]:
    return lambda segments, bad: len(segments) + len(bad) >= number


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("live_12.mp4", ("live", 12)),
        ("live-0012.webm", ("live", 12)),
        ("live.7.ts", ("live", 7)),
        ("live12.ts", ("live", 12)),
        ("my_show_2_3.mkv", ("my_show_2", 3)),
        ("00042.ts", ("FOLDER", 42)),
        ("clip.mp4", ("clip.mp4", 0)),
        ("clip12.mp4", ("clip12.mp4", 0)),
        ("MOVIE.MP4", ("MOVIE.MP4", 0)),
        ("host/12.mp4", ("host", 12)),
        ("host/seg12.mp4", ("host", 12)),
        ("host/seg_12.ts", ("host", 12)),
        ("host/clip.mp4", ("host/clip.mp4", 0)),
        ("a/b/c3.flv", ("a/b", 3)),
        ("ü 1_1.ts", ("ü 1", 1)),
        ("99999999999999999999.ts", ("FOLDER/9", None)),
    ],
)
def test_names(tmp_path: Path, name: str, identity: tuple[str, int | None]) -> None:
    put(tmp_path, name)
    (segment,), bad = watched(tmp_path, Store(), until=count(1))
    if identity[1] is None:  # more digits than a sequence may have
        assert (segment.stream_id, segment.sequence) == ("99", 999999999999999999)
    else:
        assert (segment.stream_id, segment.sequence) == (identity[0].replace("FOLDER", tmp_path.name), identity[1])
    assert bad == []


def test_a_stream_s_clock_goes_on_from_segment_to_segment(tmp_path: Path) -> None:
    for number, seconds in ((10, 4), (9, 10), (8, 6), (12, 1)):
        put(tmp_path, f"live_{number}.ts", seconds)
    put(tmp_path, "other_1.ts", 3)
    segments, _ = watched(tmp_path, Store(), until=count(5))
    found = [(s.stream_id, s.sequence, s.start_s) for s in segments]
    assert found == [("live", 8, 0), ("live", 9, 6), ("live", 10, 16), ("live", 12, 20), ("other", 1, 0)]


def test_after_a_restart_it_goes_on_where_it_was(tmp_path: Path) -> None:
    store = Store()
    first = [put(tmp_path, f"live_{number}.ts", 5) for number in (1, 2)]
    watched(tmp_path, store, until=count(2))
    first[0].unlink()
    first[1].unlink()  # the writer clears up
    put(tmp_path, "live_3.ts", 5)
    (segment,), _ = watched(tmp_path, store, until=count(1))
    assert (segment.sequence, segment.start_s) == (3, 10.0)


def test_what_was_answered_is_not_taken_again(tmp_path: Path) -> None:
    store = Store()
    put(tmp_path, "live_1.ts")
    watched(tmp_path, store, until=count(1))
    put(tmp_path, "live_2.ts")
    segments, _ = watched(tmp_path, store, until=count(1))
    assert [s.sequence for s in segments] == [2]


def test_a_file_that_still_grows_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SETTLE_S", 1.0)
    path = put(tmp_path, "live_1.ts", 1)
    source = FolderSource(tmp_path, Store().ended_at)
    assert source.complete(0.0) == []
    assert source.complete(0.9) == []
    path.write_bytes(b"xx")
    assert source.complete(1.8) == []
    os.utime(path, ns=(0, 0))
    assert source.complete(2.7) == []
    assert source.complete(3.6) == []
    assert [file.path for file in source.complete(3.7)] == [path]


def test_what_is_no_media_is_left_alone(tmp_path: Path) -> None:
    for name in (".hidden.mp4", "a.mp4.part", "a.tmp", "live.m3u8", "notes.txt", ".git/a.mp4"):
        put(tmp_path, name)
    (tmp_path / "link.mp4").symlink_to("/etc/passwd")
    (tmp_path / "dir.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    put(tmp_path, "good.mp4")
    assert [file.path.name for file in FolderSource(tmp_path, Store().ended_at).complete(0.0)] == ["good.mp4"]


def test_a_sidecar_gives_the_fields(tmp_path: Path) -> None:
    put(tmp_path, "clip.mp4")
    fields = {"account": "shop-1", "territory": "DE", "commercial": True, "declared_licences": ["x"], "start_s": 7.0}
    (tmp_path / "clip.json").write_text(json.dumps(fields))
    (segment,), _ = watched(tmp_path, Store(), until=count(1))
    assert {name: getattr(segment, name) for name in fields} == fields | {"declared_licences": ("x",)}


@pytest.mark.parametrize(
    ("text", "code"),
    [("{", "not_json"), ("[]", "not_an_object"), ('{"acount": "x"}', "unknown_field"), ("\xff", "not_utf8"),
     ('{"territory": "Germany"}', "invalid_field"), ('{"media": {"uri": "file:///etc/passwd"}}', "unknown_field"),
     ('{"sequence": "1"}', "invalid_field")],
)  # fmt: skip
def test_a_bad_sidecar_is_named_and_the_next_file_taken(tmp_path: Path, text: str, code: str) -> None:
    put(tmp_path, "a.mp4")
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    put(tmp_path, "b.mp4")
    segments, bad = watched(tmp_path, Store(), until=count(2))
    assert [s.stream_id for s in segments] == ["b.mp4"]
    assert bad == [("a.mp4", code)]


def test_names_that_can_not_be_a_stream(tmp_path: Path) -> None:
    put(tmp_path, "a\nb.mp4")
    (tmp_path / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"x")
    put(tmp_path, "good.mp4")
    segments, bad = watched(tmp_path, Store(), until=count(3))
    assert [s.stream_id for s in segments] == ["good.mp4"]
    assert sorted(code for _, code in bad) == ["invalid_field", "not_json"]


def test_two_files_of_one_segment(tmp_path: Path) -> None:
    put(tmp_path, "live_1.mp4")
    put(tmp_path, "live_01.ts")
    segments, bad = watched(tmp_path, Store(), until=count(2))
    assert [s.sequence for s in segments] == [1]
    assert bad == [("live_1.mp4", "duplicate_segment")]


def test_poison_is_named_and_busy_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BACKOFF_S", (0.001, 0.01))
    store = Store()
    calls: list[str] = []

    def handle(segment: Segment) -> Answer:
        calls.append(segment.stream_id)
        if segment.stream_id == "a.mp4" and calls.count("a.mp4") < 4:
            raise Busy("database_away", "refused")
        if segment.stream_id == "b.mp4":
            raise Poison("bad", "never")
        if segment.stream_id == "c.mp4":
            raise Busy("storage_away", "503", patience_s=0.05)
        return store(segment)

    for name in "abcd":
        put(tmp_path, f"{name}.mp4")
    segments, bad = watched(tmp_path, store, handle=handle, until=count(4))
    assert [s.stream_id for s in segments] == ["a.mp4", "d.mp4"]
    assert bad == [("b.mp4", "bad"), ("c.mp4", "storage_away")]
    assert calls.count("a.mp4") == 4


def test_stop_while_something_is_busy(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4")
    stop = threading.Event()

    def handle(segment: Segment) -> Answer:
        stop.set()
        raise Busy("database_away", "refused")

    assert list(FolderSource(tmp_path, Store().ended_at).answers(handle, stop)) == []
