"""`sordino match` and `sordino check`: what is in a file, and what to do about it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sordino.monitor import checking, remedying
from sordino.monitor.commands.shared import (
    Account,
    Commercial,
    HomeOption,
    JsonOption,
    Paths,
    Territory,
    each_file,
    home_folder,
    one_file,
    situation,
)
from sordino.monitor.console import Output, one_line, share_done
from sordino.monitor.home import Home
from sordino.monitor.measures import Asked, check_together, parse_measure
from sordino.monitor.wording import amount
from sordino.pipelines.media import MediaError
from sordino.pipelines.remedies.plan import RemedyError


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


Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output, if it is there.")]
MEASURE_HELP = "As mute:12-31.5, erase:WORK, blur:1:10-1:20:x,y,w,h, trim:3-4; may be given several times."


def _measures(typed: list[str]) -> list[Asked]:
    try:
        asked = [parse_measure(text) for text in typed]
        check_together(asked)
    except RemedyError as error:
        raise typer.BadParameter(str(error)) from error
    return asked


def remedy(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A media file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where the remedied file goes; its suffix says as what.")],
    measure: Annotated[list[str], typer.Option(help=MEASURE_HELP)],
    overwrite: Overwrite = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Apply measures to a file, and tell what they leave of the works in it.

    Example: sordino remedy clip.mp4 remedied.mp4 --measure mute:8-12 --measure trim:25-26

    Example: sordino remedy clip.mp4 remedied.mp4 --measure erase:W1f0c6b2a9d3e4f58

    Example: sordino remedy clip.mp4 remedied.mp4 --measure blur:10-20:0.5,0.5,0.4,0.4 --measure blank:0:25-0:28
    """
    asked = _measures(measure)
    output = Output(as_json=as_json)
    with home_folder(home) as opened_home:
        one_file(source, output, lambda path: _remedy(opened_home, output, path, out, asked, overwrite=overwrite))
    output.finish()


def _remedy(home: Home, output: Output, path: Path, out: Path, asked: list[Asked], *, overwrite: bool) -> None:
    with share_done("rendering") as progress:
        remedied = remedying.remedy(home, path, out, asked, overwrite=overwrite, progress=progress)
    left, lost = amount(remedied.residual_s), amount(remedied.collateral_s)
    text = f"{one_line(str(out))}: {left} of registered works left, {lost} of what is lawful lost"
    _tell(output, remedied.as_json(), text, path, remedied.rendering.failed)


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
    remedy: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Render the measures, too: to a file or folder.")
    ] = None,
    overwrite: Overwrite = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Find the works in media files, decide and explain, as the monitor would.

    With --remedy, what is recommended is rendered; nothing is where nothing has to be done, or a human has to decide.

    Example: sordino check clip.mp4 --account shop-7 --territory DE --commercial

    Example: sordino check clip.mp4 --remedy remedied.mp4
    """
    where = situation(account, territory, commercial)
    output = Output(as_json=as_json)
    into = None
    if remedy is not None:
        into = remedying.Target(remedy, overwrite=overwrite, several=len(paths) > 1 or paths[0].is_dir())
    with home_folder(home, regime=regime) as opened_home:
        each_file(paths, output, "checking", lambda path: _check(opened_home, output, path, where, into))
    output.finish()


def _check(home: Home, output: Output, path: Path, where: dict[str, Any], into: remedying.Target | None) -> None:
    checked = checking.check(home, path, where)
    if checked.error is not None:
        output.failed(checked.as_json(), *checked.error)
        return
    answer = checked.recommendation
    lines = [f"{one_line(str(path))}: {checking.in_short(answer)}", f"  {one_line(answer.statement)}"]
    lines += [f"  {checking.told(m)}" for m in answer.because]
    if into is None:
        output.done(checked.as_json(), "\n".join(lines))
        return
    try:
        done = remedying.remedy_checked(home, path, into, answer)
    except (RemedyError, MediaError) as error:  # the answer stands
        values = {**checked.as_json(), "remedy": None}
        output.partly(values, "\n".join(lines), error.code, f"{path}: {error}")
        return
    values = {**checked.as_json(), "remedy": done.as_json()}
    _tell(output, values, "\n".join([*lines, f"  {one_line(str(done))}"]), path, done.failed)


def _tell(output: Output, values: dict[str, Any], text: str, path: Path, failed: Sequence[str]) -> None:
    """Print what was rendered; measures that failed are named, and the file counts as failed in part."""
    if failed:
        output.partly(values, text, "erase_failed", f"{path}: {'; '.join(failed)}")
    else:
        output.done(values, text)
