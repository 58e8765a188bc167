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


async def test_the_python_example_sends_a_request_and_prints_its_result(
    broker_url: str, prefix: str, tmp_path: Path
) -> None:
    (example,) = blocks("python")
    for shown, here in (
        ("amqp://guest:guest@localhost:5672/", broker_url),
        ("videogen.requests", f"{prefix}.requests"),
    ):
        assert shown in example
        example = example.replace(shown, here)
    script = tmp_path / "example.py"
    script.write_text(example)
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
    ):
        child = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(60):
            printed, _ = await child.communicate()

    assert child.returncode == 0
    assert json.loads(printed)["status"] == "submitted"


@pytest.mark.parametrize(("status", "model"), [("submitted", SubmittedResult), ("failed", FailedResult)])
def test_the_result_examples_have_the_shape_of_the_contract(
    status: str, model: type[SubmittedResult | FailedResult]
) -> None:
    example = next(body for body in map(json.loads, blocks("json")) if body["status"] == status)

    parsed = model.model_validate(example)

    assert json.loads(parsed.model_dump_json()) == example
