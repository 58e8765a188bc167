"""Sends one request with aio-pika, and waits for its result in a private queue.

    pip install "aio-pika>=9"
    export VIDEOGEN_BROKER__URL=amqp://guest:guest@localhost:5672/
    python3 aio_pika_producer.py
    python3 aio_pika_producer.py '{"model": "wan2.2-t2v-plus", "prompt": "A fox in the snow"}' order-4711

The arguments are the request and its id. Without an id there is a new one, and so a new video, each time.
Where the worker has a VIDEOGEN_BROKER__PREFIX, set the same here.

Prints the task id, or the error. Exit status: 0 submitted, 1 failed, 2 nothing came within 60 s.
"""

import asyncio
import json
import os
import sys
import uuid
from typing import Any

import aio_pika

BROKER = os.environ.get("VIDEOGEN_BROKER__URL", "amqp://guest:guest@localhost:5672/")
EXCHANGE = os.environ.get("VIDEOGEN_BROKER__PREFIX", "videogen")
REQUEST = {"model": "wan2.2-t2v-plus", "prompt": "A lighthouse at dawn", "size": "832*480"}
WAIT = 60  # seconds


async def ask(body: str, request_id: str) -> dict[str, Any]:
    async with asyncio.timeout(WAIT), await aio_pika.connect(BROKER) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        # The broker gives it a name, and deletes it with this connection.
        replies = await channel.declare_queue(exclusive=True)
        exchange = await channel.get_exchange(EXCHANGE)
        message = aio_pika.Message(
            body.encode(),
            message_id=request_id,
            reply_to=replies.name,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        # Returns when the broker has confirmed it, and raises where no queue takes it.
        await exchange.publish(message, "request", mandatory=True)
        # With several requests under way, tell their results apart by `correlation_id`, which is the request id.
        async with replies.iterator(no_ack=True) as results:
            async for result in results:
                return json.loads(result.body)
        raise ConnectionError("the connection was lost")


def main() -> int:
    body = sys.argv[1] if sys.argv[1:] else json.dumps(REQUEST)
    request_id = sys.argv[2] if sys.argv[2:] else str(uuid.uuid4())
    try:
        result = asyncio.run(ask(body, request_id))
    except (aio_pika.exceptions.AMQPError, OSError) as problem:  # time-outs are OSErrors
        print(f"No result for request {request_id}: {problem!r}", file=sys.stderr)
        print("Is a worker running? Send the request again under the same id.", file=sys.stderr)
        return 2
    if result["status"] == "submitted":
        print(result["task_id"])
        return 0
    print(f"{result['error']['code']}: {result['error']['message']}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
