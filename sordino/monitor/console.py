"""What commands print: results on standard output, everything else on standard error; and the exit status."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

T = TypeVar("T")

DONE, WRONG_USAGE, SOME_FAILED, NOTHING_DONE = 0, 2, 3, 4

errors = Console(stderr=True, highlight=False, soft_wrap=True)


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

    def failed(self, values: Mapping[str, Any], code: str, message: str) -> None:
        """Print one input that failed, and why."""
        self._failed += 1
        error = {"code": code, "message": one_line(message)}
        if self.as_json:
            self._print({**values, "error": error}, "")
        else:
            errors.print(f"[red]failed[/red] {_plain(one_line(message))}")

    def finish(self) -> None:
        """Leave with the status that the contract gives to what happened."""
        if self._failed:
            raise typer.Exit(SOME_FAILED if self._done else NOTHING_DONE)

    def _print(self, values: Mapping[str, Any], text: str) -> None:
        sys.stdout.write((json.dumps(values, ensure_ascii=False, default=str) if self.as_json else text) + "\n")
        sys.stdout.flush()


def one_line(text: str) -> str:
    r"""
    Return the text as one printable line, so that a file's name can't forge output.

    >>> one_line("a\nb")
    'a b'
    """
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def fail(message: str) -> typer.Exit:
    """Print why nothing could be done; raise what it returns."""
    errors.print(f"[red]sordino:[/red] {_plain(one_line(message))}")
    return typer.Exit(NOTHING_DONE)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show progress on standard error, where that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        yield progress


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
