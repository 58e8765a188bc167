"""The findings as pictures."""

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tests.bench.findings import Findings
from tests.bench.rate import RateTrial
from tests.bench.rivals import Rival
from tests.bench.trial import Measured

_COLOURS: Mapping[Rival, str] = {
    Rival.NONE: "#8ab8ff",
    Rival.SQLITE: "#3274d9",
    Rival.REDIS: "#a352cc",
    Rival.BARE: "#56a64b",
    Rival.LEAN: "#96d98d",
    Rival.FASTSTREAM: "#ff780a",
}
_THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")
_INCH = 100
_WIDTH = 12.0


def draw_all(findings: Findings, folder: Path) -> list[str]:
    """Write a PNG for each part that was measured, and give the names."""
    drawn: dict[str, Callable[[], Figure]] = {}
    if findings.throughput:
        drawn["cost"] = lambda: _by_in_flight(findings, "CPU ms per request", lambda each: each.cpu_ms)
        drawn["throughput"] = lambda: _by_in_flight(findings, "requests per second", lambda each: each.per_second)
        drawn["memory"] = lambda: _by_in_flight(findings, "peak MiB", lambda each: each.peak_mib)
    if findings.rate:
        drawn["rate"] = lambda: _rate(findings)
    if findings.growth or findings.long_run:
        drawn["growth"] = lambda: _growth(findings)
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in drawn.items():
        draw().savefig(folder / f"{name}.png", dpi=_INCH, metadata={"Software": None})
    return list(drawn)


def _panels(columns: int, rows: int = 1, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(_WIDTH, height * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for each in axes:
        each.grid(axis="y", color="#dddddd", linewidth=0.6)
        each.set_axisbelow(True)
    return figure, list(axes)


def _by_in_flight(findings: Findings, unit: str, figure_of: Callable[[Measured], float]) -> Figure:
    latencies = sorted({each.latency for each in findings.throughput})
    figure, panels = _panels(len(latencies))
    for axes, latency in zip(panels, latencies, strict=True):
        axes.set_title(f"endpoint latency {latency:g} s", loc="left", fontsize=10, fontweight="bold")
        for rival in Rival:
            many = sorted(
                {each.in_flight for each in findings.throughput if (each.rival, each.latency) == (rival, latency)}
            )
            values = [median(map(figure_of, findings.of(rival, in_flight, latency))) for in_flight in many]
            axes.plot(many, values, "o-", color=_COLOURS[rival], label=rival.called, linewidth=1.6, markersize=4)
        axes.set_xscale("symlog", linthresh=1)
        ticks = sorted({each.in_flight for each in findings.throughput})
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("in flight", fontsize=9)
        axes.set_ylabel(unit, fontsize=9)
    panels[0].legend(fontsize=8, frameon=False)
    return figure


def _rate(findings: Findings) -> Figure:
    many = sorted({trial.workers for trial in findings.rate})
    rows = -(-len(findings.rate) // len(many))
    figure, panels = _panels(len(many), rows, height=2.8)
    for axes, trial in zip(panels, findings.rate, strict=False):
        _rate_panel(axes, trial)
    panels[0].legend(fontsize=8, frameon=False, loc="lower right")
    return figure


def _rate_panel(axes: Axes, trial: RateTrial) -> None:
    workers = f"{trial.workers} worker{'s' * (trial.workers > 1)}"
    axes.set_title(f"{trial.limit:g}/s, {workers}", loc="left", fontsize=10, fontweight="bold")
    seconds = range(len(trial.series))
    axes.plot(seconds, [yes for yes, _ in trial.series], color="#3274d9", label="accepted", linewidth=1.4)
    axes.plot(seconds, [no for _, no in trial.series], color="#e02f44", label="refused", linewidth=1.2)
    limits = [trial.limit / 2 if 0 <= second - trial.steady < trial.phase else trial.limit for second in seconds]
    axes.step(seconds, limits, where="post", color="#222222", label="limit", linewidth=1.0, linestyle="--")
    axes.set_ylim(0, max(1.6 * trial.limit, 1.05 * max(no for _, no in trial.series)))
    axes.set_ylabel("calls in a second", fontsize=9)
    axes.set_xlabel("seconds", fontsize=9)


def _growth(findings: Findings) -> Figure:
    names = {"backlog": "requests in the queue", "body_size": "bytes of a body", "ledger_rows": "requests on record"}
    figure, panels = _panels(len(findings.growth) + bool(findings.long_run))
    for axes, what in zip(panels, findings.growth, strict=False):
        rounds = findings.grown(what)
        axes.set_title(names[what], loc="left", fontsize=10, fontweight="bold")
        for rival in Rival:
            line = [
                (value, median(each.cpu_ms for each in rounds[who, value])) for who, value in rounds if who is rival
            ]
            if line:
                axes.plot(*zip(*line, strict=True), "o-", color=_COLOURS[rival], label=rival.called, markersize=4)
        if what == "backlog":
            axes.set_xscale("log")
        else:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=3))
        axes.xaxis.set_major_formatter(_THOUSANDS)
        axes.legend(fontsize=8, frameon=False)
    if findings.long_run:
        axes = panels[-1]
        axes.set_title("one long run", loc="left", fontsize=10, fontweight="bold")
        done = [each.requests for each in findings.long_run]
        axes.plot(done, [each.cpu_ms for each in findings.long_run], "o-", color="#3274d9", markersize=4)
        beside = axes.twinx()
        beside.plot(done, [each.memory_mib for each in findings.long_run], "s--", color="#e02f44", markersize=3)
        beside.set_ylabel("MiB", fontsize=9, color="#e02f44")
        beside.set_ylim(bottom=0)
        axes.set_xlabel("requests", fontsize=9)
        axes.xaxis.set_major_formatter(_THOUSANDS)
    for axes in panels:
        axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
        axes.set_ylabel("CPU ms per request", fontsize=9)
    return figure
