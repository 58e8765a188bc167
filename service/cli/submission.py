"""Sends requests and collects their results; knows at any moment what is still open."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.adapters.rabbitmq.requester import Reply, Requester


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
        self, requester: "Requester", on_sent: Callable[[], None], on_result: Callable[[dict[str, Any]], None]
    ) -> None:
        """Send everything and wait until every result is there.

        Raises:
            RequesterError: a request cannot be sent, or the connection was lost.
        """
        collecting = asyncio.create_task(self._collect(requester, on_result))
        try:
            for request_id, body in self.requests.items():
                await requester.send(body, request_id)
                self.sent += 1
                on_sent()
            await collecting
        finally:
            collecting.cancel()
            # Whatever ended the sending has ended the collecting too.
            await asyncio.gather(collecting, return_exceptions=True)

    async def _collect(self, requester: "Requester", on_result: Callable[[dict[str, Any]], None]) -> None:
        async for reply in requester.replies():
            if self._take(reply):
                on_result(reply.body)
            if len(self.results) == len(self.requests):
                return

    def _take(self, reply: "Reply") -> bool:
        # A result may be repeated after a crash (spec section 2).
        is_new = reply.correlation_id in self.requests and reply.correlation_id not in self.results
        if is_new:
            self.results[reply.correlation_id] = reply.body
        return is_new
