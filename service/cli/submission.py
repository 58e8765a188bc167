"""Sends requests and collects their results; knows at any moment what is still open."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from service.client.outbound import Asked, Outbound

if TYPE_CHECKING:
    from service.client.exchange import Exchange


@dataclass(slots=True)
class Submission:
    """Requests by id, and what became of them. `sent` counts those that the broker has confirmed."""

    requests: Mapping[str, bytes]
    sent: int = 0
    results: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """The ids of the requests that have no result yet."""
        return [request_id for request_id in self.requests if request_id not in self.results]

    @property
    def all_submitted(self) -> bool:
        """Whether every request has a result, and each of them is a task id."""
        return not self.missing and all(result["status"] == "submitted" for result in self.results.values())

    async def carry_out(
        self, exchange: "Exchange", on_sent: Callable[[], None], on_result: Callable[[dict[str, Any]], None]
    ) -> None:
        """Send everything and wait until every result is there.

        Raises:
            VideogenError: a request cannot be sent.
        """
        answered: asyncio.Queue[Asked] = asyncio.Queue()
        collecting = asyncio.create_task(self._collect(answered, on_result))
        try:
            for request_id, body in self.requests.items():
                asked = exchange.expect(Outbound(request_id, body))
                asked.answer.add_done_callback(partial(_put, answered, asked))
                await exchange.publish(asked)
                self.sent += 1
                on_sent()
            await collecting
        finally:
            collecting.cancel()
            # Whatever ended the sending has ended the collecting too.
            await asyncio.gather(collecting, return_exceptions=True)

    async def _collect(self, answered: "asyncio.Queue[Asked]", on_result: Callable[[dict[str, Any]], None]) -> None:
        while len(self.results) < len(self.requests):
            asked = await answered.get()
            result = json.loads(asked.answer.result())
            self.results[asked.request_id] = result
            on_result(result)


def _put(answered: "asyncio.Queue[Asked]", asked: Asked, _: object) -> None:
    answered.put_nowait(asked)
