import json
import os
import re
import signal

import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from service.core.topology import Topology
from service.demo.scenes import SCENES
from service.settings import RetrySettings
from tests.support.broker import Amqp
from tests.support.process import process


async def test_the_demo_shows_every_reply_and_ends_by_itself(broker_url: str) -> None:
    async with process("demo", environment={"VIDEOGEN_TEST_AMQP_URL": broker_url, "COLUMNS": "200"}) as demo:
        assert await demo.exits() == 0

    said = "\n".join(demo.output)
    for scene in SCENES:
        assert scene.title in said
    assert f"All {len(SCENES)} replies were as expected" in said
    assert 'videogen_requests_settled_total{outcome="submitted"}' in said


async def test_the_demo_prints_one_json_line_a_reply(broker_url: str) -> None:
    environment = {"VIDEOGEN_TEST_AMQP_URL": broker_url}
    async with process("demo", "--json", "--count", "5", environment=environment) as demo:
        assert await demo.exits() == 0

    replies = [json.loads(line) for line in demo.output if line.startswith("{")]
    assert len(replies) == len(SCENES) + 5
    assert len({reply["request_id"] for reply in replies}) == len(replies)


async def test_the_demo_leaves_no_queue_on_a_broker_that_was_given(broker_url: str, amqp: Amqp) -> None:
    async with process("demo", "--keep", environment={"VIDEOGEN_TEST_AMQP_URL": broker_url}) as demo:
        prefix = (await demo.says("Queues: ")).removeprefix("Queues: ").removesuffix(".*")
        await demo.says("Everything stays up")
        queues = [queue.name for queue in Topology(prefix, RetrySettings().tiers).queues]
        assert [await is_there(amqp, queue) for queue in queues] == [True] * len(queues)
        demo.signal(signal.SIGTERM)
        assert await demo.exits() == 0

    assert [await is_there(amqp, queue) for queue in queues] == [False] * len(queues)


async def is_there(amqp: Amqp, queue: str) -> bool:
    try:
        await amqp.count(queue)
    except ChannelNotFoundEntity:
        return False
    return True


async def test_the_demo_stays_up_with_keep_until_ctrl_c_in_its_terminal(broker_url: str) -> None:
    async with process("demo", "--keep", environment={"VIDEOGEN_TEST_AMQP_URL": broker_url}) as demo:
        await demo.says("Everything stays up")
        demo.interrupt()
        assert await demo.exits() == 0


async def test_the_demo_takes_everything_down_when_it_is_told_to_end_early(broker_url: str, amqp: Amqp) -> None:
    async with process("demo", environment={"VIDEOGEN_TEST_AMQP_URL": broker_url}) as demo:
        prefix = (await demo.says("Queues: ")).removeprefix("Queues: ").removesuffix(".*")
        worker = int((await demo.says("Worker: process")).split()[2].rstrip(","))
        demo.signal(signal.SIGTERM)
        assert await demo.exits() == 130

    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    assert not await is_there(amqp, f"{prefix}.requests")
    assert "interrupted" in demo.output[-1]


async def test_a_narrow_terminal_breaks_no_address(broker_url: str) -> None:
    environment = {"VIDEOGEN_TEST_AMQP_URL": broker_url, "COLUMNS": "60"}
    async with process("demo", environment=environment) as demo:
        assert await demo.exits() == 0

    where = next(line for line in demo.output if line.startswith("  worker "))
    assert re.fullmatch(r"  worker    http://127\.0\.0\.1:\d+/metrics, /readyz, /livez; log /\S+/worker\.log", where)
