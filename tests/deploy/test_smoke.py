"""The verdicts of deploy/smoke.sh. `docker` is a stand-in here; tests/deploy/test_compose.py has the real one."""

import json
import os
from pathlib import Path

import pytest

from tests.deploy.harness.command import run, tool
from tests.deploy.harness.smoke import SCRIPT, Verdict, smoke

# Takes the requests, and prints the results that the test has laid ready, in every run the next file.
STAND_IN = """#!/bin/sh
cd "$(dirname "$0")"
case $* in
*' config'*) cat configuration ;;
*' ps '*) cat running ;;
*' run '*)
    cat >requests
    echo x >>runs
    cat "results-$(grep -c x runs)" 2>/dev/null || exit 1
    ;;
esac
"""


def result(number: int, task: str, request: str = "smoke-1-1") -> str:
    return json.dumps({"request_id": f"{request}-{number}", "status": "submitted", "task_id": task, "warnings": []})


def failure(number: int, code: str) -> str:
    error = {"code": code, "message": 'it said "no"', "retryable": False}
    return json.dumps({"request_id": f"smoke-1-1-{number}", "status": "failed", "error": error})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    stand_in = tmp_path / "docker"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    (tmp_path / "configuration").write_text("      VIDEOGEN_ENDPOINT__BASE_URL: http://simulator:9090\n")
    (tmp_path / "running").write_text("4ac77f8\n")
    return tmp_path


def verdict(folder: Path, *arguments: str, runs: list[list[str]] | None = None) -> Verdict:
    for number, lines in enumerate(runs or [], start=1):
        (folder / f"results-{number}").write_text("".join(f"{line}\n" for line in lines))
    with smoke(*arguments, environment={"PATH": f"{folder}:{os.environ['PATH']}"}) as script:
        return script.ends()


def test_the_script_passes_shellcheck() -> None:
    assert run(tool("shellcheck"), SCRIPT) == ""


def test_every_request_with_a_task_id_of_its_own_is_a_success(folder: Path) -> None:
    found = verdict(folder, "-n", "2", runs=[[result(1, "a"), result(2, "b")]])
    assert found.status == 0
    assert found.said == "2 of 2 results: 2 submitted with 2 different task ids, 0 uncertain, 0 failed"


def test_as_many_requests_are_sent_as_are_asked_for(folder: Path) -> None:
    verdict(folder, "-n", "3", "-p", 'a "cat" \\ 100 % [sim: 429]', runs=[[result(n, str(n)) for n in (1, 2, 3)]])
    sent = [json.loads(line) for line in (folder / "requests").read_text().splitlines()]
    assert [request["prompt"] for request in sent] == ['a "cat" \\ 100 % [sim: 429]'] * 3


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([result(1, "a"), result(2, "a")], "Two requests share a task id"),
        ([result(1, "a"), result(2, "b"), result(1, "b"), result(2, "a")], "A request has two task ids"),
        ([result(1, "a"), result(2, "")], "A request has two task ids, or none"),
        ([result(1, "a"), failure(2, "rejected")], "Some requests failed"),
        ([result(1, "a"), failure(2, "uncertain")], "Some requests are uncertain"),
    ],
    ids=["shared task id", "two task ids", "no task id", "failed", "uncertain"],
)
def test_anything_else_is_none(folder: Path, lines: list[str], why: str) -> None:
    found = verdict(folder, "-n", "2", runs=[lines])
    assert found.status == 1
    assert why in found.details


def test_uncertain_results_can_be_allowed(folder: Path) -> None:
    found = verdict(folder, "-n", "2", "-u", runs=[[result(1, "a"), failure(2, "uncertain")]])
    assert found.status == 0
    assert found.said == "2 of 2 results: 1 submitted with 1 different task ids, 1 uncertain, 0 failed"


def test_what_failed_is_no_success_where_uncertain_results_are_allowed(folder: Path) -> None:
    assert verdict(folder, "-n", "1", "-u", runs=[[failure(1, "rejected")]]).status == 1


def test_after_a_cut_the_same_requests_are_sent_again(folder: Path) -> None:
    cut = result(2, "b")[:-3]
    found = verdict(folder, "-n", "2", runs=[[result(1, "a"), cut], [], [result(2, "b"), result(1, "a")]])
    assert found.status == 0
    assert found.said == "2 of 2 results: 2 submitted with 2 different task ids, 0 uncertain, 0 failed"
    assert len((folder / "runs").read_text().split()) == 3


def test_results_that_do_not_come_are_counted(folder: Path) -> None:
    found = verdict(folder, "-n", "2", "-t", "1", runs=[[result(1, "a")]])
    assert found.status == 3
    assert found.said == "1 of 2 results: 1 submitted with 1 different task ids, 0 uncertain, 0 failed"
    assert "1 results did not come within 1 s" in found.details


def test_nothing_is_sent_to_an_endpoint_that_may_cost(folder: Path) -> None:
    (folder / "configuration").write_text("      VIDEOGEN_ENDPOINT__BASE_URL: https://gateway.example.com\n")
    found = verdict(folder, "-n", "1", runs=[[result(1, "a")]])
    assert found.status == 2
    assert "1 calls may cost. Give -y" in found.details
    assert not (folder / "requests").exists()
    assert verdict(folder, "-n", "1", "-y").status == 0


def test_a_stack_that_is_down_is_named(folder: Path) -> None:
    (folder / "running").write_text("")
    found = verdict(folder)
    assert found.status == 2
    assert "docker compose up --build" in found.details


@pytest.mark.parametrize("arguments", [["-n", "0"], ["-n", "ten"], ["-t", ""], ["-x"]])
def test_wrong_usage_ends_at_once(folder: Path, arguments: list[str]) -> None:
    assert verdict(folder, *arguments).status == 2
    assert not (folder / "requests").exists()
