"""Makes sure that publishes are confirmed, and tells when the broker holds them back, also while there are none."""

import asyncio

from aiormq import spec
from aiormq.abc import ConfirmationFrameType

from service.adapters.rabbitmq.asking import first_of, forget
from service.adapters.rabbitmq.blocked import is_blocked
from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.adapters.rabbitmq.link import Link, Session
from service.core.facts import BrokerBlocked
from service.core.ports import Observer

INTERVAL = 5.0
_CONFIRM_WITHIN = 10.0
_GLANCE = 0.2

# RabbitMQ reserves names with this beginning, so nobody can declare such a queue. It drops and confirms the message.
_NO_QUEUE = "amq.videogen-worker.canary"


async def watch_publishing(
    link: Link, observer: Observer, interval: float = INTERVAL, within: float = _CONFIRM_WITHIN
) -> None:
    """Publish a canary on every new session and then every `interval` seconds, until cancelled.

    RabbitMQ blocks a connection when it next publishes, not before: the canary makes it tell. A canary that is not
    confirmed `within` seconds, while the broker does not block, ends the session. Every change is reported as
    `BrokerBlocked`; a new session counts as what the last one was, until its first canary has come back.
    """
    watch = _PublishWatch(observer, within)
    while True:
        session = await link.session()
        while not session.ended.done():
            await watch.send_canary(session)
            await watch.glance_about(session, interval)


class _PublishWatch:
    def __init__(self, observer: Observer, within: float) -> None:
        self._observer = observer
        self._within = within
        self._blocked = False

    async def send_canary(self, session: Session) -> None:
        canary = asyncio.ensure_future(_publish(session))
        try:
            # Glances are counted, not the time: a stalled event loop uses up one of them, not all.
            glances = 0
            while glances * _GLANCE < self._within and not await first_of(canary, session, _GLANCE):
                glances = 0 if self._is_blocked(session) else glances + 1
            if session.ended.done():
                return
            if not canary.done():
                session.end("the broker confirmed nothing in time")
                return
            canary.result()
            self._report(blocked=is_blocked(session))
        except LinkLost as lost:
            session.end(str(lost))
        finally:
            forget(canary)

    async def glance_about(self, session: Session, seconds: float) -> None:
        """Look every now and then whether another publish met an alarm."""
        for _ in range(round(seconds / _GLANCE)):
            done, _pending = await asyncio.wait({session.ended}, timeout=_GLANCE)
            if done:
                return
            self._report(blocked=is_blocked(session))

    def _is_blocked(self, session: Session) -> bool:
        blocked = is_blocked(session)
        if blocked:
            self._report(blocked=blocked)
        return blocked

    def _report(self, *, blocked: bool) -> None:
        if blocked is not self._blocked:
            self._blocked = blocked
            self._observer.notify(BrokerBlocked(blocked))


async def _publish(session: Session) -> ConfirmationFrameType | None:
    with link_errors():
        channel = await session.channel.get_underlay_channel()
        return await channel.basic_publish(
            b"", routing_key=_NO_QUEUE, properties=spec.Basic.Properties(delivery_mode=1)
        )
