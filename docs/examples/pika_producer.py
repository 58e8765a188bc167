"""Sends one request with pika, and waits for its result over direct reply-to, without a queue.

    pip install "pika>=1.3,<2"
    export VIDEOGEN_BROKER__URL=amqp://guest:guest@localhost:5672/
    python3 pika_producer.py
    python3 pika_producer.py '{"model": "wan2.2-t2v-plus", "prompt": "A fox in the snow"}' order-4711

The arguments are the request and its id. Without an id there is a new one, and so a new video, each time.
Where the worker has a VIDEOGEN_BROKER__PREFIX, set the same here.

Prints the task id, or the error. Exit status: 0 submitted, 1 failed, 2 nothing came within 60 s.
"""

import json
import os
import sys
import time
import uuid
from typing import Any

import pika

BROKER = os.environ.get("VIDEOGEN_BROKER__URL", "amqp://guest:guest@localhost:5672/")
EXCHANGE = os.environ.get("VIDEOGEN_BROKER__PREFIX", "videogen")
REQUEST = {"model": "wan2.2-t2v-plus", "prompt": "A lighthouse at dawn", "size": "832*480"}
WAIT = 60  # seconds
DIRECT = "amq.rabbitmq.reply-to"


def ask(body: str, request_id: str) -> dict[str, Any]:
    parameters = pika.URLParameters(BROKER)
    # While a broker has a memory or disk alarm, a publish would else wait without end.
    parameters.blocked_connection_timeout = WAIT
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        # From here on a publish raises where the broker refuses it, or no queue takes it.
        channel.confirm_delivery()
        answers: list[bytes] = []
        # Before the publish, on the same channel, and with auto_ack: direct reply-to asks for all three.
        channel.basic_consume(DIRECT, lambda _channel, _how, _properties, answer: answers.append(answer), auto_ack=True)
        properties = pika.BasicProperties(
            message_id=request_id,
            reply_to=DIRECT,
            content_type="application/json",
            delivery_mode=pika.DeliveryMode.Persistent,
        )
        channel.basic_publish(EXCHANGE, "request", body.encode(), properties, mandatory=True)
        deadline = time.monotonic() + WAIT
        while not answers and (left := deadline - time.monotonic()) > 0:
            connection.process_data_events(time_limit=left)
    if not answers:
        raise TimeoutError(f"none came within {WAIT} s")
    return json.loads(answers[0])


def main() -> int:
    body = sys.argv[1] if sys.argv[1:] else json.dumps(REQUEST)
    request_id = sys.argv[2] if sys.argv[2:] else str(uuid.uuid4())
    try:
        result = ask(body, request_id)
    except (pika.exceptions.AMQPError, OSError) as problem:
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
