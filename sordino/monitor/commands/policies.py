"""`sordino policy`: which policies there are, and what they say."""

from typing import Annotated

import typer

from sordino.monitor import policy_files, settings
from sordino.monitor.commands.shared import HomeOption, JsonOption
from sordino.monitor.console import Output, one_line
from sordino.monitor.explaining import explained
from sordino.monitor.holders import HolderPolicy
from sordino.monitor.policy import Policy

app = typer.Typer(help="Show and explain policies of platforms and rights holders.", no_args_is_help=True)


@app.command("list")
def list_(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """
    List the policies by name: the packaged ones, and rights holders' in the home folder.

    Example: sordino policy list
    """
    output = Output(as_json=as_json)
    chosen = settings.load(home=home)
    for name in policy_files.packaged():
        _tell(output, policy_files.load(name))
    for policy in policy_files.holders(chosen.policies_folder).values():
        _tell(output, policy)


@app.command()
def explain(
    policy: Annotated[str, typer.Argument(metavar="FILE|NAME", help="A .toml file, or a name that `list` shows.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Check a policy, and say in plain English what it does.

    Example: sordino policy explain default
    """
    found = policy_files.load_any(policy, settings.load(home=home).policies_folder)
    sentences = explained(found)
    values = {**_named(found), "sentences": sentences, "settings": found.model_dump(mode="json", exclude_none=True)}
    Output(as_json=as_json).done(values, "\n".join([found.version_name, *(one_line(s) for s in sentences)]))


def _tell(output: Output, policy: Policy | HolderPolicy) -> None:
    output.done(_named(policy), f"{policy.kind:8}  {policy.version_name}")


def _named(policy: Policy | HolderPolicy) -> dict[str, str | int]:
    return {
        "name": policy.name,
        "kind": policy.kind,
        "version": policy.version,
        "version_name": policy.version_name,
    }
