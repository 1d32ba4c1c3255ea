"""What the commands have in common: options, the home folder, a turn for every file."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sordino.fingerprints.catalogue import CatalogueError
from sordino.monitor import settings
from sordino.monitor.console import Output, tracked
from sordino.monitor.home import Home, opened
from sordino.monitor.registration import Ineligible
from sordino.monitor.store.errors import StoreError
from sordino.monitor.territories import expanded, packaged
from sordino.monitor.wording import parsed_clock
from sordino.monitor.works import InvalidWork, parse_territory
from sordino.pipelines.media import MediaError
from sordino.pipelines.remedies.plan import RemedyError
from sordino.pipelines.sources import MEDIA
from sordino.pipelines.wire import InvalidMessage, validate_segment

HOME_HELP = "Folder of database, catalogue and media."
HomeOption = Annotated[
    Path | None, typer.Option("--home", envvar="SORDINO_HOME", help=HOME_HELP, show_default="~/.sordino")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")]
Paths = Annotated[list[Path], typer.Argument(help="Media files, or folders of them.", metavar="PATH")]
Account = Annotated[str | None, typer.Option(help="Who publishes.")]
Territory = Annotated[str | None, typer.Option(help="Where it is shown (ISO 3166).")]
Commercial = Annotated[bool, typer.Option(help="Whether it sells something.")]

FAILURES = (MediaError, RemedyError, Ineligible, CatalogueError, StoreError, InvalidWork, OSError)


@contextmanager
def home_folder(home: Path | None, **typed: Any) -> Iterator[Home]:
    """Open the home folder, with what was typed before what is set elsewhere."""
    with opened(settings.load(home=home, **typed)) as opened_home:
        yield opened_home


@contextmanager
def usage() -> Iterator[None]:
    """Turn a value that can't be so into wrong usage."""
    try:
        yield
    except (ValueError, InvalidMessage) as error:
        raise typer.BadParameter(str(error)) from error


def situation(account: str | None, territory: str | None, commercial: bool) -> dict[str, Any]:
    """Return the fields of a segment that say who publishes it, where and what for."""
    with usage():
        where = {"account": account, "territory": territory and parse_territory(territory), "commercial": commercial}
        validate_segment({"stream_id": "any", "sequence": 0, "start_s": 0, "duration_s": 0, "ended": True, **where})
    return where


def territories(typed: Sequence[str] | None) -> tuple[str, ...]:
    """Return the codes of repeated or comma-separated options, groups written out; raises ValueError."""
    names = [name for one in typed or () for name in one.split(",")]
    codes = (sorted(expanded([name], packaged())) for name in names)
    return tuple(dict.fromkeys(code for group in codes for code in group))


def stretch(typed: str) -> tuple[float, float]:
    """
    Return a stretch of time in seconds; raises ValueError.

    >>> stretch("1:20-1:35.5")
    (80.0, 95.5)
    """
    start, dash, end = typed.partition("-")
    if not dash:
        raise ValueError(f"{typed!r} is no stretch of time: expected START-END, such as 1:20-1:35.5 or 80-95.5")
    return parsed_clock(start.strip()), parsed_clock(end.strip())


def each_file(paths: Sequence[Path], output: Output, doing: str, work: Callable[[Path], None]) -> None:
    """Give every file its turn, under a progress bar; one that fails is named, and the next one is worked on."""
    files, missing = _files(paths)
    for path in missing:
        output.failed({"path": str(path)}, "not_found", f"{path}: there is no such file, or nothing in this folder")
    for path in tracked(files, len(files), doing):
        one_file(path, output, work)


def one_file(path: Path, output: Output, work: Callable[[Path], None]) -> None:
    """Work on a file; name it where it fails."""
    try:
        work(path)
    except FAILURES as error:
        message = (error.strerror if isinstance(error, OSError) else None) or str(error)
        named = message if path.name in message else f"{path}: {message}"
        output.failed({"path": str(path)}, getattr(error, "code", "unreadable"), named)


def as_values(value: Any) -> dict[str, Any]:
    """Return a dataclass as what JSON can say."""
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in asdict(value).items()}


def _files(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files (of folders, what has a media file's suffix) and the paths at which there is nothing."""
    files: list[Path] = []
    missing: list[Path] = []
    for path in paths:
        there = _at(path)
        files += there
        missing += [] if there else [path]
    return files, missing


def _at(path: Path) -> list[Path]:
    try:
        if path.is_dir():
            inside = (p for p in path.rglob("*") if p.suffix.lower() in MEDIA and not p.name.startswith("."))
            return sorted(p for p in inside if p.is_file())
        return [path] if path.is_file() else []
    except OSError:  # a name too long, a folder that may not be looked into
        return []
