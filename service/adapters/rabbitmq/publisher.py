"""Publishes with confirms and mandatory returns, through lost connections."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, cast

from aio_pika import DeliveryMode
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq import spec

from service.adapters.rabbitmq.blocked import is_blocked
from service.adapters.rabbitmq.direct_replies import PSEUDO_QUEUE, DirectReplies, is_direct
from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.adapters.rabbitmq.headers import writable_headers
from service.adapters.rabbitmq.link import Link, Session, SessionWait
from service.core.facts import PublishAttempt, Published, QueueRefuses
from service.core.outgoing import APP_ID, Outgoing, PublishVerdict
from service.core.ports import Clock, Observer
from service.core.result import RESULT_TYPE

if TYPE_CHECKING:
    from aiormq.channel import Channel

_NACK_TRIES = 4
_NACK_PAUSE = 0.5
_TIMEOUT_TRIES = 3
_STUCK_ROUNDS = 5
_VERDICTS = {
    PublishAttempt.CONFIRMED: PublishVerdict.CONFIRMED,
    PublishAttempt.RETURNED: PublishVerdict.RETURNED,
    # A queue that confirms nothing is as good as one that refuses.
    PublishAttempt.TIMEOUT: PublishVerdict.NACKED,
}


class _Overdue:
    """Breaks a wait off after `timeout` seconds, but not while the session is blocked."""

    def __init__(self, timeout: float, session: Session, wait: SessionWait) -> None:
        self._timeout = timeout
        self._session = session
        self._wait = wait
        self._start()

    def cancel(self) -> None:
        self._timer.cancel()

    def _start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._timeout, self._ring)

    def _ring(self) -> None:
        if is_blocked(self._session):
            self._start()
        else:
            self._wait.break_off()


class RabbitPublisher:
    """Keeps port `Publisher` over one link.

    `timeout` is how long, in seconds, a confirm may take. While the broker blocks the connection (memory or disk alarm)
    the wait goes on: what was sent is still on its way, and sending it again would make two of it.
    """

    def __init__(
        self,
        link: Link,
        direct_replies: DirectReplies,
        timeout: float,
        clock: Clock,
        observer: Observer,
        new_id: Callable[[], str],
    ) -> None:
        self._link = link
        self._direct_replies = direct_replies
        self._timeout = timeout
        self._clock = clock
        self._observer = observer
        self._new_id = new_id
        self._last_answer = float("-inf")
        self._refused: Counter[str] = Counter()

    async def publish(self, message: Outgoing) -> PublishVerdict:
        """Publish to a route that others own; see the port."""
        for _ in range(_NACK_TRIES):
            attempt, _session = await self._publish(message)
            if attempt is not PublishAttempt.NACKED:
                return _VERDICTS[attempt]
            await asyncio.sleep(_NACK_PAUSE)
        return PublishVerdict.NACKED

    async def keep(self, message: Outgoing) -> None:
        """Publish to a queue of our own; see the port."""
        if (session := await self._refusing_session(message)) is None:
            return
        queue = message.route.routing_key
        with self._told_of_refusal(queue):
            for rounds in count(1):
                if rounds % _STUCK_ROUNDS == 0:
                    # RabbitMQ 3.10 goes on refusing a channel after the limit of the queue was raised.
                    session.end(f"the queue {queue!r} keeps refusing messages")
                if (session := await self._refusing_session(message)) is None:
                    return

    async def try_keep(self, message: Outgoing) -> bool:
        """Publish to a queue of our own that may refuse; see the port."""
        return await self._refusing_session(message) is None

    async def _refusing_session(self, message: Outgoing) -> Session | None:
        """Publish to a queue of our own; None where it is confirmed, else the session on which it was refused."""
        tries = 0
        while True:
            tries += 1
            attempt, session = await self._publish(message)
            if attempt is PublishAttempt.CONFIRMED:
                return None
            if attempt is PublishAttempt.RETURNED:
                # The queue was deleted. A new session declares it again.
                session.end(f"the queue {message.route.routing_key!r} is gone")
            await asyncio.sleep(_NACK_PAUSE)
            # What was not confirmed in time may have been taken all the same: a further try could make one more of it.
            if attempt is PublishAttempt.TIMEOUT or tries == _NACK_TRIES:
                return session

    @contextmanager
    def _told_of_refusal(self, queue: str) -> Iterator[None]:
        self._refused[queue] += 1
        self._observer.notify(QueueRefuses(queue, refuses=True))
        try:
            yield
        finally:
            self._refused[queue] -= 1
            if not self._refused[queue]:
                del self._refused[queue]
                self._observer.notify(QueueRefuses(queue, refuses=False))

    async def _publish(self, message: Outgoing) -> tuple[PublishAttempt, Session]:
        """Publish over as many sessions as it takes; a timeout is final where the queue is sick and not the link."""
        timeouts = 0
        while True:
            session = await self._link.session()
            began = self._clock.monotonic()
            attempt = await self._try(session, message)
            now = self._clock.monotonic()
            self._observer.notify(Published(attempt, now - began, is_result=message.type == RESULT_TYPE))
            match attempt:
                case PublishAttempt.LOST:
                    continue
                case PublishAttempt.TIMEOUT:
                    timeouts += 1
                    # Others were answered meanwhile, or new connections did not help.
                    if self._last_answer > began or timeouts == _TIMEOUT_TRIES:
                        return attempt, session
                    session.end("the broker confirmed nothing in time")
                case PublishAttempt.CONFIRMED | PublishAttempt.RETURNED | PublishAttempt.NACKED:
                    return attempt, session

    async def _try(self, session: Session, message: Outgoing) -> PublishAttempt:
        route = message.route
        if not route.exchange and is_direct(route.routing_key):
            delivered = await self._direct_replies.deliver(
                message.body, self._properties(session, message), route.routing_key
            )
            return PublishAttempt.CONFIRMED if delivered else PublishAttempt.RETURNED
        try:
            async with session.lasting() as wait:
                overdue = _Overdue(self._timeout, session, wait)
                try:
                    with link_errors():
                        await self._send(session, message)
                finally:
                    overdue.cancel()
        except PublishError:
            attempt = PublishAttempt.RETURNED
        except DeliveryError:
            attempt = PublishAttempt.NACKED
        except LinkLost as lost:
            session.end(str(lost))
            return PublishAttempt.LOST
        except TimeoutError:
            return PublishAttempt.LOST if session.ended.done() else PublishAttempt.TIMEOUT
        else:
            attempt = PublishAttempt.CONFIRMED
        self._last_answer = self._clock.monotonic()
        return attempt

    async def _send(self, session: Session, message: Outgoing) -> None:
        channel = cast("Channel", await session.channel.get_underlay_channel())
        await channel.basic_publish(
            message.body,
            exchange=message.route.exchange,
            routing_key=message.route.routing_key,
            properties=self._properties(session, message),
            mandatory=True,
            # The confirm says more than that the bytes are on their way.
            wait=False,
        )

    def _properties(self, session: Session, message: Outgoing) -> spec.Basic.Properties:
        # The library pairs returns with confirms by message_id: two publishes in flight with one id swap
        # their verdicts (aio-pika issue 689). So every try has its own, unless it moves a request, which has one.
        moved = message.message_id is not None
        return spec.Basic.Properties(
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers=writable_headers(message.headers, session.largest_frame) if message.headers else None,
            delivery_mode=DeliveryMode.PERSISTENT,
            priority=message.priority,
            correlation_id=message.correlation_id,
            reply_to=None if message.reply_to == PSEUDO_QUEUE else message.reply_to,
            message_id=message.message_id if moved else self._new_id(),
            timestamp=message.timestamp,
            message_type=message.type,
            app_id=message.app_id or (None if moved else APP_ID),
        )
