"""Writes a run down: docs/bench.md, whose words are in a template beside this file, and JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from string import Template

from tests.bench.findings import Findings
from tests.bench.machine import Machine
from tests.bench.tables import sheets, verdict_sheet
from tests.bench.verdicts import Verdict

_TEMPLATE = Path(__file__).with_name("report.md.template")
_NOT_MEASURED = "Not measured in this run."
_PARTS = ("throughput", "rate", "growth", "long_run", "start")
_PICTURES: Mapping[str, str] = {
    "cost": "CPU per request by calls in flight",
    "throughput": "Requests per second by calls in flight",
    "memory": "Peak memory by calls in flight",
    "rate": "Calls accepted and refused under a limit that halves and doubles",
    "growth": "CPU per request as queue, body, ledger and time grow",
}


def write_report(path: Path, findings: Findings, verdicts: Sequence[Verdict], pictures: Sequence[str]) -> None:
    """Write it, with the pictures in the folder `bench` beside it."""
    tables = {name: sheet.for_markdown() for name, sheet in sheets(findings).items()}
    shown = {name: f"![{title}](bench/{name}.png)" for name, title in _PICTURES.items() if name in pictures}
    text = Template(_TEMPLATE.read_text()).substitute(
        machine=_machine(findings.machine),
        verdicts=verdict_sheet(verdicts).for_markdown(),
        **{name: tables.get(name, _NOT_MEASURED) for name in _PARTS},
        **{f"picture_{name}": shown.get(name, "") for name in _PICTURES},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _machine(machine: Machine) -> str:
    rows = {
        "processor": f"{machine.processor}, {machine.cores} cores",
        "memory": f"{machine.memory_gib:g} GiB",
        "Linux": machine.kernel,
        "Python": machine.python,
        "broker": machine.broker,
        "libraries": ", ".join(f"{name} {version}" for name, version in machine.libraries.items()),
        "the endpoint alone": f"{machine.endpoint_per_second:,.0f} calls a second",
        "load before": f"{machine.load_before:.2f}",
        "when": machine.when,
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def write_json(path: Path, findings: Findings, verdicts: Sequence[Verdict]) -> None:
    """Write everything, a line for each figure, so that two reports can be compared."""
    everything = asdict(findings) | {"verdicts": [verdict.sentence for verdict in verdicts]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(everything, indent=1) + "\n")
