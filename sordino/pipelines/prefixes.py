"""Which places media may come from: an address is judged as its server would read it, and refused where in doubt."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import fsspec

from sordino.pipelines.failures import Poison
from sordino.pipelines.wire import one_line

DEFAULT_PORTS = {"http": 80, "https": 443}
_UNFIT = re.compile(r"[\x00-\x20\x7f\\]")  # clients and servers differ in what they make of these
_AMBIGUOUS = re.compile(r"%(00|25|2f|5c)", re.IGNORECASE)  # and a second decoder of these


class FetchError(Poison):
    """The media can't be had, and never will: `uri_not_allowed media_not_found media_too_large fetch_failed`."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address taken apart: `path` is decoded and begins with a slash, except where there is none."""

    scheme: str
    host: str
    port: int | None
    path: str

    def holds(self, other: "Place") -> bool:
        """Tell whether the other is this or lies in it; a name that only begins alike does not."""
        server = (self.scheme, self.host, self.port)
        if server != (other.scheme, other.host, other.port):
            return False
        folder = self.path.rstrip("/")
        return other.path == folder or other.path.startswith(folder + "/")


def parse_prefixes(prefixes: Iterable[str]) -> tuple[Place, ...]:
    """
    Read the configured prefixes, as `file:///srv/media/`, `https://cdn.example/live/`, `s3://bucket/`.

    Raises ValueError for what can't be one, or needs a package of fsspec's that is not installed.
    """
    places = tuple(_place(prefix) for prefix in prefixes)
    for prefix, place in zip(prefixes, places, strict=True):
        if place.scheme not in ("file", *DEFAULT_PORTS):
            try:
                fsspec.get_filesystem_class(place.scheme)
            except ImportError as error:
                raise ValueError(f"media prefix {prefix!r}: {error}") from None
    return places


def allowed(uri: str, prefixes: Iterable[Place]) -> Place:
    """Return the address taken apart; raises FetchError `uri_not_allowed` where no prefix holds it."""
    try:
        place = _place(uri)
    except ValueError as error:
        raise FetchError("uri_not_allowed", str(error)) from None
    if not any(prefix.holds(place) for prefix in prefixes):
        raise FetchError("uri_not_allowed", f"media.uri {one_line(uri, 200)!r} is in none of the allowed prefixes")
    return place


def allowed_file(place: Place, uri: str, prefixes: Iterable[Place]) -> Path:
    """Return the file with all links followed; raises FetchError where that leads out of the prefixes."""
    real = Path(os.path.realpath(place.path))
    folders = [Path(os.path.realpath(prefix.path or "/")) for prefix in prefixes if prefix.scheme == "file"]
    if not any(real.is_relative_to(folder) for folder in folders):
        raise FetchError("uri_not_allowed", f"media.uri {one_line(uri, 200)!r} leads out of the allowed prefixes")
    return real


def _place(uri: str) -> Place:
    named = f"media.uri {one_line(uri, 200)!r}"
    if _UNFIT.search(uri):
        raise ValueError(f"{named} has a space, a control character or a backslash")
    try:
        parts = urlsplit(uri)
        host, port = (parts.hostname or "").lower().rstrip("."), parts.port
    except ValueError as error:
        raise ValueError(f"{named} is no address: {one_line(str(error), 100)}") from None
    scheme = parts.scheme.lower()
    if not scheme or "@" in parts.netloc:
        raise ValueError(f"{named} has no scheme, or a user in it")
    if scheme == "file":
        return _file(parts, host, named)
    if scheme not in DEFAULT_PORTS and "::" in uri:
        raise ValueError(f"{named} is a chain of addresses")
    path = unquote(parts.path, errors="surrogateescape")
    if _AMBIGUOUS.search(parts.path) or _climbs(path):
        raise ValueError(f"{named} has '.', '..' or an encoded slash, backslash, percent or NUL in its path")
    return Place(scheme, host, DEFAULT_PORTS.get(scheme) if port is None else port, path)


def _file(parts: SplitResult, host: str, named: str) -> Place:
    # A file is opened under the path decoded here, so nobody reads it differently afterwards.
    path = unquote(parts.path, errors="surrogateescape")
    if host not in ("", "localhost") or parts.query or parts.fragment or not path.startswith("/"):
        raise ValueError(f"{named} is no file:///PATH")
    if "\x00" in path or _climbs(path):
        raise ValueError(f"{named} has '.', '..' or NUL in its path")
    return Place("file", "", None, path)


def _climbs(path: str) -> bool:
    return any(part in (".", "..") for part in path.split("/"))
