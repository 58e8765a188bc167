"""`videogen-worker submit`: publish requests and wait for their results."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.exits import FAILED, TIMED_OUT, WRONG_SETTINGS, fail

if TYPE_CHECKING:
    from service.adapters.rabbitmq.requester import Reply, Requester

_DEFAULT_URL = "amqp://guest:guest@localhost:5672/"


@dataclass(frozen=True, slots=True)
class _Target:
    url: str
    prefix: str
    timeout: float


def submit(  # noqa: PLR0913 - one parameter for each option
    file: Annotated[
        Path | None,
        typer.Argument(
            help="JSON Lines file with one request object a line; '-' reads standard input.",
            allow_dash=True,
            show_default=False,
        ),
    ] = None,
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
    request_id: Annotated[
        str | None,
        typer.Option(help="Request id; the same id never makes two videos. With a file: a prefix for each line."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for all results.")] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each result as one JSON line.")] = False,
    broker_url: Annotated[
        str,
        typer.Option(envvar="VIDEOGEN_BROKER__URL", help="AMQP address of the broker.", show_default=False),
    ] = _DEFAULT_URL,
    prefix: Annotated[
        str, typer.Option(envvar="VIDEOGEN_BROKER__PREFIX", help="Prefix of the queue names.")
    ] = "videogen",
) -> None:
    """
    Publish requests, wait for their results and print them.

    Give one request by options, or many in a JSON Lines file. Exit status: 0 all submitted, 1 at least one failed
    or the broker cannot be used, 2 wrong usage, 3 some results did not come in time.
    """
    import asyncio

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
    if (file is None) == (not given):
        fail("give either a FILE or the options of one request; see --help", WRONG_SETTINGS)
    requests = list(_lines(file)) if file is not None else [json.dumps(given).encode()]
    if not requests:
        fail(f"{file} holds no request; write one JSON object a line", WRONG_SETTINGS)
    target = _Target(broker_url, prefix, timeout)
    raise typer.Exit(asyncio.run(_submit(target, _with_ids(requests, request_id), as_json=as_json)))


def _lines(file: Path) -> Iterator[bytes]:
    import sys

    try:
        text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", WRONG_SETTINGS)
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            body = json.loads(line)
        except ValueError as error:
            fail(f"{file}, line {number}: not JSON ({error}); nothing was sent", WRONG_SETTINGS)
        if not isinstance(body, dict):
            fail(f"{file}, line {number}: not a JSON object; nothing was sent", WRONG_SETTINGS)
        yield line


def _with_ids(requests: list[bytes], request_id: str | None) -> dict[str, bytes]:
    from service.adapters.system import new_id

    if request_id is None:
        return {new_id(): body for body in requests}
    if len(requests) == 1:
        return {request_id: requests[0]}
    return {f"{request_id}-{number}": body for number, body in enumerate(requests, start=1)}


async def _submit(target: _Target, requests: dict[str, bytes], *, as_json: bool) -> int:
    from service.adapters.rabbitmq.requester import RequesterError, open_requester

    replies: dict[str, dict[str, Any]] = {}
    try:
        async with open_requester(target.url, target.prefix) as requester:
            missing = await _send_and_collect(requester, requests, replies, target.timeout, as_json=as_json)
    except RequesterError as error:
        fail(str(error), FAILED)
    if not as_json:
        _print_table(replies)
    if missing:
        fail(
            f"{len(missing)} of {len(requests)} results did not come within {target.timeout:g} s. They are still "
            f"worked on; first missing request id: {missing[0]}",
            TIMED_OUT,
        )
    return 0 if all(reply["status"] == "submitted" for reply in replies.values()) else FAILED


async def _send_and_collect(
    requester: "Requester",
    requests: dict[str, bytes],
    replies: dict[str, dict[str, Any]],
    timeout: float,  # noqa: ASYNC109 - the user's own limit for all results together
    *,
    as_json: bool,
) -> list[str]:
    import asyncio

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # The bar goes to standard error, so that standard output holds results alone.
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        sent = progress.add_task("sent", total=len(requests))
        answered = progress.add_task("results", total=len(requests))

        def on_reply(reply: "Reply") -> None:
            if reply.correlation_id in requests and reply.correlation_id not in replies:
                replies[reply.correlation_id] = reply.body
                progress.advance(answered)
                if as_json:
                    typer.echo(json.dumps(reply.body, ensure_ascii=False))

        async def send() -> None:
            for request_id, body in requests.items():
                await requester.send(body, request_id)
                progress.advance(sent)

        async def collect() -> None:
            async for reply in requester.replies():
                on_reply(reply)
                if len(replies) == len(requests):
                    return

        collecting = asyncio.create_task(collect())
        try:
            async with asyncio.timeout(timeout):
                await send()
                await collecting
        except TimeoutError:
            pass
        finally:
            collecting.cancel()
    return [request_id for request_id in requests if request_id not in replies]


def _print_table(replies: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("request id", "status", "task id or error", "attempts", "warnings")
    for request_id, reply in replies.items():
        error = reply.get("error")
        said = f"{error['code']}: {error['message']}" if error else reply["task_id"]
        colour = "red" if error else "green"
        table.add_row(
            request_id,
            f"[{colour}]{reply['status']}[/]",
            said,
            str(reply["attempts"]),
            "\n".join(reply["warnings"]),
        )
    Console().print(table)
