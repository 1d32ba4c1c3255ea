"""`sordino works`: register, list, show and withdraw."""

import uuid
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

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
from sordino.monitor.territories import named
from sordino.monitor.wording import clock
from sordino.monitor.works import WORK_KINDS, Ownership, Reference, Work, parse_eidr, parse_isrc, parse_iswc

app = typer.Typer(help="Register, list and withdraw works.", no_args_is_help=True)

WorkId = Annotated[str, typer.Argument(help="As `works list` shows it.")]
KIND_HELP = f"One of {', '.join(WORK_KINDS)}."
Holder = Annotated[str, typer.Option(help="The rights holder.")]
Isrc = Annotated[str | None, typer.Option(help="Of a recording.")]
Iswc = Annotated[str | None, typer.Option(help="Of a composition.")]
Eidr = Annotated[str | None, typer.Option(help="Of a film or show.")]
Share = Annotated[float, typer.Option(help="The holder's share, up to 1.")]
Where = Annotated[list[str] | None, typer.Option("--territory", help="Where it is the holder's (ISO 3166, or EU ...).")]
OwnPolicy = Annotated[str | None, typer.Option(help="The holder's policy.")]


def described(
    kind: str,
    title: str,
    owner: tuple[str, float, list[str] | None],
    identifiers: tuple[str | None, str | None, str | None],
    policy: str | None,
) -> Work:
    """Return a new work as it was typed; wrong usage where it can't be so."""
    holder, share, where = owner
    isrc, iswc, eidr = identifiers
    with usage():
        return Work(
            work_id=f"W{uuid.uuid4().hex[:16]}",
            title=title,
            kind=kind,
            owners=(Ownership(holder, share, territories(where)),),
            isrc=isrc and parse_isrc(isrc),
            iswc=iswc and parse_iswc(iswc),
            eidr=eidr and parse_eidr(eidr),
            policy=policy,
        )


@app.command()
def add(
    paths: Paths,
    kind: Annotated[str, typer.Option(help=KIND_HELP, show_default="by the media")] = "",
    title: Annotated[str, typer.Option(help="Of the work.", show_default="the file's name")] = "",
    holder: Holder = "unknown",
    isrc: Isrc = None,
    iswc: Iswc = None,
    eidr: Eidr = None,
    share: Share = 1.0,
    territory: Where = None,
    policy: OwnPolicy = None,
    public_domain: Annotated[bool, typer.Option("--public-domain", help="Nobody's: nothing is ever asked.")] = False,
    hot: Annotated[bool, typer.Option("--hot", help="To be looked for more closely, as `works hot` does.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Register each media file (folders: recursively) as a work with one reference.

    Example: sordino works add album/ --holder "Blue Note" --kind recording
    """
    owner = (holder, share, territory)
    template = described(kind or "recording", title or "new", owner, (isrc, iswc, eidr), policy)
    template = replace(template, public_domain=public_domain)
    output = Output(as_json=as_json)
    with home_folder(home) as opened_home:
        opened_home.check_holder_policy(policy)

        def register(path: Path) -> None:
            named = title or one_line(path.stem) or "untitled"
            work = replace(template, work_id=f"W{uuid.uuid4().hex[:16]}", title=named)
            _register(opened_home, output, path, work, kind_is_given=bool(kind), hot=hot)

        each_file(paths, output, "registering", register)
    output.finish()


def _register(home: Home, output: Output, path: Path, work: Work, *, kind_is_given: bool, hot: bool) -> None:
    registered = registration.register(home, path, work, kind_is_given=kind_is_given, hot=hot)
    tell(output, path, registered.reference, registered.warnings)


def tell(output: Output, path: Path, reference: Reference, warnings: Sequence[str]) -> None:
    """Print what became of a file that was registered."""
    values = {
        "path": str(path),
        "work_id": reference.work_id,
        "reference_id": reference.reference_id,
        "audio_s": round(reference.audio_s, 3),
        "video_s": round(reference.video_s, 3),
        "warnings": list(warnings),
    }
    notes = "".join(f"\n  note: {one_line(warning)}" for warning in warnings)
    output.done(values, f"{reference.work_id}  {one_line(path.name)}  {_lengths(reference)}{notes}")


def _lengths(reference: Reference) -> str:
    return f"{reference.audio_s:.1f} s of sound, {reference.video_s:.1f} s of picture"


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
            output.done(
                values_of(opened_home, work),
                f"{work.work_id}  {work.kind}  {one_line(work.title)}  ({one_line(holders)})",
            )
    output.none("no work is registered")


@app.command()
def show(work_id: WorkId, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """
    Show a work, its references and identifiers.

    Example: sordino works show W1f0c6b2a9d3e4f58
    """
    with home_folder(home) as opened_home:
        work = opened_home.store.work(work_id)
        values = values_of(opened_home, work)
        hot = {r.reference_id for r in work.references if opened_home.catalogue.is_hot(r.reference_id)}
    Output(as_json=as_json).done(values, "\n".join(one_line(line) for line in _lines(work, hot)))


def values_of(home: Home, work: Work) -> dict[str, Any]:
    """Return a work as what JSON can say, with what the catalogue knows of its references: whether they are hot."""
    values = as_values(work)
    for reference in values["references"]:
        reference["hot"] = home.catalogue.is_hot(reference["reference_id"])
    return values


def _lines(work: Work, hot: Set[str]) -> Iterator[str]:
    states = [", public domain"] * work.public_domain + [", withdrawn"] * work.withdrawn
    yield f"{work.work_id}: {work.title} ({work.kind}){''.join(states)}"
    for owner in work.owners:
        where = ", ".join(named(owner.territories)) or "all territories"
        by = f", by the policy {owner.policy}" if owner.policy else ""
        yield f"owner: {owner.holder}, {owner.share:.0%} in {where}{by}"
    for name in ("isrc", "iswc", "eidr", "policy"):
        if getattr(work, name):
            yield f"{name}: {getattr(work, name)}"
    if work.registered:
        yield f"registered: {work.registered:%Y-%m-%d %H:%M} UTC"
    for reference in work.references:
        extras = [
            *([f"from {reference.begins_s:.1f} s of the feed on"] if reference.begins_s is not None else []),
            *(["with Chromaprint"] if reference.chromaprint else []),
            *(["hot"] if reference.reference_id in hot else []),
        ]
        yield f"reference {reference.reference_id}: {', '.join([reference.path, _lengths(reference), *extras])}"
        for one in reference.excluded:
            yield f"  excluded from {clock(one.start_s)} to {clock(one.end_s)}{f': {one.reason}' if one.reason else ''}"


@app.command()
def remove(work_id: WorkId, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """
    Withdraw a work: from now on nothing acts on it.

    Example: sordino works remove W1f0c6b2a9d3e4f58
    """
    with home_folder(home) as opened_home:
        work = registration.withdraw(opened_home, work_id)
        values = values_of(opened_home, replace(work, withdrawn=True))
    Output(as_json=as_json).done(values, f"{work.work_id} {one_line(work.title)} is withdrawn")
