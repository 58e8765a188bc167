"""`videogen-worker submit`: publish requests and wait for their results."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.exits import (
    FAILED,
    INTERRUPTED,
    TIMED_OUT,
    WRONG_SETTINGS,
    broker_settings_or_exit,
    fail,
    known_errors_exit,
)
from service.cli.requests import RequestsError, name_requests, read_requests

if TYPE_CHECKING:
    from service.cli.submission import Submission
    from service.settings import BrokerSettings


def _finite(seconds: float) -> float:
    if not 0 < seconds < math.inf:
        raise typer.BadParameter("give a number of seconds above 0")
    return seconds


_File = Annotated[
    Path | None,
    typer.Argument(
        help="JSON Lines file with one request object a line; '-' reads standard input.",
        allow_dash=True,
        show_default=False,
    ),
]
_RequestId = Annotated[
    str | None,
    typer.Option(
        help="Request id; by default a new one. A request that is sent again under its id gets the first one's answer "
        "and no second video; one that failed and cost nothing is tried anew. With a file of several: a prefix for "
        "each line."
    ),
]
_Timeout = Annotated[float, typer.Option(callback=_finite, help="Seconds to wait for all results.")]
_BrokerUrl = Annotated[str | None, typer.Option(help="AMQP address of the broker. [default: VIDEOGEN_BROKER__URL]")]
_Prefix = Annotated[str | None, typer.Option(help="Prefix of the queue names. [default: VIDEOGEN_BROKER__PREFIX]")]


def submit(  # noqa: PLR0913 - one parameter for each option
    file: _File = None,
    *,
    prompt: Annotated[str | None, typer.Option(help="What the video shows.")] = None,
    model: Annotated[str | None, typer.Option(help="A model of the catalogue, e.g. wan2.2-t2v-plus.")] = None,
    size: Annotated[str | None, typer.Option(help="Width and height, e.g. 832x480.")] = None,
    duration: Annotated[int | None, typer.Option(help="Seconds.")] = None,
    seed: Annotated[int | None, typer.Option(help="0 to 2147483647.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What the video must not show.")] = None,
    template: Annotated[str | None, typer.Option(help="Passed through to the endpoint.")] = None,
    audio_url: Annotated[str | None, typer.Option(help="http(s) address of a sound track.")] = None,
    watermark: Annotated[bool | None, typer.Option(help="Put a watermark on the video.")] = None,
    prompt_extend: Annotated[bool | None, typer.Option(help="Let the endpoint extend the prompt.")] = None,
    request_id: _RequestId = None,
    timeout: _Timeout = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each result as one JSON line.")] = False,
    broker_url: _BrokerUrl = None,
    prefix: _Prefix = None,
) -> None:
    """
    Publish requests, wait for their results and print them.

    Give one request by options, or many in a JSON Lines file. The broker is the one of the worker's settings:
    VIDEOGEN_BROKER__* in the environment, a .env file or secret files.

    Exit status: 0 all submitted, 1 at least one failed or the broker cannot be used, 2 wrong usage, 3 some results
    did not come in time, 130 interrupted. Results that came are printed in any case.
    """
    options = {
        "prompt": prompt,
        "model": model,
        "size": size,
        "duration": duration,
        "seed": seed,
        "negative_prompt": negative_prompt,
        "template": template,
        "audio_url": audio_url,
        "watermark": watermark,
        "prompt_extend": prompt_extend,
    }
    given = {name: value for name, value in options.items() if value is not None}
    requests = _requests(file, given, request_id)
    broker = broker_settings_or_exit({"VIDEOGEN_BROKER__URL": broker_url, "VIDEOGEN_BROKER__PREFIX": prefix})
    _submit(broker, requests, timeout, as_json=as_json)


def _requests(file: Path | None, given: Mapping[str, object], request_id: str | None) -> dict[str, bytes]:
    if (file is None) == (not given):
        fail("give either a FILE or the options of one request; see --help", WRONG_SETTINGS)
    try:
        bodies = [json.dumps(given).encode()] if file is None else read_requests(file)
        return name_requests(bodies, request_id)
    except RequestsError as error:
        fail(str(error), WRONG_SETTINGS)


def _submit(broker: "BrokerSettings", requests: dict[str, bytes], timeout: float, *, as_json: bool) -> None:
    import asyncio

    from service.cli.connected import BrokerLostError
    from service.cli.submission import Submission
    from service.client.errors import VideogenError

    submission = Submission(requests)
    try:
        with known_errors_exit():
            asyncio.run(_exchange(broker, submission, timeout, as_json=as_json))
        ending = None
    except (BrokerLostError, VideogenError) as error:
        ending = (str(error), FAILED)
    except TimeoutError:
        ending = (f"Not every result came within {timeout:g} s.", TIMED_OUT)
    except (KeyboardInterrupt, asyncio.CancelledError):
        ending = ("Interrupted.", INTERRUPTED)
    # Whatever ended it: a task id that came is paid for and must be seen.
    if submission.results and not as_json:
        _print_table(submission)
    if ending is not None:
        reason, status = ending
        fail(f"{reason}\n{_open_end(submission, broker.prefix)}", status)
    raise typer.Exit(0 if submission.all_submitted else FAILED)


async def _exchange(broker: "BrokerSettings", submission: "Submission", timeout: float, *, as_json: bool) -> None:  # noqa: ASYNC109 - the user's own limit for all results together
    import asyncio

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from service.cli.connected import connected_exchange
    from service.cli.signals import cancel_on_signals

    cancel_on_signals()
    counts = TextColumn("{task.completed:.0f} of {task.total:.0f} {task.description}")
    # The bar goes to standard error, so that standard output holds results alone.
    with Progress(counts, BarColumn(), TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        sent = progress.add_task("sent", total=len(submission.requests))
        answered = progress.add_task("results", total=len(submission.requests))

        def on_result(result: dict[str, Any]) -> None:
            progress.advance(answered)
            if as_json:
                typer.echo(json.dumps(result, ensure_ascii=False))

        async with asyncio.timeout(timeout), connected_exchange(broker) as exchange:
            await submission.carry_out(exchange, lambda: progress.advance(sent), on_result)


def _open_end(submission: "Submission", prefix: str) -> str:
    from service.core.topology import Topology

    count = len(submission.requests)
    counts = f"{submission.sent} of {count} requests were sent, {len(submission.results)} of {count} results came"
    if not submission.sent:
        return f"{counts}."
    return (
        f"{counts}; the first one missing is of request id {submission.missing[0]}. Results may still come; "
        f"they are then kept in the queue {Topology(prefix).undelivered}."
    )


def _print_table(submission: "Submission") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from service.adapters.result_text import answer_text, status_text

    table = Table()
    table.add_column("request id", overflow="fold")
    table.add_column("status", no_wrap=True)
    # As wide as a UUID: task ids are there to be copied.
    table.add_column("task id, or error", overflow="fold", min_width=36)
    table.add_column("calls", justify="right")
    for request_id, result in submission.results.items():
        table.add_row(Text(request_id), status_text(result), answer_text(result), str(result["attempts"]))
    Console().print(table)
