"""`python -m tests.bench`: measures the worker beside its rivals, prints tables, and writes the report."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from service.private_broker import NoBrokerError
from tests.bench.endpoint_load import calls_per_second
from tests.bench.endpoint_process import endpoint
from tests.bench.fast_loop import run
from tests.bench.findings import Findings
from tests.bench.growth import growth, long_run
from tests.bench.machine import describe
from tests.bench.plan import Plan, Size, plan_for
from tests.bench.plots import draw_all
from tests.bench.rate import rate_trials
from tests.bench.report import write_json, write_report
from tests.bench.rivals import Rival
from tests.bench.stage import Stage, open_stage
from tests.bench.start import starts
from tests.bench.tables import sheets, verdict_sheet
from tests.bench.throughput import throughput
from tests.bench.verdicts import judge

DOCS = Path("docs")
SCRATCH = Path("build/bench")


T = TypeVar("T", int, float)


class Part(StrEnum):
    """What can be measured alone."""

    THROUGHPUT = "throughput"
    RATE = "rate"
    GROWTH = "growth"
    START = "start"


def main(
    *,
    size: Annotated[Size, typer.Option(help="quick: minutes. full: the report.")] = Size.FULL,
    only: Annotated[list[Part] | None, typer.Option(help="Measure this part alone; repeatable.")] = None,
    workers: Annotated[str, typer.Option(help="Who: none,sqlite,redis,bare,lean,faststream.")] = ",".join(Rival),
    in_flight: Annotated[str, typer.Option(help="Calls in flight, such as 64,2000.")] = "",
    latency: Annotated[str, typer.Option(help="Latencies of the endpoint in seconds, such as 0,0.2.")] = "",
    repeat: Annotated[int | None, typer.Option(min=1, help="Rounds of the cells that promises are about.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Measured requests in each cell.")] = None,
    limits: Annotated[str, typer.Option(help="Rate limits, such as 20,100.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Where the report goes: docs for all of the full size, else build/bench.")
    ] = None,
    judged: Annotated[bool, typer.Option("--judge", help="End with 1 if a promise is broken.")] = False,
) -> None:
    """Measure the worker beside a bare loop and FastStream, and write tables, JSON and pictures."""
    plan = plan_for(size)
    plan = replace(
        plan,
        rivals=_rivals(workers),
        in_flight=_numbers(in_flight, int) or plan.in_flight,
        latencies=_numbers(latency, float) or plan.latencies,
        rate_limits=_numbers(limits, float) or plan.rate_limits,
        everywhere=plan.everywhere or bool(in_flight or latency),
        repeat=repeat or plan.repeat,
        count=count,
    )
    complete = size is Size.FULL and not only and plan == plan_for(size)
    folder = out or (DOCS if complete else SCRATCH)
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        findings = run(_measure(plan, only or list(Part), console))
    except NoBrokerError as error:
        console.print(str(error))
        raise typer.Exit(1) from error
    verdicts = judge(findings)
    for sheet in (*sheets(findings).values(), verdict_sheet(verdicts)):
        console.print(sheet.for_terminal())
    write_json(folder / "bench" / "results.json", findings, verdicts)
    write_report(folder / "bench.md", findings, verdicts, draw_all(findings, folder / "bench"))
    console.print(f"Written: {folder / 'bench.md'}, {folder / 'bench'}")
    if judged and not all(verdict.holds for verdict in verdicts):
        raise typer.Exit(1)


def _rivals(text: str) -> tuple[Rival, ...]:
    try:
        return tuple(Rival(name) for name in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{error}; choose from {', '.join(Rival)}") from error


def _numbers(text: str, kind: Callable[[str], T]) -> tuple[T, ...]:
    try:
        return tuple(kind(each) for each in text.split(",") if each)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no list of numbers, such as 64,2000") from error


async def _measure(plan: Plan, parts: list[Part], console: Console) -> Findings:
    load_before = os.getloadavg()[0]
    with Progress(
        SpinnerColumn(finished_text=""),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        # Drawing takes CPU from what is measured.
        auto_refresh=False,
    ) as progress:
        task = progress.add_task("")

        def say(line: str) -> None:
            progress.update(task, description=line, refresh=True)
            if not console.is_terminal:
                console.print(f"{datetime.now(UTC):%H:%M:%S} {line}")

        async with open_stage(say) as stage:
            async with endpoint(stage.folder) as server:
                alone = await calls_per_second(server)
            today = f"{datetime.now(UTC):%Y-%m-%d}"
            findings = Findings(describe(stage, alone, load_before, today))
            await _measure_parts(stage, plan, parts, findings)
    return findings


async def _measure_parts(stage: Stage, plan: Plan, parts: list[Part], findings: Findings) -> None:
    if Part.START in parts:
        findings.starts = await starts(stage, plan)
    if Part.THROUGHPUT in parts:
        async for measured in throughput(stage, plan):
            findings.throughput.append(measured)
    if Part.RATE in parts:
        async for trial in rate_trials(stage, plan):
            findings.rate.append(trial)
    if Part.GROWTH in parts:
        async for what, measured in growth(stage, plan):
            findings.growth.setdefault(what, []).append(measured)
        findings.long_run = await long_run(stage, plan)


if __name__ == "__main__":
    typer.run(main)
