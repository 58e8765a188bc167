import json
import signal

from service.demo.scenes import SCENES
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


async def test_the_demo_prints_json_lines_and_leaves_no_queue_on_a_broker_that_was_given(
    broker_url: str, amqp: Amqp
) -> None:
    environment = {"VIDEOGEN_TEST_AMQP_URL": broker_url}
    async with process("demo", "--json", "--count", "5", environment=environment) as demo:
        assert await demo.exits() == 0

    replies = [json.loads(line) for line in demo.output if line.startswith("{")]
    assert len(replies) == len(SCENES) + 5
    assert len({reply["request_id"] for reply in replies}) == len(replies)


async def test_the_demo_stays_up_with_keep_until_it_is_interrupted(broker_url: str) -> None:
    async with process("demo", "--keep", environment={"VIDEOGEN_TEST_AMQP_URL": broker_url}) as demo:
        await demo.says("Everything stays up")
        demo.signal(signal.SIGINT)
        assert await demo.exits() == 0
