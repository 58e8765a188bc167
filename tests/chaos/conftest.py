"""Options, seed, figures and log tails of the chaos suite; CONTRIBUTING.md tells how to run it."""

from collections.abc import AsyncIterator, Generator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.chaos.harness.figures import Figures, table, write_report
from tests.chaos.harness.ledgers import LedgerPlace, ledger_place
from tests.chaos.harness.seed import SHARED, random_for, repeat_command, seed_of, size_of
from tests.chaos.harness.size import Size
from tests.chaos.harness.trial import Trial
from tests.support.private_redis import RedisServer

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

ROWS = pytest.StashKey[list[Figures]]()
TRIAL = pytest.StashKey[Trial]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--chaos-seed", type=int, metavar="N", help="repeat the run with this seed")
    group.addoption("--chaos-size", choices=[*Size], default=Size.CI, help="ci: minutes; full: release figures")
    group.addoption("--chaos-report", type=Path, metavar="PATH", help="write the figures there as JSON")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: "WorkerController") -> None:
    """Give each process that shares the run the one seed."""
    node.workerinput[SHARED] = seed_of(node.config)


def pytest_report_header(config: pytest.Config) -> str:
    return f"chaos: seed {seed_of(config)}, size {size_of(config)}"


@pytest.fixture
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Trial:
    config, name = request.config, request.node.name
    seed = seed_of(config)
    rows = config.stash.setdefault(ROWS, [])
    trial = Trial(name, seed, size_of(config), tmp_path, random_for(seed, name), rows)
    request.node.stash[TRIAL] = trial
    return trial


@pytest.fixture(params=["sqlite", "redis"])
async def ledger(request: pytest.FixtureRequest, trial: Trial, redis_server: RedisServer) -> AsyncIterator[LedgerPlace]:
    async with ledger_place(request.param, trial.folder, redis_server.url) as place:
        yield place


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure how to repeat it, and what the processes said last."""
    report = yield
    trial = item.stash.get(TRIAL, None)
    if report.failed and trial is not None:
        report.sections.append(("repeat with", repeat_command(trial.seed, trial.size, item.nodeid)))
        report.sections += [(f"last lines of {name} in {trial.folder}", tail) for name, tail in trial.log_tails()]
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["chaos rows"] = [asdict(row) for row in session.config.stash.get(ROWS, [])]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: "WorkerController") -> None:
    """Take over the figures of a process that shared the run."""
    rows = node.config.stash.setdefault(ROWS, [])
    rows += [Figures(**row) for row in getattr(node, "workeroutput", {}).get("chaos rows", [])]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("chaos")
    for line in table(rows):
        terminalreporter.write_line(line)
    report: Path | None = config.getoption("chaos_report", None)
    if report is not None:
        write_report(report, rows)
        terminalreporter.write_line(f"written to {report}")
