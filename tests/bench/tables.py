"""The findings as tables: headings and rows of text, for the terminal and for Markdown alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from rich.table import Table

from tests.bench.findings import Findings
from tests.bench.rivals import Rival
from tests.bench.trial import Measured
from tests.bench.verdicts import Verdict

NONE = "-"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table. The first `texts` columns are set to the left, the others to the right.

    `grouped`: rows with the same first column belong together.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1
    grouped: bool = False

    def for_terminal(self) -> Table:
        table = Table(title=self.title, title_justify="left", header_style="bold")
        for number, heading in enumerate(self.headings):
            table.add_column(heading, justify="left" if number < self.texts else "right", no_wrap=number >= self.texts)
        for before, row in zip([None, *self.rows], self.rows, strict=False):
            if self.grouped and before is not None and before[0] != row[0]:
                table.add_section()
            table.add_row(*row)
        return table

    def for_markdown(self) -> str:
        line = ["---" if number < self.texts else "--:" for number in range(len(self.headings))]
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.headings, line, *self.rows))


def verdict_sheet(verdicts: Sequence[Verdict]) -> Sheet:
    rows = [("holds" if each.holds else "BROKEN", each.promise, each.figure) for each in verdicts]
    return Sheet("Promises", ("", "promise", "measured"), rows, texts=3)


def throughput_sheet(findings: Findings) -> Sheet:
    """Put the rivals of each cell below each other; of several rounds, the medians."""
    headings = (
        *("in flight, latency", "who", "CPU ms/request", "x bare loop", "requests/s", "cores"),
        *("peak MiB", "p50 ms", "p99 ms", "at /s", "rounds"),
    )
    cells = sorted({(each.latency, each.in_flight) for each in findings.throughput})
    rows = [
        (f"{in_flight:,}, {latency:g} s", rival.called, *figures)
        for latency, in_flight in cells
        for rival in Rival
        if (figures := _figures(findings, rival, in_flight, latency))
    ]
    return Sheet("A full queue, then a steady trickle", headings, rows, texts=2, grouped=True)


def _figures(findings: Findings, rival: Rival, in_flight: int, latency: float) -> tuple[str, ...]:
    rounds, bare = findings.of(rival, in_flight, latency), findings.of(Rival.BARE, in_flight, latency)
    if not rounds:
        return ()
    cpu = median(each.cpu_ms for each in rounds)
    ratio = f"{cpu / median(each.cpu_ms for each in bare):.2f}" if bare else NONE
    return (
        f"{cpu:.2f}",
        ratio,
        f"{median(each.per_second for each in rounds):,.0f}{'*' * any(each.cut_short for each in rounds)}",
        f"{median(each.cores for each in rounds):.2f}",
        f"{median(each.peak_mib for each in rounds):.0f}",
        _middle([each.p50_ms for each in rounds]),
        _middle([each.p99_ms for each in rounds]),
        f"{rounds[0].steady_rate:.3g}",
        str(len(rounds)),
    )


def _middle(values: Sequence[float | None]) -> str:
    there = [value for value in values if value is not None]
    return f"{median(there):,.1f}" if there else NONE


def rate_sheet(findings: Findings) -> Sheet:
    headings = (
        *("limit", "workers", "goodput", "refused", "settled after half", "settled after double"),
        "farthest worker",
    )
    rows = [
        (
            f"{trial.limit:g}/s",
            str(trial.workers),
            f"{trial.goodput:.1%}",
            f"{trial.refused:.1%}",
            _seconds(trial.after_half),
            _seconds(trial.after_double),
            f"±{trial.unevenness:.0%}" if trial.workers > 1 else NONE,
        )
        for trial in findings.rate
    ]
    return Sheet("Under a rate limit", headings, rows)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


_GROWING = {"backlog": "requests in the queue", "body_size": "bytes of a body", "ledger_rows": "requests on record"}


def growth_sheet(findings: Findings) -> Sheet:
    headings = ("what grows", "to", "who", "CPU ms/request", "requests/s", "peak MiB", "rounds")
    return Sheet("Growth", headings, list(_growth_rows(findings)), texts=3, grouped=True)


def _growth_rows(findings: Findings) -> Iterator[tuple[str, ...]]:
    for what in findings.growth:
        for (rival, value), rounds in findings.grown(what).items():
            yield (_GROWING[what], f"{value:,}", rival.called, *_costs(rounds), str(len(rounds)))


def _costs(rounds: Sequence[Measured]) -> tuple[str, str, str]:
    return (
        f"{median(each.cpu_ms for each in rounds):.2f}",
        f"{median(each.per_second for each in rounds):,.0f}",
        f"{median(each.peak_mib for each in rounds):.0f}",
    )


def long_run_sheet(findings: Findings) -> Sheet:
    headings = ("requests so far", "CPU ms/request", "requests/s", "MiB")
    rows = [
        (f"{each.requests:,}", f"{each.cpu_ms:.2f}", f"{each.per_second:,.0f}", f"{each.memory_mib:.0f}")
        for each in findings.long_run
    ]
    return Sheet("One long run, by tenths", headings, rows)


def start_sheet(findings: Findings) -> Sheet:
    starts = findings.starts
    if starts is None:
        return Sheet("Start", (), ())
    named = {
        "from exec to consuming": starts.consuming,
        "the same, with queues to be made": starts.on_new_queues,
        "import of the package": starts.importing,
    }
    rows = [(name, *(f"{value:.2f}" for value in (median(all_), min(all_), max(all_)))) for name, all_ in named.items()]
    return Sheet("Start", ("seconds", "median", "least", "most"), rows)


def sheets(findings: Findings) -> dict[str, Sheet]:
    """Give all tables that have rows, by name."""
    every = {
        "throughput": throughput_sheet(findings),
        "rate": rate_sheet(findings),
        "growth": growth_sheet(findings),
        "long_run": long_run_sheet(findings),
        "start": start_sheet(findings),
    }
    return {name: sheet for name, sheet in every.items() if sheet.rows}
