"""The least that such a worker can do: take, call, publish with a confirm, ack.

No validation, ledger, retry, metrics, logs or answer to a fault. It runs on the event loop that the worker runs on.
"""

import asyncio
import json

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from service.cli.event_loop import run_to_the_end
from tests.bench.job import Job
from tests.bench.transport import Transport, client


async def work(job: Job, transport: Transport) -> None:
    connection = await aio_pika.connect(job.broker_url)
    async with connection, transport(job.url) as post:
        channel = await connection.channel()
        await channel.set_qos(job.in_flight)
        publish = channel.default_exchange.publish

        async def handle(message: AbstractIncomingMessage) -> None:
            request_id = message.message_id or ""
            task_id = json.loads(await post(message.body, request_id))["task_id"]
            body = json.dumps({"request_id": request_id, "status": "submitted", "task_id": task_id}).encode()
            result = aio_pika.Message(
                body, correlation_id=message.correlation_id, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
            )
            await publish(result, job.replies)
            await message.ack()

        queue = await channel.get_queue(job.requests, ensure=False)
        await queue.consume(handle)
        await asyncio.Event().wait()


if __name__ == "__main__":
    run_to_the_end(work(Job.from_command_line(), client))
