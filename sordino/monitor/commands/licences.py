"""`sordino licences`: who may use which work, where, until when, on which accounts."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer

from sordino.monitor.commands.shared import HomeOption, JsonOption, as_values, home_folder, territories, usage
from sordino.monitor.console import Output, one_line
from sordino.monitor.territories import named
from sordino.monitor.works import Licence

app = typer.Typer(help="Say who may use which work, where, until when.", no_args_is_help=True)


@app.command()
def add(
    work_id: Annotated[str | None, typer.Argument(help="As `works list` shows it; or name a --holder.")] = None,
    holder: Annotated[str | None, typer.Option(help="All works of this holder, instead of one.")] = None,
    licensee: Annotated[str, typer.Option(help="Who has the licence.", show_default="the accounts")] = "",
    account: Annotated[list[str] | None, typer.Option(help="That may use it; by default every one.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Group of accounts that may use it.")] = None,
    territory: Annotated[list[str] | None, typer.Option(help="Where (ISO 3166, or EU ...); else everywhere.")] = None,
    starts: Annotated[datetime | None, typer.Option(help="From when (UTC).")] = None,
    expires: Annotated[datetime | None, typer.Option(help="Until when (UTC).")] = None,
    commercial: Annotated[bool, typer.Option(help="Whether it covers what sells something.")] = True,
    use: Annotated[str, typer.Option(help="live, recorded or any.")] = "any",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Add a licence for a work, or for all works of a holder.

    Example: sordino licences add W1f0c6b2a9d3e4f58 --account shop-7 --territory DE --expires 2027-12-31

    Example: sordino licences add --holder "Blue Note" --group partners --territory EU --use live
    """
    with usage():
        licence = Licence(
            licence_id=f"L{uuid.uuid4().hex[:16]}",
            work_id=work_id,
            licensee=licensee or ", ".join([*(account or ()), *(group or ())]) or "anyone",
            accounts=tuple(account or ()),
            territories=territories(territory),
            starts=starts and starts.replace(tzinfo=UTC),
            expires=expires and expires.replace(tzinfo=UTC),
            commercial=commercial,
            holder=holder,
            account_groups=tuple(group or ()),
            use=use,
        )
    with home_folder(home) as opened_home:
        opened_home.store.add_licence(licence)
    Output(as_json=as_json).done(as_values(licence), _told(licence))


@app.command("list")
def list_(
    work: Annotated[str | None, typer.Option(help="Only those that bear on this work.")] = None,
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


@app.command()
def group(
    name: Annotated[str, typer.Argument(help="Of the group of accounts.")],
    add: Annotated[list[str] | None, typer.Option(help="An account to put into it.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="An account to take out of it.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Put accounts into a group that licences and policies can name, or take them out; show who is in it.

    Example: sordino licences group partners --add shop-7 --add shop-9
    """
    with home_folder(home) as opened_home:
        opened_home.store.add_to_group(name, add or ())
        accounts = opened_home.store.take_from_group(name, drop or ())
    text = f"{one_line(name)}: {one_line(', '.join(accounts)) or 'nobody'}"
    Output(as_json=as_json).done({"group": name, "accounts": accounts}, text)


def _told(licence: Licence) -> str:
    what = licence.work_id or f"all works of {one_line(licence.holder or '')}"
    use = f" in {licence.use} use" if licence.use != "any" else ""
    where = f" in {', '.join(named(licence.territories))}" if licence.territories else ""
    until = f" until {licence.expires:%Y-%m-%d %H:%M} UTC" if licence.expires else ""
    return f"{licence.licence_id}  {one_line(licence.licensee)} may use {what}{use}{where}{until}"
