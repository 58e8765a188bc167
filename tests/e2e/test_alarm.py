"""A memory alarm: the broker stops reading from connections that publish."""

import pytest

from service.core.facts import BrokerBlocked, LinkDown, PublishAttempt, Published, Settled
from service.private_broker import Node
from service.settings import Settings
from tests.e2e.test_requests import replies_of, request
from tests.support.requester import open_requester
from tests.support.running import running_worker, settings_for, simulated_endpoint


def impatient(settings: Settings) -> Settings:
    """Let a confirm take far less than the alarm lasts: what waits for its end must not be taken for lost."""
    return settings.model_copy(update={"broker": settings.broker.model_copy(update={"publish_timeout": 0.3})})


@pytest.mark.pain(10)
async def test_a_result_that_meets_a_memory_alarm_waits_for_its_end_and_comes_once(node: Node) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(impatient(settings_for(node.url, "alarm", simulator.base_url))) as running,
        open_requester(node.url, "alarm") as requester,
    ):
        await requester.send(request("a cat [sim: hold]"), "r1")
        await simulator.record.wait_in_flight(1)
        await node.run_ctl("set_vm_memory_high_watermark", "absolute", "1")
        try:
            simulator.release()
            await running.facts.until(lambda: BrokerBlocked(blocked=True) in running.facts.facts)
            assert running.facts.of(Settled) == []
        finally:
            await node.run_ctl("set_vm_memory_high_watermark", "0.4")
        await running.facts.until(lambda: BrokerBlocked(blocked=False) in running.facts.facts)
        (reply,) = await replies_of(requester, 1)
        await running.facts.wait_for(Settled)

        assert reply.body["status"] == "submitted"
        assert len(simulator.record.posts) == 1
        assert running.facts.of(LinkDown) == []
        assert [fact.attempt for fact in running.facts.of(Published)] == [PublishAttempt.CONFIRMED]
