import json
from dataclasses import replace
from pathlib import Path

from tests.bench.findings import Findings
from tests.bench.growth import Slice
from tests.bench.plots import draw_all
from tests.bench.report import write_json, write_report
from tests.bench.rivals import Rival
from tests.bench.start import Starts
from tests.bench.tables import sheets
from tests.bench.test_verdicts import MACHINE, TRIAL, measured
from tests.bench.verdicts import judge

FINDINGS = Findings(
    MACHINE,
    throughput=[
        measured(Rival.SQLITE, cpu_ms=1.2),
        measured(Rival.SQLITE, cpu_ms=1.4),
        measured(Rival.SQLITE, cpu_ms=9.9),
        replace(measured(Rival.BARE, cpu_ms=0.7), cut_short=True, p50_ms=None, p99_ms=None),
    ],
    rate=[replace(TRIAL, series=[(100.0, 3.0)] * 75, after_double=None)],
    growth={"backlog": [measured(Rival.SQLITE, cpu_ms=cpu_ms) for cpu_ms in (1.5, 1.1, 7.0)]},
    long_run=[Slice(6000, 1.1, 800.0, 90.0), Slice(12000, 1.1, 800.0, 91.0)],
    starts=Starts([0.9], [1.5], [0.3]),
)


def test_a_table_shows_medians_beside_the_bare_loop() -> None:
    ours, bare = sheets(FINDINGS)["throughput"].rows
    assert ours[:4] == ("64, 0 s", "worker, SQLite", "1.40", "2.00")
    assert bare[1:5] == ("bare loop", "0.70", "1.00", "500*")
    assert bare[7:9] == ("-", "-")


def test_growth_is_shown_as_medians_of_its_rounds() -> None:
    (row,) = sheets(FINDINGS)["growth"].rows
    assert row[1:4] == ("1,000", "worker, SQLite", "1.50")


def test_what_never_settled_is_said_so() -> None:
    (row,) = sheets(FINDINGS)["rate"].rows
    assert row == ("100/s", "4", "97.0%", "3.0%", "4.0 s", "never", "±10%")


def test_the_page_has_every_table_and_every_picture(tmp_path: Path) -> None:
    pictures = draw_all(FINDINGS, tmp_path / "bench")
    write_report(tmp_path / "bench.md", FINDINGS, judge(FINDINGS), pictures)
    page = (tmp_path / "bench.md").read_text()
    assert "Not measured" not in page
    for sheet in sheets(FINDINGS).values():
        assert sheet.for_markdown() in page
    for name in ("cost", "throughput", "memory", "rate", "growth"):
        assert f"](bench/{name}.png)" in page
        assert (tmp_path / "bench" / f"{name}.png").stat().st_size > 5000


def test_a_page_of_one_part_says_what_was_not_measured(tmp_path: Path) -> None:
    findings = Findings(MACHINE, starts=Starts([0.9], [1.5], [0.3]))
    write_report(tmp_path / "bench.md", findings, judge(findings), draw_all(findings, tmp_path / "bench"))
    page = (tmp_path / "bench.md").read_text()
    assert page.count("Not measured in this run.") == 4
    assert ".png" not in page


def test_json_holds_every_figure(tmp_path: Path) -> None:
    write_json(tmp_path / "results.json", FINDINGS, judge(FINDINGS))
    read = json.loads((tmp_path / "results.json").read_text())
    assert [each["cpu_ms"] for each in read["throughput"]] == [1.2, 1.4, 9.9, 0.7]
    assert read["rate"][0]["after_double"] is None
    assert len(read["verdicts"]) == len(judge(FINDINGS))
