"""Publishes with confirms and mandatory returns, through lost connections."""

import asyncio
from collections.abc import Callable
from typing import cast

import aiormq.channel
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractExchange
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError

from service.adapters.rabbitmq.blocked import is_blocked
from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.adapters.rabbitmq.headers import writable_headers
from service.adapters.rabbitmq.link import Link, Session
from service.core.facts import PublishAttempt, Published
from service.core.outgoing import Outgoing, PublishVerdict
from service.core.ports import Clock, Observer
from service.core.result import RESULT_TYPE

_APP_ID = "videogen-worker"
# A pseudo queue of one channel: https://www.rabbitmq.com/docs/direct-reply-to
DIRECT_REPLY_TO = "amq.rabbitmq.reply-to."
_NACK_TRIES = 4
_NACK_PAUSE = 0.5


class _LookUp(aiormq.spec.Queue.Declare):
    """A declaration whose queue name may hold what the broker puts into it: the library refuses some of that."""

    def validate(self) -> None:  # type: ignore[explicit-override] # `typing.override` came with Python 3.12
        pass


class RabbitPublisher:
    """Keeps port `Publisher` over one link.

    `timeout` is how long, in seconds, a confirm may take before the connection is taken for dead. While the broker
    blocks the connection (memory or disk alarm) the wait goes on: what was sent is still on its way, and sending
    it again would make two of it.
    """

    def __init__(self, link: Link, timeout: float, clock: Clock, observer: Observer, new_id: Callable[[], str]) -> None:
        self._link = link
        self._timeout = timeout
        self._clock = clock
        self._observer = observer
        self._new_id = new_id

    async def publish(self, message: Outgoing) -> PublishVerdict:
        """Publish to a route that others own; see the port."""
        for _ in range(_NACK_TRIES):
            verdict = await self._publish_once_linked(message)
            if verdict is not PublishVerdict.NACKED:
                return verdict
            await asyncio.sleep(_NACK_PAUSE)
        return PublishVerdict.NACKED

    async def keep(self, message: Outgoing) -> None:
        """Publish to a queue of our own; see the port."""
        while (verdict := await self._publish_once_linked(message)) is not PublishVerdict.CONFIRMED:
            if verdict is PublishVerdict.RETURNED:
                # The queue was deleted. A new session declares it again.
                (await self._link.session()).end(f"the queue {message.route.routing_key!r} is gone")
            await asyncio.sleep(_NACK_PAUSE)

    async def _publish_once_linked(self, message: Outgoing) -> PublishVerdict:
        while True:
            session = await self._link.session()
            began = self._clock.monotonic()
            try:
                attempt, verdict = await self._try(session, message)
            except LinkLost as lost:
                session.end(str(lost))
                attempt, verdict = PublishAttempt.LOST, None
            except TimeoutError:
                session.end("the broker confirmed nothing in time")
                attempt, verdict = PublishAttempt.TIMEOUT, None
            is_result = message.type == RESULT_TYPE
            self._observer.notify(Published(attempt, self._clock.monotonic() - began, is_result=is_result))
            if verdict is not None:
                return verdict

    async def _try(self, session: Session, message: Outgoing) -> tuple[PublishAttempt, PublishVerdict]:
        direct = message.route.routing_key.startswith(DIRECT_REPLY_TO) and not message.route.exchange
        publishing = asyncio.ensure_future(self._send(session, message, mandatory=not direct))
        try:
            while not (await asyncio.wait({publishing}, timeout=self._timeout))[0]:
                if not await is_blocked(session):
                    raise TimeoutError
        finally:
            publishing.cancel()
        try:
            await publishing
        except PublishError:
            return PublishAttempt.RETURNED, PublishVerdict.RETURNED
        except DeliveryError:
            return PublishAttempt.NACKED, PublishVerdict.NACKED
        if direct and not await self._requester_is_there(session, message.route.routing_key):
            return PublishAttempt.RETURNED, PublishVerdict.RETURNED
        return PublishAttempt.CONFIRMED, PublishVerdict.CONFIRMED

    async def _send(self, session: Session, message: Outgoing, *, mandatory: bool) -> None:
        with link_errors():
            exchange = await self._exchange(session, message.route.exchange)
            await exchange.publish(self._wire(message), message.route.routing_key, mandatory=mandatory)

    @staticmethod
    async def _exchange(session: Session, name: str) -> AbstractExchange:
        if not name:
            return session.channel.default_exchange
        return await session.channel.get_exchange(name, ensure=False)

    @staticmethod
    async def _requester_is_there(session: Session, name: str) -> bool:
        # A direct reply is never "returned" truthfully: with `mandatory` the broker returns it even when it was
        # delivered. The pseudo queue exists as long as its requester does, so it is looked for after the publish:
        # found now means it was there then. A failed look-up closes its channel, hence one of its own.
        with link_errors():
            channel = await session.connection.channel()
            underlay = cast("aiormq.channel.Channel", await channel.get_underlay_channel())
            try:
                await underlay.rpc(_LookUp(queue=name, passive=True))
            except ChannelNotFoundEntity:
                return False
            await channel.close()
            return True

    def _wire(self, message: Outgoing) -> Message:
        # The library pairs returns with confirms by message_id: two publishes in flight with one id swap
        # their verdicts (aio-pika issue 689). So every try has its own.
        return Message(
            message.body,
            headers=writable_headers(message.headers or {}),
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            delivery_mode=DeliveryMode.PERSISTENT,
            correlation_id=message.correlation_id,
            message_id=self._new_id(),
            timestamp=message.timestamp,
            type=message.type,
            app_id=_APP_ID,
        )
