"""Getting a segment's media to a local file, from nowhere but the configured places."""

import errno
import stat
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPMessage, InvalidURL
from pathlib import Path
from typing import IO, Any

import fsspec

from sordino.pipelines.failures import Busy
from sordino.pipelines.messages import Segment
from sordino.pipelines.prefixes import FetchError, Place, allowed, allowed_file
from sordino.pipelines.wire import InvalidMessage, one_line

CHUNK_BYTES = 1 << 18
REDIRECTS = 5
GONE = (404, 410)
PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What fetching one segment may take."""

    max_bytes: int = 4 << 30
    timeout_s: float = 60.0  # for the whole of it
    stall_s: float = 15.0  # without a byte
    patience_s: float = 900.0  # how long storage that fails is tried again, see Busy


@contextmanager
def local_media(segment: Segment, prefixes: Sequence[Place], limits: FetchLimits | None = None) -> Iterator[Path]:
    """
    Yield a local file with the segment's media; a copy is deleted afterwards, a `file` URI's is used in place.

    `prefixes` are those of `parse_prefixes`. Raises InvalidMessage where the segment has no media, FetchError where
    it can never be had, and Busy where storage is away or the disk is full.
    """
    limits = limits or FetchLimits()
    if segment.media is None:
        raise InvalidMessage("missing_field", "field 'media' is missing")
    if segment.media.uri is None:
        with _copy(limits) as (path, write):
            write(segment.media.inline_bytes() or b"")
            yield path
        return
    uri = segment.media.uri
    place = allowed(uri, prefixes)
    if place.scheme == "file":
        yield _regular(allowed_file(place, uri, prefixes), uri, limits)
        return
    with _copy(limits) as (path, write):
        with _naming(uri, limits):
            _read(uri, place, prefixes, limits, write)
        yield path


def _regular(path: Path, uri: str, limits: FetchLimits) -> Path:
    named = one_line(uri, 200)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise FetchError("media_not_found", f"media.uri {named!r}: no such file") from None
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG):
            raise FetchError("fetch_failed", f"media.uri {named!r}: {error.strerror}") from None
        raise Busy("storage_away", f"media.uri {named!r}: {error.strerror}", limits.patience_s) from error
    if not stat.S_ISREG(status.st_mode):
        raise FetchError("fetch_failed", f"media.uri {named!r}: is no regular file")
    if status.st_size > limits.max_bytes:
        raise _too_large(limits)
    return path


@contextmanager
def _copy(limits: FetchLimits) -> Iterator[tuple[Path, Callable[[bytes], None]]]:
    """Yield a temporary file and what appends to it, within the limit of bytes."""
    # No suffix: what a file is called must not decide how it is read.
    with tempfile.NamedTemporaryFile(prefix="sordino-") as file:
        size = 0

        def write(chunk: bytes) -> None:
            nonlocal size
            size += len(chunk)
            if size > limits.max_bytes:
                raise _too_large(limits)
            try:
                file.write(chunk)
                file.flush()
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise Busy("disk_full", f"no room for media in {tempfile.gettempdir()}") from error

        yield Path(file.name), write


def _read(
    uri: str, place: Place, prefixes: Sequence[Place], limits: FetchLimits, write: Callable[[bytes], None]
) -> None:
    until = time.monotonic() + limits.timeout_s
    with _opened(uri, place, prefixes, limits) as stream:
        expected = _length(stream)
        if expected is not None and expected > limits.max_bytes:
            raise _too_large(limits)
        received = 0
        take = getattr(stream, "read1", stream.read)  # read1 returns what is there, so that the clock is looked at
        while chunk := take(CHUNK_BYTES):
            received += len(chunk)
            write(chunk)
            if time.monotonic() > until:
                raise TimeoutError(f"not complete after {limits.timeout_s:g} s")
    if expected is not None and received < expected:
        raise ConnectionError(f"cut short at {received} of {expected} bytes")


def _opened(uri: str, place: Place, prefixes: Sequence[Place], limits: FetchLimits) -> Any:
    if place.scheme in ("http", "https"):
        return _opener(prefixes).open(uri, timeout=min(limits.stall_s, limits.timeout_s))
    return fsspec.filesystem(place.scheme).open(place.scheme + uri[len(place.scheme) :], "rb")


def _length(stream: Any) -> int | None:
    headers: HTTPMessage | None = getattr(stream, "headers", None)
    text = headers.get("Content-Length", "") if headers else ""
    return int(text) if text.isascii() and text.isdigit() else None


def _opener(prefixes: Sequence[Place]) -> urllib.request.OpenerDirector:
    # Handlers by name: build_opener would add those for file, ftp and data addresses.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _AllowedRedirects(prefixes),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "sordino"), ("Accept-Encoding", "identity")]
    return opener


class _AllowedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where the address might have pointed in the first place."""

    max_redirections = REDIRECTS
    max_repeats = 2

    def __init__(self, prefixes: Sequence[Place]) -> None:
        self._prefixes = prefixes

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Check the new address as the first was."""
        if allowed(newurl, self._prefixes).scheme not in ("http", "https"):
            raise FetchError("uri_not_allowed", f"redirected to {one_line(newurl, 200)!r}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _naming(uri: str, limits: FetchLimits) -> Iterator[None]:
    """Sort what storage may raise into what passes and what stays, and name the address."""
    named = f"media.uri {one_line(uri, 200)!r}"
    try:
        yield
    except (FetchError, Busy):
        raise
    except urllib.error.HTTPError as error:
        with error:
            raise _answered(error.code, named, limits) from None
    except FileNotFoundError:
        raise FetchError("media_not_found", f"{named}: no such file") from None
    except (PermissionError, UnicodeError, InvalidURL) as error:
        raise FetchError("fetch_failed", f"{named}: {one_line(str(error), 200)}") from None
    except Exception as error:  # besides OSError and HTTPException, fsspec's backends raise types of their own
        raise Busy("storage_away", f"{named}: {one_line(str(error) or repr(error), 200)}", limits.patience_s) from error


def _answered(status: int, named: str, limits: FetchLimits) -> FetchError | Busy:
    if status in PASSING:
        return Busy("storage_away", f"{named}: the server answers {status}", limits.patience_s)
    code = "media_not_found" if status in GONE else "fetch_failed"
    return FetchError(code, f"{named}: the server answers {status}")


def _too_large(limits: FetchLimits) -> FetchError:
    return FetchError("media_too_large", f"the media has over {limits.max_bytes} bytes")
