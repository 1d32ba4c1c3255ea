"""What commands print: results on standard output, everything else on standard error; and the exit status."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

T = TypeVar("T")

DONE, WRONG_USAGE, SOME_FAILED, NOTHING_DONE = 0, 2, 3, 4

errors = Console(stderr=True, highlight=False, soft_wrap=True)


class OutputLost(Exception):  # noqa: N818 - a state of the world
    """Nobody takes what is printed: the reader of the pipe is gone, or the disk is full."""


class Output:
    """Counts what was done and what failed; `finish` turns that into the exit status."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._done = 0
        self._failed = 0

    def done(self, values: Mapping[str, Any], text: str) -> None:
        """Print one result: its values as a line of JSON, or the text."""
        self._done += 1
        self._print(values, text)

    def partly(self, values: Mapping[str, Any], text: str, code: str, message: str) -> None:
        """Print one result of which a part failed, and why; the others are done."""
        self._failed += 1
        self.done({**values, "error": {"code": code, "message": one_line(message)}}, text)
        if not self.as_json:
            _complain("failed", message)

    def failed(self, values: Mapping[str, Any], code: str, message: str) -> None:
        """Print one input that failed, and why."""
        self._failed += 1
        error = {"code": code, "message": one_line(message)}
        if self.as_json:
            self._print({**values, "error": error}, "")
        else:
            _complain("failed", message)

    def none(self, text: str) -> None:
        """Say on standard error that there is nothing, where nothing was printed."""
        if not self._done:
            errors.print(text)

    def finish(self) -> None:
        """Leave with the status that the contract gives to what happened."""
        if self._failed:
            raise typer.Exit(SOME_FAILED if self._done else NOTHING_DONE)

    def _print(self, values: Mapping[str, Any], text: str) -> None:
        try:
            sys.stdout.write((json.dumps(values, ensure_ascii=False, default=str) if self.as_json else text) + "\n")
            sys.stdout.flush()
        except OSError as error:  # a type of its own, or it would be taken for a fault of the input at hand
            raise OutputLost(f"standard output: {error.strerror}") from error


def one_line(text: str) -> str:
    r"""
    Return the text as one printable line, so that a file's name can't forge output.

    >>> one_line("a\nb")
    'a b'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _complain(word: str, message: str) -> None:
    errors.print(Text.assemble((word, "red"), " ", one_line(message)))  # no markup: the message may hold a file's name


def fail(message: str) -> typer.Exit:
    """Print why nothing could be done; raise what it returns."""
    _complain("sordino:", message)
    return typer.Exit(NOTHING_DONE)


def take_any_text() -> None:
    r"""
    Let standard output take any text, in UTF-8 as JSON is.

    A file's name may hold bytes that are none; they are printed as JSON and Python escape them, `\udcff`.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def give_up_output() -> None:
    """Have what is still buffered go nowhere, or Python would complain about it at the very end."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show progress on standard error, where that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        yield progress


@contextmanager
def share_done(what: str) -> Iterator[Callable[[float], None]]:
    """Give what is to be told the share that is done, up to 1, and show it."""
    with progress_bar() as progress:
        task = progress.add_task(what, total=100)
        yield lambda share: progress.update(task, completed=round(100 * share))


def tracked(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield the items under a progress bar."""
    with progress_bar() as progress:
        task = progress.add_task(what, total=total)
        for item in items:
            yield item
            progress.advance(task)


def log_to_stderr() -> None:
    """Send the log where it can't mix with output."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
