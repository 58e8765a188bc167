"""Shows what the demo saw: a row for each reply as it arrives, then the metrics that moved."""

from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table
from rich.text import Text

from service.adapters.result_text import answer_text, status_text
from service.demo.scenes import Scene

_TEXT_LIMIT = 320


@dataclass(frozen=True, slots=True)
class Seen:
    """A scene and its reply."""

    scene: Scene
    reply: dict[str, Any]

    @property
    def as_expected(self) -> bool:
        """Whether the reply is the one that the scene announces."""
        error = self.reply.get("error")
        return (error["code"] if error else None) == self.scene.expected


def reply_table(seen: list[Seen], total: int) -> Table:
    """Lay the replies out, newest last."""
    table = Table(title=f"Replies: {len(seen)} of {total}", expand=True)
    table.add_column("request", ratio=3)
    table.add_column("status", no_wrap=True)
    table.add_column("task id, or error", ratio=6, overflow="fold")
    table.add_column("calls", justify="right")
    for entry in seen:
        if not entry.scene.one_of_many:
            answer = answer_text(entry.reply, _TEXT_LIMIT)
            table.add_row(Text(entry.scene.title), status_text(entry.reply), answer, str(entry.reply["attempts"]))
    if many := [entry.reply for entry in seen if entry.scene.one_of_many]:
        task_ids = {reply["task_id"] for reply in many if "task_id" in reply}
        calls = sum(reply["attempts"] for reply in many)
        table.add_row(f"{len(many)} good requests", "", f"{len(task_ids)} different task ids", str(calls))
    return table


def moved_metrics(before: str, after: str) -> Table:
    """List the counters and gauges of the worker that changed between two scrapes."""
    table = Table(title="Metrics that moved")
    table.add_column("metric", overflow="fold")
    table.add_column("before", justify="right")
    table.add_column("after", justify="right")
    old = _samples(before)
    for name, value in sorted(_samples(after).items()):
        if value != old.get(name, 0.0):
            table.add_row(Text(name), f"{old.get(name, 0.0):g}", f"{value:g}")
    return table


def _samples(text: str) -> dict[str, float]:
    return {
        _name(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        if family.name.startswith("videogen_") and family.type in {"counter", "gauge"}
        for sample in family.samples
        if not sample.name.endswith(("_created", "_timestamp_seconds", "_lag_seconds"))
    }


def _name(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{name}{{{inside}}}" if inside else name
