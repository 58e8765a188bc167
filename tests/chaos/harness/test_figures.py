import json
from pathlib import Path

from tests.chaos.harness.figures import Figures, table, write_report

ROW = Figures(
    test="test_a_kill_loses_nothing[redis]",
    ledger="redis",
    broker="4.0.5",
    requests=2000,
    faults="40 kills",
    lost=0,
    paid_twice=0,
    repeated=7,
    uncertain=311,
    seconds=61.04,
    seed=7,
    more={"MiB": 61.5},
)


def test_the_table_has_a_heading_and_a_line_for_each_row() -> None:
    heading, line, more = table([ROW])

    assert heading.split()[:4] == ["test", "ledger", "broker", "requests"]
    assert line.startswith("a kill loses nothing  redis   4.0.5       2000  40 kills")
    assert more == "a kill loses nothing: MiB 61.5"


def test_the_report_holds_every_figure(tmp_path: Path) -> None:
    write_report(tmp_path / "chaos.json", [ROW])

    (read,) = json.loads((tmp_path / "chaos.json").read_text())
    assert (read["test"], read["repeated"], read["more"]) == (ROW.test, 7, {"MiB": 61.5})
