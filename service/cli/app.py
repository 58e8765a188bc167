"""Names the subcommands. Each lives in a file of its own and imports what it needs when it runs."""

from typing import Annotated

import typer

from service.cli.check import check
from service.cli.dead import dead
from service.cli.demo import demo
from service.cli.run import run
from service.cli.schema import schema
from service.cli.simulate import simulate
from service.cli.submit import submit
from service.cli.undelivered import undelivered

app = typer.Typer(
    name="videogen-worker",
    help="Takes video-generation requests from RabbitMQ, makes one paid HTTP call for each, and publishes one result.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help wraps its paragraphs; rich help keeps the line breaks of docstrings, and takes twice as long.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings come from VIDEOGEN_* variables, a .env file and secret files; see docs/settings.md.",
)
app.command()(run)
app.command()(check)
app.command()(submit)
app.command()(simulate)
app.command()(demo)
app.command()(schema)
app.add_typer(dead, name="dead")
app.add_typer(undelivered, name="undelivered")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        from service.adapters.version import built_revision, installed_version

        typer.echo(f"videogen-worker {installed_version()} (revision {built_revision()})")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print version and revision, and exit."),
    ] = False,
) -> None:
    pass
