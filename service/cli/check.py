"""`videogen-worker check`: is everything there that the worker needs? Without a paid call."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.event_loop import run_to_the_end
from service.cli.exits import FAILED, settings_or_exit
from service.core.finding import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from service.settings import Settings

_TIMEOUT = 15.0

_CATALOGUE = "model catalogue"
_BROKER = "broker and topology"
_LEDGER = "ledger"
_ENDPOINT = "endpoint"
_TRACING = "tracing"


class CheckFailed(Exception):  # noqa: N818 - a finding, not a defect
    """A check did not hold; the message says why and what to do."""


def check(*, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a check.")] = False) -> None:
    """
    Check that everything is there that the worker needs.

    Looks at settings, model catalogue, broker, topology, ledger, endpoint, and tracing where it is on. It makes no
    paid call. With VIDEOGEN_BROKER__DECLARE=true the topology is declared, and a SQLite ledger is created, as the
    worker itself would. What cannot be seen from here is shown as unknown. Exit status: 0 nothing is wrong, 1
    something is, 2 wrong settings.
    """
    settings = settings_or_exit()
    findings = run_to_the_end(_findings(settings))
    _print(findings, as_json=as_json)
    raise typer.Exit(FAILED if any(finding.verdict is Verdict.WRONG for finding in findings) else 0)


async def _findings(settings: "Settings") -> list[Finding]:
    return [
        Finding("settings", Verdict.OK, "all values are good"),
        *await _judged(_CATALOGUE, _catalogue(settings)),
        *await _judged(_BROKER, _broker(settings)),
        *await _judged(_LEDGER, _ledger(settings)),
        *await _judged(_ENDPOINT, _endpoint(settings)),
        *await _judged(_TRACING, _tracing(settings)),
    ]


async def _judged(what: str, found: "Awaitable[Sequence[Finding]]") -> "Sequence[Finding]":
    try:
        async with asyncio.timeout(_TIMEOUT):
            return await found
    except CheckFailed as failed:
        return [Finding(what, Verdict.WRONG, str(failed))]
    except TimeoutError:
        return [Finding(what, Verdict.WRONG, f"no answer within {_TIMEOUT:g} s; check its address and the network")]


async def _catalogue(settings: "Settings") -> list[Finding]:
    from service.adapters.catalogue_file import CatalogueError, load_catalogue

    try:
        catalogue = load_catalogue(settings.models_file)
    except CatalogueError as error:
        raise CheckFailed(str(error)) from error
    names = ", ".join(model.name for model in catalogue.models)
    return [Finding(_CATALOGUE, Verdict.OK, f"{len(catalogue.models)} models: {names}")]


async def _broker(settings: "Settings") -> list[Finding]:
    from service.adapters.broker_check import contract_findings
    from service.adapters.certificates import CertificateError
    from service.adapters.rabbitmq import declare
    from service.adapters.rabbitmq.configured import link_options_of
    from service.adapters.rabbitmq.connect import open_connection
    from service.adapters.rabbitmq.errors import LinkLost, TopologyError, link_errors
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
            contract = await contract_findings(settings, connection, patient=True)
    except (CertificateError, LinkLost, TopologyError) as error:
        raise CheckFailed(f"{url}: {error}") from error
    done = "declared" if settings.broker.declare else "there"
    said = f"{url}: connected, {len(settings.topology.queues)} queues {done}"
    return [Finding(_BROKER, Verdict.OK, said), *contract]


async def _ledger(settings: "Settings") -> list[Finding]:
    from datetime import timedelta

    from service.adapters.ledger.errors import LedgerConfigurationError
    from service.adapters.ledger.opening import open_ledger
    from service.adapters.system import SystemClock, new_id
    from service.core.ledger import LedgerUnavailable
    from service.settings import masked_url

    url = masked_url(settings.ledger.url.get_secret_value())
    lease = timedelta(seconds=settings.endpoint.timeout)
    try:
        async with open_ledger(
            settings.ledger, holder=new_id(), lease=lease, prefix=settings.broker.prefix, clock=SystemClock()
        ) as ledger:
            await ledger.ping()
            warnings = await ledger.durability_warnings()
    except (LedgerConfigurationError, LedgerUnavailable) as error:
        raise CheckFailed(f"{url}: {error}") from error
    said = Finding(_LEDGER, Verdict.OK, f"{url}: would take a record")
    return [said, *(Finding(_LEDGER, Verdict.UNKNOWN, text) for text in warnings)]


async def _endpoint(settings: "Settings") -> list[Finding]:
    from service.adapters.http_client import EndpointConfigurationError
    from service.adapters.reach import EndpointUnreachable, reach

    base_url = settings.endpoint.base_url
    try:
        status = await reach(settings.endpoint)
    except EndpointConfigurationError as error:
        raise CheckFailed(str(error)) from error
    except EndpointUnreachable as error:
        raise CheckFailed(f"{base_url}: {error}") from error
    said = f"{base_url}: answers (HTTP {status}); the key was not tried, that would be a paid call"
    return [Finding(_ENDPOINT, Verdict.OK, said)]


async def _tracing(settings: "Settings") -> list[Finding]:
    from service.adapters.tracing.errors import TracingConfigurationError
    from service.adapters.tracing.opening import open_tracing

    if not settings.tracing.enabled:
        return []
    try:
        async with open_tracing(settings):
            return [Finding(_TRACING, Verdict.OK, "on; whether its collector takes spans was not tried")]
    except TracingConfigurationError as error:
        raise CheckFailed(str(error)) from error


def _print(findings: list[Finding], *, as_json: bool) -> None:
    import json

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if as_json:
        ok = {Verdict.OK: True, Verdict.WRONG: False, Verdict.UNKNOWN: None}
        for finding in findings:
            typer.echo(json.dumps({"check": finding.what, "ok": ok[finding.verdict], "said": finding.said}))
        return
    shown = {
        Verdict.OK: Text("ok", "green"),
        Verdict.WRONG: Text("not ok", "red"),
        Verdict.UNKNOWN: Text("unknown", "yellow"),
    }
    table = Table("check", "", "what was found")
    for finding in findings:
        # Texts, because an address may hold what rich takes for markup.
        table.add_row(Text(finding.what), shown[finding.verdict], Text(finding.said))
    Console().print(table)
