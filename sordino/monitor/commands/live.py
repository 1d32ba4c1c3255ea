"""`sordino works follow` and `works hot`: works that are looked for while they run."""

import threading
from pathlib import Path
from typing import Annotated

import typer

from sordino.monitor import following, registration
from sordino.monitor.commands.shared import HomeOption, JsonOption, home_folder, usage
from sordino.monitor.commands.works import (
    KIND_HELP,
    Eidr,
    Holder,
    Isrc,
    Iswc,
    OwnPolicy,
    Share,
    Where,
    WorkId,
    described,
    tell,
    values_of,
)
from sordino.monitor.console import Output, one_line
from sordino.monitor.following import Appended, Outcome
from sordino.pipelines.consume import stopping_on_signals
from sordino.pipelines.warm_up import warm_up


def hot(
    work_id: WorkId,
    off: Annotated[bool, typer.Option("--off", help="No longer.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Have the references of a work looked for more closely: tonight's match, a new film. They should be few.

    Example: sordino works hot W1f0c6b2a9d3e4f58
    """
    with home_folder(home) as opened_home:
        work = registration.mark(opened_home, work_id, hot=not off)
        values = values_of(opened_home, work)
    Output(as_json=as_json).done(values, f"{work.work_id} {one_line(work.title)} is {'no longer ' if off else ''}hot")


def follow(
    folder: Annotated[Path, typer.Argument(help="Folder that is being filled with the feed's segments.")],
    title: Annotated[str, typer.Option(help="Of the work.", show_default="the folder's name")] = "",
    holder: Holder = "unknown",
    kind: Annotated[str, typer.Option(help=KIND_HELP)] = "show",
    isrc: Isrc = None,
    iswc: Iswc = None,
    eidr: Eidr = None,
    share: Share = 1.0,
    territory: Where = None,
    policy: OwnPolicy = None,
    work_id: Annotated[
        str | None,
        typer.Option(help="Go on with this live work.", show_default="this folder's of the same title and holder"),
    ] = None,
    cold: Annotated[bool, typer.Option("--cold", help="Not to be looked for more closely than others.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Register a live feed while it runs, until stopped: copies of it are found seconds behind it.

    Example: sordino works follow /var/spool/streams --title "Cup final" --holder "Red League" --kind sport
    """
    with usage():
        if not folder.is_dir():
            raise ValueError(f"{str(folder)!r} is no folder")
    work = described(kind, title or folder.resolve().name, (holder, share, territory), (isrc, iswc, eidr), policy)
    output = Output(as_json=as_json)
    stop = threading.Event()

    def say(outcome: Outcome) -> None:
        if isinstance(outcome, Appended):
            tell(output, outcome.path, outcome.reference, outcome.warnings)
        else:
            output.failed({"path": str(outcome.path)}, outcome.code, f"{outcome.path}: {outcome.message}")

    with stopping_on_signals(stop.set), home_folder(home) as opened_home:
        opened_home.check_holder_policy(policy)
        warm_up()
        following.follow(
            opened_home, folder, work_id or following.begun(opened_home, folder, work), say, stop, hot=not cold
        )
    output.finish()
