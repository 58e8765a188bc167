"""Requests through the whole worker: consumer, endpoint, result, all of them real."""

import asyncio
import json
from collections import Counter

from service.core.facts import Settled
from tests.support.requester import Reply, Requester, open_requester
from tests.support.running import running_worker, settings_for, simulated_endpoint

MODEL = "wan2.2-t2v-plus"


def request(prompt: str, **fields: object) -> bytes:
    return json.dumps({"prompt": prompt, "model": MODEL, **fields}).encode()


async def replies_of(requester: Requester, count: int) -> list[Reply]:
    replies: list[Reply] = []
    async with asyncio.timeout(60):
        async for reply in requester.replies():
            replies.append(reply)
            if len(replies) == count:
                break
    return replies


async def test_500_requests_give_500_results_each_under_its_own_correlation_id(broker_url: str, prefix: str) -> None:
    async with (
        simulated_endpoint(latency=0.01) as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url, concurrency=64)) as running,
        open_requester(broker_url, prefix) as requester,
    ):
        ids = [f"request-{n}" for n in range(500)]
        sending = asyncio.gather(*(requester.send(request(f"scene {name}"), name) for name in ids))
        replies = await replies_of(requester, 500)
        await sending
        await running.facts.wait_for(Settled, 500)

        assert Counter(reply.correlation_id for reply in replies) == Counter(ids)
        assert {reply.body["status"] for reply in replies} == {"submitted"}
        assert len({reply.body["task_id"] for reply in replies}) == 500
        assert len(simulator.record.posts) == 500
        assert running.worker.intake.in_flight == 0


async def test_no_more_calls_than_the_concurrency_are_ever_in_flight(broker_url: str, prefix: str) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url, concurrency=8)),
        open_requester(broker_url, prefix) as requester,
    ):
        for n in range(40):
            await requester.send(request("a [sim: hold]"), f"r{n}")
        await simulator.record.wait_in_flight(8)
        simulator.release(for_good=True)
        await replies_of(requester, 40)

        assert simulator.record.peak == 8
