"""A worker that consumes nothing must say so, and must not be restarted for it."""

import time

import pytest

from service.adapters.rabbitmq.declare import declare
from service.core.facts import LinkDown
from tests.chaos.harness.in_process import ask_admin, metric, quick_settings, worker_at_work
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.waiting import until
from tests.e2e.test_requests import replies_of, request
from tests.support.broker import Amqp
from tests.support.links import proxy_to, with_address
from tests.support.requester import open_requester
from tests.support.running import Running, simulated_endpoint

# The broker gives a connection up after two missed heartbeats.
HEARTBEAT = 1.0
BLOCKED = 4.0


@pytest.mark.pain(4)
async def test_a_deleted_queue_is_told_within_10_s_and_consumed_within_30_s_of_being_made_again(
    trial: Trial, broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with simulated_endpoint() as simulator:
        settings = quick_settings(broker_url, prefix, simulator.base_url, trial.folder)
        await declare(amqp.channel, settings.topology)
        # Somebody else has to make it, so that it stays away for as long as the test wants.
        passive = settings.model_copy(update={"broker": settings.broker.model_copy(update={"declare": False})})
        async with worker_at_work(passive) as running:
            await amqp.channel.queue_delete(f"{prefix}.requests")
            await until(lambda: answers(running, "/readyz", 503), "readiness tells", within=10)
            await declare(amqp.channel, settings.topology)
            await until(lambda: answers(running, "/readyz", 200), "ready again", within=30)
            async with open_requester(broker_url, prefix) as requester:
                await requester.send(request("a cat"), "r0")
                (reply,) = await replies_of(requester, 1)

    assert reply.body["status"] == "submitted"


@pytest.mark.pain(15)
async def test_a_broker_that_is_down_makes_the_worker_unready_and_not_dead(
    trial: Trial, broker_url: str, prefix: str
) -> None:
    async with simulated_endpoint() as simulator, proxy_to(broker_url) as proxy:
        address = with_address(broker_url, port=proxy.port)
        async with worker_at_work(quick_settings(address, prefix, simulator.base_url, trial.folder)) as running:
            assert await answers(running, "/readyz", 200)
            proxy.close_listening()
            proxy.cut()
            await until(lambda: answers(running, "/readyz", 503), "readiness tells")
            await running.facts.wait_for(LinkDown, 8)
            assert await answers(running, "/livez", 200)
            assert await answers(running, "/readyz", 503)
            assert not running.task.done()
            await proxy.open_listening()
            await until(lambda: answers(running, "/readyz", 200), "ready again")


@pytest.mark.pain(19)
async def test_a_blocked_loop_shows_in_its_metric_and_costs_the_connection_but_no_second_call(
    trial: Trial, broker_url: str, prefix: str
) -> None:
    async with (
        simulated_endpoint() as simulator,
        worker_at_work(
            quick_settings(broker_url, prefix, simulator.base_url, trial.folder, heartbeat=HEARTBEAT)
        ) as running,
        open_requester(broker_url, prefix) as requester,
    ):
        await requester.send(request("a cat [sim: hold]"), "r0")
        await simulator.record.wait_in_flight(1)
        # What a careless plug-in would do: the broker hears no heartbeat meanwhile.
        time.sleep(BLOCKED)  # noqa: ASYNC251 - to block the loop is the test
        await running.facts.wait_for(LinkDown)
        await running.consuming(times=2)
        assert await metric(running, "videogen_event_loop_lag_seconds") >= BLOCKED - HEARTBEAT
        simulator.release()
        (reply,) = await replies_of(requester, 1)

        assert reply.body["status"] == "submitted"
        assert simulator.record.count == 1


async def answers(running: Running, path: str, status: int) -> bool:
    return (await ask_admin(running, path))[0] == status
