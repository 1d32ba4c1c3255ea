"""`sordino monitor`, `doctor` and `demo`: what runs as a whole."""

from pathlib import Path
from typing import Annotated

import typer

from sordino.monitor import doctor as examination
from sordino.monitor import settings, watching
from sordino.monitor.checking import in_short
from sordino.monitor.commands.shared import (
    Account,
    Commercial,
    HomeOption,
    JsonOption,
    Territory,
    situation,
    usage,
)
from sordino.monitor.console import Output, one_line
from sordino.pipelines.messages import Recommendation


def monitor(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE", help="kafka://HOST[,HOST], or a folder.")],
    account: Account = None,
    territory: Territory = None,
    commercial: Commercial = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Answer segments until stopped: from Kafka, or from a folder that is being filled.

    What is said of account, territory and commerce goes for folders; segments on Kafka say it themselves.

    Example: sordino monitor kafka://localhost:9092

    Example: sordino monitor /var/spool/streams --json
    """
    where = situation(account, territory, commercial)
    with usage():
        parsed = [watching.parse(source) for source in sources]
    output = Output(as_json=as_json)

    def tell(answer: Recommendation) -> None:
        text = f"{one_line(answer.stream_id)} {answer.sequence}: {in_short(answer)}\n  {one_line(answer.statement)}"
        output.done(answer.model_dump(mode="json"), text)

    watching.run(parsed, settings.load(home=home), where, tell)


def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """
    Say what is present, what is missing and how to get it.

    Example: sordino doctor
    """
    output = Output(as_json=as_json)
    for finding in examination.examine(home):
        if finding.ok:
            output.done(finding.as_json(), f"ok  {finding.check}: {finding.detail}")
        else:
            output.failed(finding.as_json(), "missing", f"{finding.check}: {finding.detail}")
    output.finish()


def demo(
    real: Annotated[bool, typer.Option("--real/--composed", help="Real media, or composed on the spot.")] = True,
    home: Annotated[
        Path | None,
        typer.Option("--home", envvar="SORDINO_HOME", help="Keep the works here.", show_default="a temporary folder"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show the main job end to end on this machine with nothing else installed.

    Example: sordino demo
    """
    from sordino.monitor import demo as show  # the only command that needs it

    show.run(home, Output(as_json=as_json), real=real)
