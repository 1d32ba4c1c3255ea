"""Where segments come from, besides Kafka: a folder being filled."""

import bisect
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog

from sordino.pipelines.failures import Busy, Poison
from sordino.pipelines.messages import Segment
from sordino.pipelines.wire import InvalidMessage, one_line, parse_object, validate_segment

log = structlog.get_logger()

MEDIA = frozenset({
    ".3gp", ".aac", ".avi", ".flac", ".flv", ".m2ts", ".m4a", ".m4v", ".mka", ".mkv", ".mov", ".mp3", ".mp4", ".mpg",
    ".mts", ".oga", ".ogg", ".ogv", ".opus", ".ts", ".wav", ".webm",
})  # fmt: skip
NUMBERED = re.compile(r"(.+)[_.-]([0-9]{1,18})")  # live_0012.mp4
HLS = re.compile(r"(.*?)([0-9]{1,18})")  # live12.ts, 12.ts
SIDECAR_BYTES = 1 << 20
SETTLE_S = 1.0  # a file that has not changed for so long is complete
POLL_S = 1.0
BACKOFF_S = (0.5, 30.0)

A = TypeVar("A")
OnBad = Callable[[Path, Poison], None]
EndedAt = Callable[[str, int], float | None]  # stream time at which an answered segment ends; None: not answered


@dataclass(frozen=True, slots=True, order=True)
class MediaFile:
    """A complete file, and which segment of which stream it is."""

    stream_id: str
    sequence: int
    path: Path


@dataclass(slots=True)
class _Sight:
    state: tuple[int, int]  # size, time of change
    since_s: float
    taken: bool = False


class FolderSource:
    """
    The segments of a folder that others write into, in order, each when its file is complete.

    A file is complete when neither size nor time of change moved for a second; names that begin with a dot, links and
    what has no media file's suffix are never taken. A numbered file (`live_12.mp4`, `live-12.mp4`, `live.12.mp4`,
    `live12.ts`, and any that ends in digits in a sub-folder) is segment 12 of the stream `live` (of the stream named
    as the sub-folder); any other is a stream of its own, with one segment. `NAME.json` beside `NAME.mp4`, written
    before it, may give any field of a Segment but `media`.

    `ended_at(stream_id, sequence)` tells where an answered segment ends, so that it is not taken again and the next
    one begins there; the store is asked, so nothing is forgotten when the process ends. A file that can't be a
    segment is reported to `on_bad` and left alone until it changes.
    """

    def __init__(self, folder: Path, ended_at: EndedAt, on_bad: OnBad | None = None, *, poll_s: float = POLL_S) -> None:
        self._folder = folder.resolve()
        self._poll_s = poll_s
        self._ended_at = ended_at
        self._on_bad = on_bad or _log_bad
        self._sights: dict[Path, _Sight] = {}
        self._owners: dict[tuple[str, int], Path] = {}
        self._sequences: dict[str, list[int]] = {}  # of each stream, ascending

    def answers(self, handle: Callable[[Segment], A], stop: threading.Event) -> Iterator[tuple[Segment, A]]:
        """Answer segments until stopped; Busy is tried again, Poison reported to `on_bad`."""
        for segment, path in self._segments(stop):
            try:
                answer = _patiently(handle, segment, stop)
            except Poison as poison:
                self._on_bad(path, poison)
                continue
            if answer is None:
                return
            yield segment, answer

    def segments(self, stop: threading.Event) -> Iterator[Segment]:
        """Yield segments until stopped; each should have been answered before the next is asked for."""
        for segment, _ in self._segments(stop):
            yield segment

    def complete(self, now_s: float) -> list[MediaFile]:
        """Look at the folder; return the files that are complete by now and not yet taken, in the order of streams."""
        sights: dict[Path, _Sight] = {}
        for path, state in _media_files(self._folder):
            before = self._sights.get(path)
            sights[path] = before if before and before.state == state else _Sight(state, now_s)
        self._sights = sights
        ready = (path for path, sight in sights.items() if not sight.taken and now_s - sight.since_s >= SETTLE_S)
        return sorted(_named(path, self._folder) for path in ready)

    def _segments(self, stop: threading.Event) -> Iterator[tuple[Segment, Path]]:
        while not stop.is_set():
            for file in self.complete(time.monotonic()):
                segment = self._take(file)
                if segment is not None:
                    yield segment, file.path
                if stop.is_set():
                    return
            stop.wait(self._poll_s)

    def _take(self, file: MediaFile) -> Segment | None:
        self._sights[file.path].taken = True
        try:
            given = sidecar(file.path)
            fields = {
                "stream_id": file.stream_id,
                "sequence": file.sequence,
                "start_s": 0.0,
                "duration_s": 0.0,
                **given,
            }
            segment = validate_segment({**fields, "media": {"uri": file.path.as_uri()}})
            self._own(segment, file.path)
        except Poison as poison:
            self._on_bad(file.path, poison)
            return None
        if self._ended_at(segment.stream_id, segment.sequence) is not None:
            return None
        if "start_s" in given:
            return segment
        return segment.model_copy(update={"start_s": self._start_s(segment.stream_id, segment.sequence)})

    def _own(self, segment: Segment, path: Path) -> None:
        identity = (segment.stream_id, segment.sequence)
        owner = self._owners.get(identity)
        if owner is None:
            self._owners[identity] = path
            bisect.insort(self._sequences.setdefault(segment.stream_id, []), segment.sequence)
        elif owner != path:
            raise Poison("duplicate_segment", f"is segment {identity[1]} of {identity[0]!r}, as is {owner.name!r}")

    def _start_s(self, stream_id: str, sequence: int) -> float:
        """Return the end of the nearest answered segment before this one."""
        known = self._sequences[stream_id]
        earlier = reversed(known[: bisect.bisect_left(known, sequence)])
        for before in (sequence - 1, *earlier):
            end_s = self._ended_at(stream_id, before) if before >= 0 else None
            if end_s is not None:
                return end_s
        return 0.0


