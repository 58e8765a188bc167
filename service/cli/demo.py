"""`videogen-worker demo`: the main job on a fresh machine."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import FAILED, INTERRUPTED, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from service.client.exchange import Exchange
    from service.demo.report import Seen
    from service.demo.scenes import Scene
    from service.demo.stage import Stage

_TIMEOUT = 90.0


def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each reply as one JSON line, and no tables.")] = False,
    count: Annotated[int, typer.Option(min=0, help="Send this many good requests besides the scripted ones.")] = 0,
) -> None:
    """
    Show a real RabbitMQ, a worker and a simulated endpoint at work.

    The broker is the first of these that there is: the one at VIDEOGEN_TEST_AMQP_URL; a container, where Docker runs;
    an installed rabbitmq-server; on Debian or Ubuntu, as root, the distribution's package, which is then installed.

    Exit status: 0 every reply was the expected one, 1 otherwise, 130 interrupted.
    """
    import asyncio

    from service.cli.connected import BrokerLostError
    from service.client.errors import VideogenError
    from service.demo.stage import StageError
    from service.private_broker.broker import NoBrokerError

    try:
        raise typer.Exit(asyncio.run(_demo(keep=keep, as_json=as_json, count=count)))
    except (NoBrokerError, StageError, BrokerLostError, VideogenError) as error:
        fail(str(error), FAILED)
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail("interrupted; everything that was put up is taken down", INTERRUPTED)


async def _demo(*, keep: bool, as_json: bool, count: int) -> int:
    from rich.console import Console

    from service.cli.signals import cancel_on_signals
    from service.demo.report import moved_metrics
    from service.demo.scenes import SCENES, crowd
    from service.demo.stage import raise_stage

    cancel_on_signals()
    console = Console(markup=False, emoji=False, highlight=False)
    notes = Console(stderr=True, markup=False, emoji=False, highlight=False) if as_json else console
    async with raise_stage(lambda line: notes.print(line, soft_wrap=True)) as stage:
        before = await stage.worker.metrics()
        scenes = (*SCENES, *crowd(count))
        seen = await _play(stage, scenes, console, as_json=as_json)
        if not as_json:
            console.print()
            console.print(moved_metrics(before, await stage.worker.metrics()))
            _say_where_to_look(stage, console)
        if keep:
            await _until_interrupted(notes)
        status = await stage.worker.stop()
    wrong = [entry.scene.title for entry in seen if not entry.as_expected]
    if wrong or status != 0 or len(seen) != len(scenes):
        fail(
            f"{len(seen)} of {len(scenes)} replies came, {len(wrong)} were not as expected {wrong}, "
            f"the worker's exit status was {status}",
            FAILED,
        )
    notes.print(f"All {len(seen)} replies were as expected; the worker drained and exited with 0.")
    return 0


async def _play(stage: "Stage", scenes: "tuple[Scene, ...]", console: "Console", *, as_json: bool) -> "list[Seen]":
    import asyncio

    from pydantic import SecretStr
    from rich.live import Live

    from service.cli.connected import connected_exchange
    from service.demo.report import reply_table
    from service.settings import BrokerSettings

    broker = BrokerSettings(url=SecretStr(stage.broker.url), prefix=stage.prefix)
    seen: list[Seen] = []

    def on_json(entry: "Seen") -> None:
        seen.append(entry)
        typer.echo(json.dumps({"request": entry.scene.title, **entry.reply}, ensure_ascii=False))

    try:
        async with asyncio.timeout(_TIMEOUT), connected_exchange(broker) as exchange:
            if as_json:
                await _play_scenes(exchange, scenes, on_json)
            else:
                with Live(console=console, auto_refresh=False) as live:

                    def on_row(entry: "Seen") -> None:
                        seen.append(entry)
                        live.update(reply_table(seen, len(scenes)), refresh=True)

                    await _play_scenes(exchange, scenes, on_row)
    except TimeoutError:
        typer.echo(f"No further reply within {_TIMEOUT:g} s.\n{stage.worker.log_tail()}", err=True)
    return seen


async def _play_scenes(exchange: "Exchange", scenes: "tuple[Scene, ...]", on_reply: "Callable[[Seen], None]") -> None:
    import asyncio

    from service.adapters.system import new_id
    from service.client.outbound import Outbound
    from service.demo.report import Seen

    async def play(scene: "Scene") -> None:
        asked = exchange.expect(Outbound(new_id(), scene.body, scene.content_encoding))
        await exchange.publish(asked)
        on_reply(Seen(scene, json.loads(await asked.answer)))

    await asyncio.gather(*map(play, scenes))


def _say_where_to_look(stage: "Stage", console: "Console") -> None:
    from service.private_broker.given import without_credentials

    lines = (
        f"broker    {without_credentials(stage.broker.url)}, queues {stage.prefix}.*",
        f"          failed requests are kept in {stage.prefix}.dead",
        f"endpoint  {stage.simulator.base_url}/_sim/record lists every call that was made",
        f"worker    {stage.worker.admin_url}/metrics, /readyz, /livez; log {stage.worker.log}",
    )
    # Addresses are there to be copied, so a narrow terminal must not break them.
    console.print("Where to look (with --keep it stays up):", *lines, sep="\n  ", soft_wrap=True)


async def _until_interrupted(notes: "Console") -> None:
    import asyncio
    import signal

    loop = asyncio.get_running_loop()
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupted.set)
    notes.print("Everything stays up. Press Ctrl-C to end it.")
    await interrupted.wait()
