import json
from pathlib import Path

import pytest

from tests.support.process import Process, process
from tests.support.running import running_worker, settings_for, simulated_endpoint

GOOD = {"prompt": "a cat", "model": "wan2.2-t2v-plus"}


def results(ended: Process) -> list[dict[str, object]]:
    return [json.loads(line) for line in ended.output if line.startswith("{")]


async def test_one_request_by_options_prints_its_result(broker_url: str, prefix: str) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        process(
            *("submit", "--json", "--broker-url", broker_url, "--prefix", prefix, "--request-id", "mine"),
            *("--prompt", "a cat", "--model", "wan2.2-t2v-plus", "--size", "832x480", "--no-watermark"),
        ) as submit,
    ):
        assert await submit.exits() == 0

    (result,) = results(submit)
    assert (result["status"], result["request_id"]) == ("submitted", "mine")
    assert simulator.record.posts[0].body == {**GOOD, "size": "832*480", "watermark": False}


async def test_a_file_of_requests_prints_every_result_and_the_status_tells_that_one_failed(
    broker_url: str, prefix: str, tmp_path: Path
) -> None:
    file = tmp_path / "requests.jsonl"
    lines = [json.dumps(GOOD), "", json.dumps({**GOOD, "size": "1x1"}), json.dumps(GOOD)]
    file.write_text("\n".join(lines))
    settings = {"VIDEOGEN_BROKER__URL": broker_url, "VIDEOGEN_BROKER__PREFIX": prefix}
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        process("submit", str(file), "--json", environment=settings) as submit,
    ):
        assert await submit.exits() == 1

    assert sorted(str(result["status"]) for result in results(submit)) == ["failed", "submitted", "submitted"]


async def test_results_are_a_table_without_json(broker_url: str, prefix: str) -> None:
    settings = {"VIDEOGEN_BROKER__URL": broker_url, "VIDEOGEN_BROKER__PREFIX": prefix, "COLUMNS": "200"}
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        process("submit", "--prompt", "a cat", "--model", "wan2.2-t2v-plus", environment=settings) as submit,
    ):
        assert await submit.exits() == 0

    task_id = simulator.record.posts[0].task_id
    assert task_id is not None
    assert task_id in "\n".join(submit.output)


async def test_a_result_that_does_not_come_in_time_is_named(broker_url: str, prefix: str) -> None:
    settings = {"VIDEOGEN_BROKER__URL": broker_url, "VIDEOGEN_BROKER__PREFIX": prefix}
    arguments = (
        "--prompt",
        "a cat [sim: hold]",
        "--model",
        "wan2.2-t2v-plus",
        "--timeout",
        "1",
        "--request-id",
        "mine",
    )
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        process("submit", *arguments, environment=settings) as submit,
    ):
        assert await submit.exits() == 3
        simulator.release(for_good=True)

    assert "first missing request id: mine" in submit.output[-1]


@pytest.mark.parametrize(
    ("content", "says"),
    [("not json", "line 1: not JSON"), ('{}\n["a"]', "line 2: not a JSON object"), ("\n", "holds no request")],
)
async def test_a_wrong_file_is_refused_before_anything_is_sent(content: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(content)
    async with process("submit", str(file), "--broker-url", "amqp://127.0.0.1:9/") as submit:
        assert await submit.exits() == 2

    assert says in submit.output[-1]


@pytest.mark.parametrize("arguments", [(), ("file.jsonl", "--prompt", "a cat")], ids=["neither", "both"])
async def test_either_a_file_or_options_must_be_given(arguments: tuple[str, ...]) -> None:
    async with process("submit", *arguments) as submit:
        assert await submit.exits() == 2

    assert "either a FILE or the options" in submit.output[-1]


async def test_a_broker_that_is_away_is_said_in_one_line() -> None:
    async with process("submit", "--prompt", "a", "--model", "m", "--broker-url", "amqp://127.0.0.1:9/") as submit:
        assert await submit.exits() == 1

    assert "cannot be reached" in submit.output[-1]
    assert "Traceback" not in "\n".join(submit.output)


async def test_a_queue_that_was_never_declared_is_said_in_one_line(broker_url: str, prefix: str) -> None:
    arguments = ("--prompt", "a", "--model", "m", "--broker-url", broker_url, "--prefix", prefix)
    async with process("submit", *arguments) as submit:
        assert await submit.exits() == 1

    assert f"'{prefix}.requests' does not exist" in submit.output[-1]
