"""What the README shows is what happens."""

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from service.core.result import FailedResult, SubmittedResult
from tests.support.running import running_worker, settings_for, simulated_endpoint

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


CLIENT, PLAIN = blocks("python")


def of_the_client(broker_url: str, prefix: str) -> dict[str, str]:
    """Tell what the client's example has to say of this broker and these queues."""
    return {
        "import RequestFailed, VideogenClient": "import Options, RequestFailed, VideogenClient",
        '"amqp://guest:guest@localhost:5672/"': f"{broker_url!r}, Options(prefix={prefix!r})",
    }


def of_the_plain_one(broker_url: str, prefix: str) -> dict[str, str]:
    return {"amqp://guest:guest@localhost:5672/": broker_url, 'get_exchange("videogen")': f"get_exchange({prefix!r})"}


async def run_example(example: str, differences: dict[str, str], folder: Path) -> tuple[int | None, str, str]:
    """Run a Python example of the README."""
    for shown, here in differences.items():
        assert shown in example
        example = example.replace(shown, here)
    script = folder / "example.py"
    script.write_text(example)
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            printed, errors = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return child.returncode, printed.decode(), errors.decode()


async def test_the_python_example_sends_a_request_and_prints_its_result(
    broker_url: str, prefix: str, tmp_path: Path
) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
    ):
        status, printed, _ = await run_example(PLAIN, of_the_plain_one(broker_url, prefix), tmp_path)

    assert status == 0
    result = json.loads(printed)
    assert result["status"] == "submitted"
    # The form that the examples of results show.
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", result["submitted_at"])


async def test_the_python_example_fails_at_once_where_no_worker_ever_ran(
    broker_url: str, prefix: str, tmp_path: Path
) -> None:
    status, printed, errors = await run_example(PLAIN, of_the_plain_one(broker_url, prefix), tmp_path)

    assert (status, printed) == (1, "")
    assert "no exchange" in errors


async def test_the_example_of_the_client_prints_the_task_id(broker_url: str, prefix: str, tmp_path: Path) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
    ):
        status, printed, errors = await run_example(CLIENT, of_the_client(broker_url, prefix), tmp_path)

    assert (status, printed.strip()) == (0, f"video {simulator.record.posts[0].task_id}"), errors


async def test_the_example_of_the_client_says_what_to_do_where_the_queue_is_missing(
    broker_url: str, prefix: str, tmp_path: Path
) -> None:
    status, printed, errors = await run_example(CLIENT, of_the_client(broker_url, prefix), tmp_path)

    assert (status, printed) == (1, "")
    assert "does not exist. Start the worker once" in errors


@pytest.mark.parametrize(("status", "model"), [("submitted", SubmittedResult), ("failed", FailedResult)])
def test_the_result_examples_have_the_shape_of_the_contract(
    status: str, model: type[SubmittedResult | FailedResult]
) -> None:
    example = next(body for body in map(json.loads, blocks("json")) if body["status"] == status)

    parsed = model.model_validate(example)

    assert json.loads(parsed.model_dump_json()) == example
