"""`sordino licences`: who may use which work, where, until when, on which accounts."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer

from sordino.monitor.commands.shared import HomeOption, JsonOption, as_values, home_folder, territories, usage
from sordino.monitor.console import Output, one_line
from sordino.monitor.works import Licence

app = typer.Typer(help="Say who may use which work, where, until when.", no_args_is_help=True)


@app.command()
def add(
    work_id: Annotated[str, typer.Argument(help="As `works list` shows it.")],
    licensee: Annotated[str, typer.Option(help="Who has the licence.", show_default="the accounts")] = "",
    account: Annotated[list[str] | None, typer.Option(help="That may use it; by default every one.")] = None,
    territory: Annotated[list[str] | None, typer.Option(help="Where (ISO 3166); by default everywhere.")] = None,
    starts: Annotated[datetime | None, typer.Option(help="From when (UTC).")] = None,
    expires: Annotated[datetime | None, typer.Option(help="Until when (UTC).")] = None,
    commercial: Annotated[bool, typer.Option(help="Whether it covers what sells something.")] = True,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Add a licence for a work.

    Example: sordino licences add W1f0c6b2a9d3e4f58 --account shop-7 --territory DE --expires 2027-12-31
    """
    with usage():
        licence = Licence(
            licence_id=f"L{uuid.uuid4().hex[:16]}",
            work_id=work_id,
            licensee=licensee or ", ".join(account or ["anyone"]),
            accounts=tuple(account or ()),
            territories=territories(territory),
            starts=starts and starts.replace(tzinfo=UTC),
            expires=expires and expires.replace(tzinfo=UTC),
            commercial=commercial,
        )
    with home_folder(home) as opened_home:
        opened_home.store.add_licence(licence)
    Output(as_json=as_json).done(as_values(licence), _told(licence))


@app.command("list")
def list_(
    work: Annotated[str | None, typer.Option(help="Of this work only.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    List the licences, expired ones too.

    Example: sordino licences list --work W1f0c6b2a9d3e4f58
    """
    output = Output(as_json=as_json)
    with home_folder(home) as opened_home:
        for licence in opened_home.store.licences(work):
            output.done(as_values(licence), _told(licence))
    output.none("there is no licence")


@app.command()
def remove(
    licence_id: Annotated[str, typer.Argument(help="As `licences list` shows it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Remove a licence.

    Example: sordino licences remove L9a3e0c1d2b4f5a67
    """
    with home_folder(home) as opened_home:
        licence = next((one for one in opened_home.store.licences() if one.licence_id == licence_id), None)
        opened_home.store.remove_licence(licence_id)
    Output(as_json=as_json).done(as_values(licence) if licence else {}, f"{licence_id} is removed")


def _told(licence: Licence) -> str:
    where = f" in {', '.join(licence.territories)}" if licence.territories else ""
    until = f" until {licence.expires:%Y-%m-%d %H:%M} UTC" if licence.expires else ""
    return f"{licence.licence_id}  {one_line(licence.licensee)} may use {licence.work_id}{where}{until}"
