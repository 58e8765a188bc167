"""Two workers and an endpoint with a limit, each a process of its own: what the endpoint's record says of them."""

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from tests.e2e.test_requests import replies_of, request
from tests.support.environment import environment
from tests.support.process import process
from tests.support.requester import open_requester
from tests.support.running import running_worker, settings_for, simulated_endpoint

LIMIT = 20
# Time to find the limit, and to look at what comes after.
FOUND, LOOKED_AT = timedelta(seconds=10), timedelta(seconds=20)


async def test_two_workers_share_a_limit_that_they_find_by_themselves(
    broker_url: str, prefix: str, tmp_path: Path
) -> None:
    async with (
        process("simulate", "--port", "0", "--rate-limit", str(LIMIT), "--latency", "0.1", "--json") as endpoint,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        where = json.loads(await endpoint.says("base_url"))
        settings = environment(
            broker_url,
            prefix,
            where["base_url"],
            VIDEOGEN_LEDGER__URL=f"sqlite:///{tmp_path / 'ledger.db'}",
            VIDEOGEN_ADMIN__PORT="0",
        )
        async with (
            process(environment=settings) as one,
            process(environment=settings) as other,
            open_requester(broker_url, prefix) as requester,
        ):
            await asyncio.gather(one.says("consumer active"), other.says("consumer active"))
            for number in range(1000):
                await requester.send(request(f"scene {number}"), f"r{number}")
            posts = await posts_until(client, where["record_url"], FOUND + LOOKED_AT)
            await asyncio.gather(one.says("the endpoint limits calls"), other.says("the endpoint limits calls"))

    began = min(at(post) for post in posts)
    later = [post for post in posts if FOUND <= at(post) - began < FOUND + LOOKED_AT]
    accepted = sum(post["label"] == "accepted" for post in later)
    throttled = sum(post["status"] == 429 for post in later)
    # Looser than the figures that virtual time shows: a machine that is busy loses turns.
    assert accepted >= 0.9 * LIMIT * LOOKED_AT.total_seconds()
    assert throttled <= 0.06 * len(later)
    assert {post["label"] for post in later} <= {"accepted", "throttled", "pending"}


async def test_a_worker_keeps_to_its_own_cap(broker_url: str, prefix: str) -> None:
    cap = 10
    async with simulated_endpoint() as simulator:
        settings = settings_for(broker_url, prefix, simulator.base_url)
        capped = settings.model_copy(update={"endpoint": settings.endpoint.model_copy(update={"max_rps": cap})})
        async with running_worker(capped), open_requester(broker_url, prefix) as requester:
            for number in range(50):
                await requester.send(request("a cat"), f"r{number}")
            await replies_of(requester, 50)

        times = [post.at for post in simulator.record.posts]
    # One more may have been on its way when the second began.
    assert max(sum(first <= time < first + timedelta(seconds=1) for time in times) for first in times) <= cap + 1
    assert max(times) - min(times) >= timedelta(seconds=4.5)


async def posts_until(client: httpx.AsyncClient, url: str, length: timedelta) -> list[dict[str, object]]:
    """Read the record until it is as long as that."""
    async with asyncio.timeout(90):
        while True:
            posts = [json.loads(line) for line in (await client.get(url)).text.splitlines()]
            if posts and max(map(at, posts)) - min(map(at, posts)) > length:
                return posts
            await asyncio.sleep(1)  # between two looks


def at(post: dict[str, object]) -> datetime:
    return datetime.fromisoformat(str(post["time"]))
