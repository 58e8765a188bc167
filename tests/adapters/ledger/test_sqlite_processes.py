import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from service.adapters.ledger.opening import open_ledger
from service.adapters.system import SystemClock
from service.core.ledger import Running, SubmittedRecord
from service.settings import LedgerSettings
from tests.support.ledger_child import REQUESTS

ROOT = Path(__file__).parents[3]
Start = Callable[[str, str], subprocess.Popen[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def start(path: Path) -> Start:
    def start(what: str, holder: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.support.ledger_child", what, str(path), holder]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    return start


@pytest.mark.parametrize("promises", [1, 2, 7, 40])
async def test_what_was_promised_is_there_after_a_kill(path: Path, start: Start, promises: int) -> None:
    with start("promise", "child") as child:
        assert child.stdout is not None
        for _ in range(promises):
            child.stdout.readline()
        child.kill()
        # More may have been promised before the signal arrived.
        last = promises - 1 + len(child.stdout.readlines())

    settings = LedgerSettings(url=SecretStr(f"sqlite:///{path}"))
    opened = open_ledger(settings, holder="parent", lease=timedelta(hours=1), prefix="p", clock=SystemClock())
    async with opened as ledger:
        for number in range(last + 1):
            assert isinstance(known := await ledger.find(str(number)), SubmittedRecord)
            assert known.task_id == f"task-{number}"
        # The next one was cut anywhere, and nothing of it is half there.
        assert isinstance(await ledger.find(str(last + 1)), SubmittedRecord | Running | None)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_several_processes_never_get_the_same_request(start: Start) -> None:
    with start("claim", "a") as first, start("claim", "b") as second:
        children = (first, second)
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        granted = [child.stdout.read().split() for child in children if child.stdout is not None]
    assert sorted(map(int, granted[0] + granted[1])) == list(range(REQUESTS))
