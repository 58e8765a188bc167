"""FastStream with a shared httpx client, the way that their documentation shows them.

What a subscriber returns goes to the queue that `reply_to` of the request names. httpx would stop at 100 connections:
here it gets as many as there are calls.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

import httpx
from faststream import Context, ContextRepo, FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue
from pydantic import BaseModel

from tests.bench.job import Job


class VideoRequest(BaseModel):
    model: str
    prompt: str
    size: str | None = None
    template: str | None = None


class Submitted(BaseModel):
    request_id: str
    status: Literal["submitted"] = "submitted"
    task_id: str


def build(job: Job) -> FastStream:
    broker = RabbitBroker(job.broker_url, default_channel=Channel(prefetch_count=job.in_flight))
    requests = RabbitQueue(job.requests, queue_type=QueueType.QUORUM, durable=True, declare=False)

    @asynccontextmanager
    async def lifespan(context: ContextRepo) -> AsyncIterator[None]:
        limits = httpx.Limits(max_connections=job.in_flight, max_keepalive_connections=job.in_flight)
        async with httpx.AsyncClient(limits=limits, timeout=30.0, headers={"Authorization": "Bearer rival"}) as client:
            context.set_global("client", client)
            yield

    @broker.subscriber(requests)  # type: ignore[untyped-decorator] # where types are checked, FastStream is not there
    async def handle(
        body: VideoRequest, message: RabbitMessage, client: Annotated[httpx.AsyncClient, Context()]
    ) -> Submitted:
        response = await client.post(
            job.url,
            json=body.model_dump(exclude_none=True),
            headers={"Idempotency-Key": message.message_id},
        )
        response.raise_for_status()
        return Submitted(request_id=message.message_id, task_id=response.json()["task_id"])

    return FastStream(broker, lifespan=lifespan)


if __name__ == "__main__":
    asyncio.run(build(Job.from_command_line()).run())
