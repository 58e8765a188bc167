"""`videogen-worker simulate`: the simulated endpoint."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import WRONG_SETTINGS, fail, known_errors_exit

if TYPE_CHECKING:
    from service.core.catalogue import Catalogue
    from service.simulator.options import SimulatorOptions
    from service.simulator.server import Simulator


_ErrorRates = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FAULT=SHARE",
        help="Share of requests that meet a fault: 429=0.1, reset=0.02, any=0.05 (spread over all). Repeatable.",
    ),
]
_ModelsFile = Annotated[
    Path | None, typer.Option(envvar="VIDEOGEN_MODELS_FILE", help="Model catalogue to use.", dir_okay=False)
]


def simulate(  # noqa: PLR0913 - one parameter for each option
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 9090,
    latency: Annotated[float, typer.Option(help="Seconds that each answer takes.", min=0)] = 0.0,
    latency_spread: Annotated[float, typer.Option(help="Up to so many seconds more, by chance.", min=0)] = 0.0,
    error_rate: _ErrorRates = None,
    rate_limit: Annotated[float | None, typer.Option(help="Requests per second; 429 beyond.")] = None,
    burst: Annotated[int | None, typer.Option(help="Requests at once under the rate limit.")] = None,
    max_running: Annotated[int | None, typer.Option(help="Unfinished tasks; 429 beyond.", min=1)] = None,
    task_seconds: Annotated[float, typer.Option(help="Seconds until a task is finished.", min=0)] = 20.0,
    api_key: Annotated[str | None, typer.Option(help="The key to ask for; unset, any will do.")] = None,
    size_separator: Annotated[str, typer.Option(help="What stands between width and height.")] = "*",
    seed: Annotated[int | None, typer.Option(help="Makes latency and faults repeatable.")] = None,
    models_file: _ModelsFile = None,
    record_limit: Annotated[
        int, typer.Option(help="Requests that are remembered; the oldest go first.", min=1)
    ] = 100_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print where it listens as one JSON line.")] = False,
) -> None:
    """
    Run a simulated endpoint until SIGINT or SIGTERM.

    It keeps the contract of the real one and costs nothing. Directives in the prompt script faults; they are
    listed in docs/simulator.md. Exit status: 0 stopped by a signal, 1 it could not listen, 2 wrong usage.
    """
    import asyncio

    from service.adapters.catalogue_file import load_catalogue
    from service.simulator.options import SimulatorOptions

    with known_errors_exit():
        catalogue = load_catalogue(models_file)
    with _wrong_values_exit():
        options = SimulatorOptions(
            host=host,
            port=port,
            api_key=api_key,
            latency=latency,
            latency_spread=latency_spread,
            error_rates=_shares(error_rate or ()),
            rate_limit=rate_limit,
            burst=burst,
            max_running=max_running,
            task_seconds=task_seconds,
            size_separator=size_separator,
            seed=seed,
            record_limit=record_limit,
        )
    asyncio.run(_serve(options, catalogue, as_json=as_json))


@contextmanager
def _wrong_values_exit() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        fail(str(error), WRONG_SETTINGS)


def _shares(texts: Sequence[str]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for text in texts:
        fault, equals, share = text.rpartition("=")
        if fault in shares:
            raise ValueError(f"--error-rate {fault} is given twice; give each fault once")
        try:
            shares[fault] = float(share if equals else "")
        except ValueError:
            raise ValueError(f"--error-rate {text}: write FAULT=SHARE, for instance 429=0.1") from None
    return shares


async def _serve(options: "SimulatorOptions", catalogue: "Catalogue", *, as_json: bool) -> None:
    import asyncio
    import signal
    from contextlib import AsyncExitStack

    from service.simulator.server import Simulator

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _wrong_values_exit():
        simulator = Simulator(options, catalogue)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(simulator)
        except OSError as error:
            fail(f"cannot listen: {error.strerror}; choose another --host or --port")
        typer.echo(_where_json(simulator) if as_json else _where(simulator, options, catalogue))
        await stop.wait()


def _where_json(simulator: "Simulator") -> str:
    url = simulator.base_url
    return json.dumps({"base_url": url, "record_url": f"{url}/_sim/record", "summary_url": f"{url}/_sim/summary"})


def _where(simulator: "Simulator", options: "SimulatorOptions", catalogue: "Catalogue") -> str:
    import shlex

    url = simulator.base_url
    key = shlex.quote(f"Authorization: Bearer {options.api_key or 'any-key'}")
    body = {"model": catalogue.models[0].name, "prompt": "a cat on a surfboard [sim: 503 x2]"}
    return (
        f"Simulated endpoint at {url}; Ctrl-C stops it. Try:\n\n"
        f"  curl -s {url}/v2/videos/generations -H {key} \\\n"
        f"    -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body))}\n"
        f"  curl -s {url}/_sim/summary\n"
    )
