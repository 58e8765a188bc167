"""Sends one request with the project's own client, which connects again by itself and waits meanwhile.

    pip install .          # at the root of the project: the client comes with the worker
    export VIDEOGEN_BROKER__URL=amqp://guest:guest@localhost:5672/
    python3 client_producer.py
    python3 client_producer.py '{"model": "wan2.2-t2v-plus", "prompt": "A fox in the snow"}' order-4711

The arguments are the request and its id. Without an id there is a new one, and so a new video, each time.
Where the worker has a VIDEOGEN_BROKER__PREFIX, set the same here.

Prints the task id, or the error. Exit status: 0 submitted, 1 failed, 2 nothing came within 60 s.
"""

import asyncio
import json
import os
import sys

from service.client import Options, RequestFailed, VideogenClient, VideogenError

BROKER = os.environ.get("VIDEOGEN_BROKER__URL", "amqp://guest:guest@localhost:5672/")
PREFIX = os.environ.get("VIDEOGEN_BROKER__PREFIX", "videogen")
REQUEST = {"model": "wan2.2-t2v-plus", "prompt": "A lighthouse at dawn", "size": "832*480"}
WAIT = 60  # seconds


async def main() -> int:
    request = json.loads(sys.argv[1]) if sys.argv[1:] else REQUEST
    chosen_id = {"request_id": sys.argv[2]} if sys.argv[2:] else {}
    async with VideogenClient(BROKER, Options(prefix=PREFIX)) as client:
        try:
            result = await client.generate(**request, **chosen_id, timeout=WAIT)
        except RequestFailed as failure:
            print(failure)
            return 1
        except ValueError as wrong:
            print(f"Not sent: {wrong}")
            return 1
        except VideogenError as problem:
            print(f"No result for request {problem.request_id}: {problem}", file=sys.stderr)
            return 2
        print(result.task_id)
        return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
