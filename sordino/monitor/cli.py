"""The `sordino` command: the composition root."""

from typing import Annotated, NoReturn

import typer

import sordino
from sordino.fingerprints.catalogue import CatalogueError
from sordino.monitor.commands import licences, live, media, ownership, policies, quarantine, running, works
from sordino.monitor.console import OutputLost, fail, give_up_output, log_to_stderr, take_any_text
from sordino.monitor.policy import PolicyError
from sordino.monitor.settings import SettingsError
from sordino.monitor.store.errors import StoreError
from sordino.pipelines.acoustid import AcoustidMissing
from sordino.pipelines.broker import KafkaRefusedError
from sordino.pipelines.failures import Busy
from sordino.pipelines.media import DecoderMissing

app = typer.Typer(
    help="Find registered works in live streams and short videos; recommend the least intrusive sufficient measure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
works.app.command()(live.hot)
works.app.command()(live.follow)
works.app.command()(ownership.own)
works.app.command()(ownership.exclude)
works.app.command()(quarantine.release)
works.app.add_typer(quarantine.app, name="quarantine")
app.add_typer(works.app, name="works")
app.add_typer(licences.app, name="licences")
app.add_typer(policies.app, name="policy")
for command in (media.match, media.check, media.remedy, running.monitor, running.doctor, running.demo):
    app.command()(command)

WORLD = (
    SettingsError,
    PolicyError,
    CatalogueError,
    StoreError,
    DecoderMissing,
    AcoustidMissing,
    KafkaRefusedError,
    Busy,
    OSError,
)


def main() -> NoReturn:
    """Run the command; what is wrong with the world, not with the program, is told in one line."""
    log_to_stderr()
    take_any_text()
    try:
        app()
    except OutputLost as error:
        give_up_output()
        raise SystemExit(fail(str(error)).exit_code) from None
    except WORLD as error:
        raise SystemExit(fail(str(error)).exit_code) from None
    raise SystemExit(0)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sordino {sordino.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    pass
