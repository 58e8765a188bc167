"""Draws panels of the dashboard with matplotlib, as Grafana would: same queries, same colours, same units."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator

from tests.deploy.monitoring.prometheus import Series

_COLOURS: Mapping[str, str] = {
    "green": "#56a64b",
    "light-green": "#96d98d",
    "red": "#e02f44",
    "dark-red": "#8b0f1f",
    "blue": "#3274d9",
    "light-blue": "#8ab8ff",
    "orange": "#ff780a",
    "light-orange": "#ffb357",
    "dark-orange": "#b34700",
    "yellow": "#f2cc0c",
    "dark-yellow": "#b58900",
    "purple": "#a352cc",
    "dark-purple": "#5c2d91",
}
_OTHERS = tuple(_COLOURS[name] for name in ("blue", "orange", "green", "purple", "red", "dark-yellow"))
_UNITS: Mapping[str, tuple[str, float]] = {
    "reqps": ("per second", 1),
    "s": ("seconds", 1),
    "short": ("", 1),
    "percentunit": ("%", 100),
    "bytes": ("MiB", 2**-20),
}
"""What stands at the axis, and what values are multiplied by."""

STEP = 1.0
"""Seconds from one value of a line to the next; where more are missing, the line has a gap."""


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a panel, by the name that its legend shows; times are seconds since the picture's left edge."""

    name: str
    times: Sequence[float]
    values: Sequence[float]


def named(legend: str, series: Series, began: float) -> Line:
    """Fill a legend in with the labels of a series."""
    name = re.sub(r"\{\{(\w+)\}\}", lambda found: series.labels.get(found[1], ""), legend).strip()
    return Line(name, [at - began for at in series.times], series.values)


def draw(axes: Axes, panel: Mapping[str, Any], lines: Sequence[Line]) -> None:
    """Draw a panel into `axes`, with its title and unit."""
    axes.set_title(panel["title"], loc="left", fontsize=10, fontweight="bold")
    match panel["type"]:
        case "state-timeline":
            _draw_states(axes, panel, lines)
        case "heatmap":
            _draw_heat_map(axes, lines)
        case _:
            _draw_lines(axes, panel, lines)


def _with_gaps(line: Line, factor: float) -> tuple[list[float], list[float]]:
    """Put a value that is no number where values are missing: matplotlib then draws no line there."""
    times: list[float] = []
    values: list[float] = []
    for at, value in zip(line.times, line.values, strict=True):
        if times and at - times[-1] > 1.5 * STEP:
            times.append(at - STEP)
            values.append(math.nan)
        times.append(at)
        values.append(value * factor)
    return times, values


def _draw_lines(axes: Axes, panel: Mapping[str, Any], lines: Sequence[Line]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    colours = _colours(panel, lines)
    unit, factor = _UNITS[defaults["unit"]]
    stacked = defaults["custom"]["stacking"]["mode"] == "normal"
    lines = [line for line in lines if any(line.values)] if stacked else lines
    if stacked:
        times = sorted({at for line in lines for at in line.times})
        layers = [np.interp(times, line.times, line.values) for line in lines]
        axes.stackplot(
            times,
            *layers,
            labels=[line.name for line in lines],
            colors=[colours[line.name] for line in lines],
            linewidth=0,
        )
    else:
        for line in lines:
            axes.plot(*_with_gaps(line, factor), label=line.name, color=colours[line.name], linewidth=1.6)
    axes.set_ylabel("in 10 s" if defaults["custom"]["drawStyle"] == "bars" else unit, fontsize=9)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=defaults.get("decimals") == 0))
    axes.margins(y=0.12)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1.04), fontsize=8, frameon=False, handlelength=1.2)


def _draw_states(axes: Axes, panel: Mapping[str, Any], lines: Sequence[Line]) -> None:
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    for row, line in enumerate(reversed(lines)):
        for value, shown in mapping["options"].items():
            where = [at for at, state in zip(line.times, line.values, strict=True) if state == float(value)]
            axes.broken_barh(
                [(at, 1.0) for at in where], (row - 0.38, 0.76), color=_COLOURS[shown["color"]], linewidth=0
            )
    axes.set_yticks(range(len(lines)), [line.name for line in reversed(lines)], fontsize=8)
    axes.tick_params(axis="y", length=0)
    for shown in mapping["options"].values():
        axes.plot([], [], color=_COLOURS[shown["color"]], linewidth=6, label=shown["text"])
    axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1.04), fontsize=8, frameon=False, handlelength=1.2)


def _draw_heat_map(axes: Axes, lines: Sequence[Line]) -> None:
    buckets = sorted(lines, key=lambda line: float(line.name))
    times = sorted({at for line in buckets for at in line.times})
    upto = np.array([np.interp(times, line.times, line.values) for line in buckets])
    counts = np.clip(np.diff(upto, axis=0, prepend=0), 0, None)
    used = [row for row in range(len(buckets)) if counts[row].max() > 0]
    rows = slice(max(0, min(used) - 1), max(used) + 1)
    # Edges are one more than cells, in both directions.
    edges = [*times, times[-1] + times[-1] - times[-2]]
    shown = np.ma.masked_less_equal(counts[rows], 1e-9)
    mesh = axes.pcolormesh(edges, range(shown.shape[0] + 1), shown, cmap=colormaps["YlOrRd"], norm=PowerNorm(0.5))
    ends = [buckets[row].name for row in range(*rows.indices(len(buckets)))]
    axes.set_yticks(range(1, shown.shape[0] + 1), [f"{float(end):g}" for end in ends], fontsize=8)
    axes.set_ylabel("seconds, up to", fontsize=9)
    figure = axes.get_figure()
    assert figure is not None
    inset = axes.inset_axes((1.015, 0.05, 0.015, 0.9))
    figure.colorbar(mesh, cax=inset).set_label("calls in 10 s", fontsize=8)
    inset.tick_params(labelsize=8)


def _colours(panel: Mapping[str, Any], lines: Sequence[Line]) -> Mapping[str, str]:
    fixed = {
        override["matcher"]["options"]: _COLOURS[override["properties"][0]["value"]["fixedColor"]]
        for override in panel["fieldConfig"]["overrides"]
    }
    others = [line.name for line in lines if line.name not in fixed]
    return {**{name: _OTHERS[number % len(_OTHERS)] for number, name in enumerate(others)}, **fixed}
