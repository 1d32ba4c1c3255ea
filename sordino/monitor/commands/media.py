"""`sordino match` and `sordino check`: what is in a file, and what to do about it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sordino.monitor import checking
from sordino.monitor.commands.shared import (
    Account,
    Commercial,
    HomeOption,
    JsonOption,
    Paths,
    Territory,
    each_file,
    home_folder,
    situation,
)
from sordino.monitor.console import Output, one_line
from sordino.monitor.home import Home


def match(paths: Paths, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """
    Find the works in media files; decide nothing.

    Example: sordino match clip.mp4 --json
    """
    output = Output(as_json=as_json)
    with home_folder(home) as opened_home:
        each_file(paths, output, "matching", lambda path: _match(opened_home, output, path))
    output.finish()


def _match(home: Home, output: Output, path: Path) -> None:
    found = checking.match(home, path)
    lines = [f"{one_line(str(path))}: {len(found.matches)} found in {found.duration_s:.1f} s"]
    output.done(found.as_json(), "\n".join(lines + [f"  {checking.told(m)}" for m in found.matches]))


def _regime(typed: str | None) -> str | None:
    if typed is not None and not 0 < len(typed) <= 64:
        raise typer.BadParameter("a regime's name has 1 to 64 characters")
    return typed


def check(
    paths: Paths,
    account: Account = None,
    territory: Territory = None,
    commercial: Commercial = False,
    regime: Annotated[
        str | None, typer.Option(callback=_regime, help="The legal regime, instead of the policy's.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Find the works in media files, decide and explain, as the monitor would.

    Example: sordino check clip.mp4 --account shop-7 --territory DE --commercial
    """
    where = situation(account, territory, commercial)
    output = Output(as_json=as_json)
    with home_folder(home, regime=regime) as opened_home:
        each_file(paths, output, "checking", lambda path: _check(opened_home, output, path, where))
    output.finish()


def _check(home: Home, output: Output, path: Path, where: dict[str, Any]) -> None:
    checked = checking.check(home, path, where)
    if checked.error is not None:
        output.failed(checked.as_json(), *checked.error)
        return
    answer = checked.recommendation
    lines = [f"{one_line(str(path))}: {checking.in_short(answer)}", f"  {one_line(answer.statement)}"]
    output.done(checked.as_json(), "\n".join(lines + [f"  {checking.told(m)}" for m in answer.because]))
