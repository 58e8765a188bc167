"""`videogen-worker check`: is everything there that the worker needs? Without a paid call."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import FAILED, settings_or_exit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.settings import Settings

_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    what: str
    ok: bool
    said: str


class CheckFailed(Exception):  # noqa: N818 - a finding, not a defect
    """A check did not hold; the message says why and what to do."""


def check(*, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a check.")] = False) -> None:
    """
    Check settings, model catalogue, broker, topology and endpoint. Makes no paid call.

    With VIDEOGEN_BROKER__DECLARE=true the topology is declared, as the worker itself would. Exit status: 0 all is
    well, 1 something is not, 2 wrong settings.
    """
    settings = settings_or_exit()
    findings = asyncio.run(_findings(settings))
    _print(findings, as_json=as_json)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else FAILED)


async def _findings(settings: "Settings") -> list[Finding]:
    checks: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "model catalogue": _catalogue,
        "broker and topology": _broker,
        "endpoint": _endpoint,
    }
    findings = [Finding("settings", ok=True, said="all values are good")]
    for what, run in checks.items():
        try:
            async with asyncio.timeout(_TIMEOUT):
                findings.append(Finding(what, ok=True, said=await run(settings)))
        except CheckFailed as failed:
            findings.append(Finding(what, ok=False, said=str(failed)))
        except TimeoutError:
            findings.append(Finding(what, ok=False, said=f"no answer within {_TIMEOUT:g} s"))
    return findings


async def _catalogue(settings: "Settings") -> str:
    from service.adapters.catalogue_file import CatalogueError, load_catalogue

    try:
        catalogue = load_catalogue(settings.models_file)
    except CatalogueError as error:
        raise CheckFailed(str(error)) from error
    return f"{len(catalogue.models)} models: {', '.join(model.name for model in catalogue.models)}"


async def _broker(settings: "Settings") -> str:
    from service.adapters.rabbitmq import declare
    from service.adapters.rabbitmq.connect import link_options_of, open_connection
    from service.adapters.rabbitmq.errors import LinkLost, TopologyError, link_errors
    from service.adapters.rabbitmq.tls import CertificateError
    from service.settings import masked_url

    url = masked_url(settings.broker.url.get_secret_value())
    try:
        async with open_connection(link_options_of(settings.broker)) as connection:
            with link_errors():
                channel = await connection.channel()
                if settings.broker.declare:
                    await declare.declare(channel, settings.topology)
                else:
                    await declare.check(channel, settings.topology)
    except (CertificateError, LinkLost, TopologyError) as error:
        raise CheckFailed(f"{url}: {error}") from error
    done = "declared" if settings.broker.declare else "there"
    return f"{url}: connected, {len(settings.topology.queues)} queues {done}"


async def _endpoint(settings: "Settings") -> str:
    from service.adapters.http_client import EndpointConfigurationError
    from service.adapters.reach import EndpointUnreachable, reach

    base_url = settings.endpoint.base_url
    try:
        status = await reach(settings.endpoint)
    except EndpointConfigurationError as error:
        raise CheckFailed(str(error)) from error
    except EndpointUnreachable as error:
        raise CheckFailed(f"{base_url}: {error}") from error
    return f"{base_url}: answers (HTTP {status}); the key was not tried, that would be a paid call"


def _print(findings: list[Finding], *, as_json: bool) -> None:
    import json

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if as_json:
        for finding in findings:
            typer.echo(json.dumps({"check": finding.what, "ok": finding.ok, "said": finding.said}))
        return
    table = Table("check", "", "what was found")
    for finding in findings:
        verdict = Text("ok", "green") if finding.ok else Text("not ok", "red")
        # Texts, because an address may hold what rich takes for markup.
        table.add_row(finding.what, verdict, Text(finding.said))
    Console().print(table)
