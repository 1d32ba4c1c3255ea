"""What `sordino works follow` does: a live feed becomes references of a work while it runs, segment by segment."""

import errno
import fcntl
import hashlib
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from sordino.fingerprints.catalogue import CatalogueError
from sordino.monitor.feed import BeforeTheFeed, FeedSegment, at_s
from sordino.monitor.growing import grow
from sordino.monitor.home import CHUNK_BYTES, Home, forget_media, keep_media
from sordino.monitor.store.errors import StoreError
from sordino.monitor.works import Reference, Work
from sordino.pipelines.failures import Busy, Poison
from sordino.pipelines.fetch import FetchLimits, local_media
from sordino.pipelines.media import MediaError
from sordino.pipelines.messages import Segment
from sordino.pipelines.prefixes import parse_prefixes
from sordino.pipelines.printing import Printed, prints_of
from sordino.pipelines.sources import FolderSource, sidecar

POLL_S = 0.25  # the feed is to be ahead of its copies
REWRITTEN_NS = 60 * 10**9  # a file that changes so soon after it was taken is the same, whose writer had paused

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Appended:
    """A segment that is registered now, and its reference as long as it is so far."""

    path: Path
    reference: Reference
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that could not be registered, and why: `code` is a word, `message` one line."""

    path: Path
    code: str
    message: str


Outcome = Appended | Refused


def begun(home: Home, folder: Path, work: Work) -> str:
    """Return the id of the live work of this holder and title in this folder, which is `work` if there is none yet."""
    place = str(folder.resolve())
    there = home.store.find_feed(place, work.owners[0].holder, work.title)
    if there is None:
        home.store.begin_feed(work, place)
    return there or work.work_id


def follow(
    home: Home, folder: Path, work_id: str, tell: Callable[[Outcome], None], stop: threading.Event, *, hot: bool = True
) -> None:
    """
    Register what comes into the folder until stopped; a segment is durable and can be found when `tell` gets it.

    Raises StoreError `not_found` for a work that is not live or is withdrawn, Busy `followed` where another process
    follows it, CatalogueError, DecoderMissing and OSError.
    """
    with _only_one(home.settings.home, work_id):
        follower = Follower(home, folder, work_id, hot=hot)

        def on_bad(path: Path, poison: Poison) -> None:
            tell(Refused(follower.shown(path), poison.code, str(poison)))

        source = FolderSource(folder, follower.taken_until, on_bad, poll_s=POLL_S)
        log.info("following", folder=str(folder), work_id=work_id)
        for _, outcomes in source.answers(follower.take, stop):
            for outcome in outcomes:
                tell(outcome)


class Follower:
    """Takes the segments of one feed. Its first reference is hot or not as is said here, others as the one before."""

    def __init__(self, home: Home, folder: Path, work_id: str, *, hot: bool = True) -> None:
        self._home = home
        self._typed, self._folder = folder, folder.resolve()
        self._places = parse_prefixes([self._folder.as_uri() + "/"])
        self._feed = home.store.feed(work_id)
        self._hot = hot

    def shown(self, path: Path) -> Path:
        """Return the path of a file of the folder as its user would type it."""
        return self._typed / path.relative_to(self._folder)

    def taken_until(self, stream_id: str, sequence: int) -> float | None:
        """Return where in the feed a segment ends that was taken, unless its file is another one by now."""
        before = self._feed.segments.get(sequence)
        if before is None or before.stream_id != stream_id:
            return None
        try:
            status = (self._folder / before.path).stat()
        except OSError:  # gone, as is what is old
            return before.end_s
        return before.end_s if (status.st_size, status.st_mtime_ns) == (before.size, before.changed_ns) else None

    def take(self, segment: Segment) -> tuple[Outcome, ...]:
        """
        Register a segment, unless its very bytes were before; durable when this returns.

        Raises Poison for what can't be a segment of this feed, Busy where disk or database have to be waited for.
        """
        try:
            return self._take(segment)
        except (StoreError, CatalogueError) as error:
            if error.code == "not_saved" or (isinstance(error, StoreError) and error.transient):
                raise Busy(error.code, str(error)) from error
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Busy("disk_full", f"no room for media in {self._home.settings.home}") from error
            if error.errno == errno.ENOENT:  # deleted while it was read, as is what is old
                raise Poison("media_not_found", f"{error.filename}: no such file") from error
            raise

    def _take(self, segment: Segment) -> tuple[Outcome, ...]:
        limits = FetchLimits(max_bytes=self._home.settings.max_media_bytes)
        with local_media(segment, self._places, limits) as path:
            status = path.stat()
            taken = FeedSegment(
                segment.stream_id,
                segment.sequence,
                path.relative_to(self._folder).as_posix(),
                status.st_size,
                status.st_mtime_ns,
                at_s=0.0,
                length_s=segment.duration_s,
            )
            self._belongs(taken)
            before = self._feed.segments.get(segment.sequence)
            if before is not None and before.error is None and not self._is_another(path, taken, before):
                self._note(replace(before, path=taken.path, size=taken.size, changed_ns=taken.changed_ns))
                return ()
            return (self._registered(path, taken, sidecar(path).get("start_s")),)

    def _registered(self, path: Path, taken: FeedSegment, declared_s: float | None) -> Outcome:
        sha256 = keep_media(self._home.settings.home, path)
        kept = self._home.settings.home / "media" / sha256  # what is decoded is what is kept, whoever writes meanwhile
        catalogue = self._home.catalogue
        try:
            printed = prints_of(kept, catalogue.audio_params, catalogue.video_params, self._home.segment_limits)
        except MediaError as error:
            if not self._home.store.keeps(sha256):
                forget_media(self._home.settings.home, sha256)
            return self._missed(path, taken, declared_s, error)
        return self._laid(path, replace(taken, sha256=sha256, size=kept.stat().st_size), declared_s, printed)

    def _laid(self, path: Path, taken: FeedSegment, declared_s: float | None, printed: Printed) -> Outcome:
        taken = replace(
            taken,
            at_s=at_s(self._feed, taken.sequence, declared_s, printed.clock_s),
            length_s=taken.length_s or printed.length_s,
            clock_s=printed.clock_s,
        )
        try:
            grown = grow(self._home, self._feed.work_id, str(self._folder), taken, printed.prints, hot=self._hot)
        except BeforeTheFeed as error:
            raise Poison("bad_start", f"{path.name!r} {error}") from error
        before = self._feed.segments.get(taken.sequence)
        self._feed = self._feed.with_segment(grown.segment)
        if before is not None and before.sha256 is not None and not self._home.store.keeps(before.sha256):
            forget_media(self._home.settings.home, before.sha256)
        return Appended(self.shown(path), grown.reference, printed.warnings)

    def _missed(self, path: Path, taken: FeedSegment, declared_s: float | None, error: MediaError) -> Outcome:
        """Note what can't be decoded; time goes on, by its declared length or that of the one before it."""
        usual_s = next((s.length_s for s in self._feed.before(taken.sequence)), 0.0)
        place_s = at_s(self._feed, taken.sequence, declared_s, None)
        message = f"{path.name}: {error.message}"  # not of its name in the media store
        self._note(
            replace(taken, at_s=place_s, length_s=taken.length_s or usual_s, error=f"{error.code}: {message}"[:500])
        )
        return Refused(self.shown(path), error.code, message)

    def _note(self, segment: FeedSegment) -> None:
        self._home.store.take(self._feed.work_id, segment, None)
        self._feed = self._feed.with_segment(segment)

    def _belongs(self, taken: FeedSegment) -> None:
        """Refuse what is of another stream: two pictures of one event would be two times in one."""
        streams = {segment.stream_id for segment in self._feed.segments.values()} - {taken.stream_id}
        if streams:
            (theirs,) = streams
            raise Poison("other_stream", f"{taken.path!r} is of the stream {taken.stream_id!r}, the feed is {theirs!r}")

    def _is_another(self, path: Path, taken: FeedSegment, before: FeedSegment) -> bool:
        """Tell whether there is more in a file than was taken of it; raises Poison where it is another event's."""
        if 0 <= taken.changed_ns - before.changed_ns < REWRITTEN_NS:
            return True
        if _sha256(path, before.size) != before.sha256:
            raise Poison(
                "taken_before",
                f"{before.path!r} was taken with other content as segment {before.sequence}: another event is another "
                "work, with a title of its own",
            )
        return taken.size > before.size


def _sha256(path: Path, size: int) -> str:
    """Return the SHA-256 of a file's first bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (chunk := file.read(min(size, CHUNK_BYTES))):
            digest.update(chunk)
            size -= len(chunk)
    return digest.hexdigest()


@contextmanager
def _only_one(home: Path, work_id: str) -> Iterator[None]:
    """Hold the one byte of a file that stands for this work; the system gives it back when a process dies."""
    with (home / "following.lock").open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, zlib.crc32(work_id.encode()), os.SEEK_SET)
        except OSError as error:
            raise Busy("followed", f"the work {work_id} is followed by another process already") from error
        yield
