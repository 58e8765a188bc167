"""A request as bytes and properties, and the wait for its answer."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outbound:
    """What is published. `request_id` has 1 to 255 bytes in UTF-8."""

    request_id: str
    body: bytes
    content_encoding: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Asked:
    """A request that waits for its answer.

    `tried`: bytes of it may have left. `in_doubt`: a try was lost without the broker's word. `taken_at` is the number
    of the reply address that it was confirmed with, None before. `trace` holds headers that name the producer's span.
    """

    outbound: Outbound
    # Of its own for each asking: a late copy of an answer to an earlier one under the same request id is not for us.
    correlation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: asyncio.Future[bytes] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    tried: bool = False
    in_doubt: bool = False
    taken_at: int | None = None
    trace: dict[str, str] = field(default_factory=dict)

    @property
    def request_id(self) -> str:
        """The id of the request."""
        return self.outbound.request_id

    def take(self, body: bytes) -> None:
        """Take the answer; a repeated one changes nothing."""
        if not self.answer.done():
            self.answer.set_result(body)

    @property
    def answered(self) -> bool:
        """Whether the answer is there."""
        return self.answer.done() and not self.answer.cancelled() and self.answer.exception() is None

    @property
    def failure(self) -> BaseException | None:
        """Why the wait ended without an answer; None while it goes on."""
        return self.answer.exception() if self.answer.done() and not self.answer.cancelled() else None

    def fail(self, error: Exception) -> None:
        """End the wait."""
        if not self.answer.done():
            self.answer.set_exception(error)
            # asyncio complains of an exception that nobody looked at; whoever waited may have left.
            self.answer.exception()
