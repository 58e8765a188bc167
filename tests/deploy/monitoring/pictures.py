"""Makes the pictures in docs/pictures: two workers, three minutes, twelve incidents, and the dashboard's own queries.

`python -m tests.deploy.monitoring.pictures`, at the root of the repository. It needs what the tests need.
"""

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from tests.deploy.monitoring import incidents
from tests.deploy.monitoring.dashboard import Query, panels
from tests.deploy.monitoring.drawing import STEP, Line, draw, named
from tests.deploy.monitoring.places import PICTURES
from tests.deploy.monitoring.prometheus import Prometheus
from tests.deploy.monitoring.stage import Stage, open_stage

QUIET, LASTING = 7.0, 7.0
"""Seconds between two incidents, and of one at least."""

PLAN: Mapping[str, incidents.Incident] = {
    "wrong requests": incidents.wrong_requests,
    "504 after accepting": incidents.lost_answers,
    "copies": incidents.copies,
    "reply queue gone": incidents.lost_replies,
    "429": incidents.rate_limit,
    "key refused": incidents.refused_key,
    "endpoint away": incidents.unreachable_endpoint,
    "ledger away": incidents.lost_ledger,
    "broker killed": incidents.dead_broker,
    "memory alarm": incidents.memory_alarm,
    "worker replaced": incidents.roll_out,
}

SHOWN: Mapping[str, Sequence[str]] = {
    "requests": ("What requests come to", "Failed requests", "Requests in flight, and the limit", "Wait in the queue"),
    "endpoint": ("Calls", "Duration of calls", "Calls that came to nothing", "Retries", "Money at risk"),
    "pauses": ("Pauses", "Broker", "Workers over time", "Results published", "Duration of publishes"),
    "queues": ("Queue of requests", "Consumers", "Wait queues", "For a person"),
    "processes": ("Event loop lag", "CPU", "Memory", "Open files"),
}
"""Panels by picture, with the titles that they have on the dashboard."""


@dataclass(frozen=True, slots=True)
class Span:
    """When an incident began and ended, Unix time."""

    name: str
    began: float
    ended: float


async def befall(stage: Stage) -> list[Span]:
    """Have every incident happen, with ordinary traffic between them."""
    spans = []
    await asyncio.sleep(QUIET)
    for name, incident in PLAN.items():
        began = time.time()
        await incident(stage, LASTING)
        spans.append(Span(name, began, time.time()))
        _say(f"{name}: {spans[-1].ended - began:.0f} s")
        await asyncio.sleep(QUIET)
    return spans


async def lines_of(prometheus: Prometheus, panel: Mapping[str, Any], began: float, ended: float) -> list[Line]:
    """Ask the queries of one panel, as the dashboard would for this time."""
    lines = []
    for target in panel["targets"]:
        query = Query(panel["title"], target["expr"], target["legendFormat"])
        expression = query.filled_in("10s", f"{ended - began:.0f}s", job="videogen-worker")
        found = await prometheus.over_time(expression, began, ended, STEP)
        lines += [named(query.legend, series, began) for series in found]
    return lines


async def picture(prometheus: Prometheus, titles: Sequence[str], spans: Sequence[Span]) -> Figure:
    """Draw panels below each other, over one axis of time, with the incidents behind them."""
    began, ended = spans[0].began - QUIET, spans[-1].ended + QUIET
    figure = Figure(figsize=(11, 1.9 * len(titles) + 1.1), dpi=100, layout="constrained")
    everywhere = figure.subplots(len(titles), 1, sharex=True, squeeze=False)[:, 0]
    for axes, title in zip(everywhere, titles, strict=True):
        (panel,) = (each for each in panels() if each["title"] == title)
        draw(axes, panel, await lines_of(prometheus, panel, began, ended))
        axes.spines[["top", "right"]].set_visible(False)
        for span in spans:
            axes.axvspan(span.began - began, span.ended - began, color="#ececec", linewidth=0, zorder=0)
    for span in spans:
        place = (span.began - began, 1.22)
        everywhere[0].annotate(span.name, place, xycoords=("data", "axes fraction"), rotation=20, fontsize=8)
    bottom = everywhere[-1]
    bottom.set_xlim(0, ended - began)
    bottom.xaxis.set_major_locator(MultipleLocator(30))
    bottom.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value // 60:.0f}:{value % 60:02.0f}"))
    bottom.set_xlabel("minutes", fontsize=9)
    return figure


async def main() -> None:
    mpl.use("agg")
    # Connections that are lost here are lost on purpose.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="videogen-pictures-") as folder:
        async with open_stage(_say, Path(folder), workers=2, rate=12.0) as stage:
            await asyncio.sleep(QUIET)
            spans = await befall(stage)
            for name, titles in SHOWN.items():
                figure = await picture(stage.prometheus, titles, spans)
                figure.savefig(PICTURES / f"{name}.png", pil_kwargs={"optimize": True})


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    asyncio.run(main())
