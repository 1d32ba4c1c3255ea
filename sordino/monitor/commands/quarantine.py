"""`sordino works quarantine` and `works release`: references that matched more than they may without a human."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from sordino.monitor.cases import Case
from sordino.monitor.commands.shared import HomeOption, JsonOption, home_folder
from sordino.monitor.console import Output, one_line
from sordino.monitor.home import Home

app = typer.Typer(help="References that lead to no automatic measures until they are released.", no_args_is_help=True)


@app.command("list")
def list_(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """
    List the references in quarantine.

    Example: sordino works quarantine list --json
    """
    output = Output(as_json=as_json)
    with home_folder(home) as opened_home:
        for case in opened_home.store.cases("quarantine"):
            values = _values(opened_home, case)
            since = f"{case.opened:%Y-%m-%d %H:%M} UTC"
            text = f"{case.subject.name}  {since}  {one_line(values['title'])}: {one_line(case.why)}"
            output.done(values, text)
    output.none("no reference is in quarantine")


def release(
    reference_id: Annotated[str, typer.Argument(help="As `works quarantine list` shows it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Take a reference out of quarantine: its matches may lead to automatic measures again, today's counted from 0.

    Example: sordino works release R7d2c9e1f0a3b4c5d
    """
    with home_folder(home) as opened_home:
        case = opened_home.store.release(reference_id, datetime.now(UTC))
        values = _values(opened_home, case)
    Output(as_json=as_json).done(values, f"{reference_id} of {one_line(values['title'])} is released")


def _values(home: Home, case: Case) -> dict[str, Any]:
    """Return a quarantine as what JSON can say."""
    return {
        "case_id": case.case_id,
        "reference_id": case.subject.name,
        "work_id": case.work_id,
        "title": home.store.work(case.work_id).title if case.work_id else "",
        "why": case.why,
        "opened": case.opened.isoformat(),
        "closed": case.closed and case.closed.isoformat(),
    }
