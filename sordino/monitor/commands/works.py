"""`sordino works`: register, list, show and withdraw."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sordino.monitor import registration
from sordino.monitor.commands.shared import (
    HomeOption,
    JsonOption,
    Paths,
    as_values,
    each_file,
    home_folder,
    territories,
    usage,
)
from sordino.monitor.console import Output, one_line
from sordino.monitor.home import Home
from sordino.monitor.works import WORK_KINDS, Ownership, Work, parse_eidr, parse_isrc, parse_iswc

app = typer.Typer(help="Register, list and withdraw works.", no_args_is_help=True)

WorkId = Annotated[str, typer.Argument(help="As `works list` shows it.")]


@app.command()
def add(
    paths: Paths,
    kind: Annotated[str, typer.Option(help=f"One of {', '.join(WORK_KINDS)}.", show_default="by the media")] = "",
    title: Annotated[str, typer.Option(help="Of the work.", show_default="the file's name")] = "",
    holder: Annotated[str, typer.Option(help="The rights holder.")] = "unknown",
    isrc: Annotated[str | None, typer.Option(help="Of a recording.")] = None,
    iswc: Annotated[str | None, typer.Option(help="Of a composition.")] = None,
    eidr: Annotated[str | None, typer.Option(help="Of a film or show.")] = None,
    share: Annotated[float, typer.Option(help="The holder's share, up to 1.")] = 1.0,
    territory: Annotated[list[str] | None, typer.Option(help="Where it is the holder's (ISO 3166).")] = None,
    policy: Annotated[str | None, typer.Option(help="The holder's policy.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Register each media file (folders: recursively) as a work with one reference.

    Example: sordino works add album/ --holder "Blue Note" --kind recording
    """
    with usage():
        template = Work(
            work_id="new",
            title=title or "new",
            kind=kind or "recording",
            owners=(Ownership(holder, share, territories(territory)),),
            isrc=isrc and parse_isrc(isrc),
            iswc=iswc and parse_iswc(iswc),
            eidr=eidr and parse_eidr(eidr),
            policy=policy,
        )
    output = Output(as_json=as_json)
    with home_folder(home) as opened_home:

        def register(path: Path) -> None:
            named = title or one_line(path.stem) or "untitled"
            work = replace(template, work_id=f"W{uuid.uuid4().hex[:16]}", title=named)
            _register(opened_home, output, path, work, kind_is_given=bool(kind))

        each_file(paths, output, "registering", register)
    output.finish()


def _register(home: Home, output: Output, path: Path, work: Work, *, kind_is_given: bool) -> None:
    registered = registration.register(home, path, work, kind_is_given=kind_is_given)
    new = registered.reference
    values = {
        "path": str(path),
        "work_id": new.work_id,
        "reference_id": new.reference_id,
        "audio_s": round(new.audio_s, 3),
        "video_s": round(new.video_s, 3),
        "warnings": list(registered.warnings),
    }
    notes = "".join(f"\n  note: {one_line(warning)}" for warning in registered.warnings)
    lengths = f"{new.audio_s:.1f} s of sound, {new.video_s:.1f} s of picture"
    output.done(values, f"{new.work_id}  {one_line(path.name)}  {lengths}{notes}")


@app.command("list")
def list_(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """
    List the registered works.

    Example: sordino works list --json
    """
    output = Output(as_json=as_json)
    with home_folder(home) as opened_home:
        for work in opened_home.store.works():
            holders = ", ".join(owner.holder for owner in work.owners)
            output.done(as_values(work), f"{work.work_id}  {work.kind}  {one_line(work.title)}  ({one_line(holders)})")
    output.none("no work is registered")


@app.command()
def show(work_id: WorkId, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """
    Show a work, its references and identifiers.

    Example: sordino works show W1f0c6b2a9d3e4f58
    """
    with home_folder(home) as opened_home:
        work = opened_home.store.work(work_id)
    Output(as_json=as_json).done(as_values(work), "\n".join(one_line(line) for line in _described(work)))


def _described(work: Work) -> Iterator[str]:
    yield f"{work.work_id}: {work.title} ({work.kind}){', withdrawn' if work.withdrawn else ''}"
    for owner in work.owners:
        yield f"owner: {owner.holder}, {owner.share:.0%} in {', '.join(owner.territories) or 'all territories'}"
    for name in ("isrc", "iswc", "eidr", "policy"):
        if getattr(work, name):
            yield f"{name}: {getattr(work, name)}"
    if work.registered:
        yield f"registered: {work.registered:%Y-%m-%d %H:%M} UTC"
    for reference in work.references:
        lengths = f"{reference.audio_s:.1f} s of sound, {reference.video_s:.1f} s of picture"
        print_ = ", with Chromaprint" if reference.chromaprint else ""
        yield f"reference {reference.reference_id}: {reference.path}, {lengths}{print_}"


@app.command()
def remove(work_id: WorkId, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """
    Withdraw a work: from now on nothing acts on it.

    Example: sordino works remove W1f0c6b2a9d3e4f58
    """
    with home_folder(home) as opened_home:
        work = registration.withdraw(opened_home, work_id)
    values = as_values(replace(work, withdrawn=True))
    Output(as_json=as_json).done(values, f"{work.work_id} {one_line(work.title)} is withdrawn")