def _media_files(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield media files with their size and time of change."""
    for parent, folders, names in os.walk(folder):  # does not follow links
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if name.startswith(".") or path.suffix.lower() not in MEDIA:  # nor .part, nor .tmp
                continue
            try:
                status = path.lstat()
            except OSError:  # gone meanwhile, or to be seen at the next look
                continue
            if stat.S_ISREG(status.st_mode):
                yield path, (status.st_size, status.st_mtime_ns)


def _named(path: Path, folder: Path) -> MediaFile:
    parent = path.parent.relative_to(folder).as_posix()
    if parent != ".":
        match = HLS.fullmatch(path.stem)
        return MediaFile(parent, int(match[2]), path) if match else MediaFile(f"{parent}/{path.name}", 0, path)
    match = NUMBERED.fullmatch(path.stem)
    if match is None and path.suffix.lower() == ".ts":
        match = HLS.fullmatch(path.stem)
    return MediaFile(match[1] or folder.name, int(match[2]), path) if match else MediaFile(path.name, 0, path)


def sidecar(path: Path) -> dict[str, Any]:
    """Return the fields that `NAME.json` beside a media file declares, none where it is not there; InvalidMessage."""
    beside = path.with_suffix(".json")
    try:
        with beside.open("rb") as file:
            fields = parse_object(file.read(SIDECAR_BYTES + 1)[:SIDECAR_BYTES])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidMessage("bad_sidecar", f"{beside.name!r}: {error.strerror}") from None
    except InvalidMessage as error:
        raise InvalidMessage(error.code, f"{beside.name!r}: {error}") from None
    if "media" in fields:
        raise InvalidMessage("unknown_field", f"{beside.name!r}: field 'media' has no place beside the media")
    return fields


def _patiently(handle: Callable[[Segment], A], segment: Segment, stop: threading.Event) -> A | None:
    """Return the answer, or None when stopped while something was busy."""
    started = time.monotonic()
    pause_s = BACKOFF_S[0]
    while True:
        try:
            return handle(segment)
        except Busy as busy:
            if busy.patience_s is not None and time.monotonic() - started >= busy.patience_s:
                raise Poison(busy.code, str(busy)) from busy
            log.warning(
                "busy", stream_id=segment.stream_id, sequence=segment.sequence, code=busy.code, reason=str(busy)
            )
        if stop.wait(pause_s):
            return None
        pause_s = min(2 * pause_s, BACKOFF_S[1])


def _log_bad(path: Path, poison: Poison) -> None:
    log.warning("bad file", path=str(path), code=poison.code, reason=one_line(str(poison)))
