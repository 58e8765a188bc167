"""Makes sure that the broker still knows our consumer and gives it what there is."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from aiormq.abc import AbstractChannel

from service.adapters.rabbitmq.asking import ask
from service.adapters.rabbitmq.consumer import Flow, RabbitConsumer
from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.adapters.rabbitmq.link import Link, Session

INTERVAL = 10.0
_ANSWER_WITHIN = 10.0


@dataclass(frozen=True, slots=True)
class _Sight:
    """What one check saw; the same sight twice, with a suspicion, is proof."""

    flow: tuple[str | None, int]
    suspicion: str | None


async def watch_consumption(
    link: Link, consumer: RabbitConsumer, interval: float = INTERVAL, within: float = _ANSWER_WITHIN
) -> None:
    """Check every `interval` seconds and end a session on which consumption does not work, until cancelled.

    The broker must answer `within` seconds, on the channel that consumes as on another one. The queue must exist. What
    an answer about counts gives reason to suspect must still hold at the next check, with no delivery between.
    """
    while True:
        session = await link.session()
        with suppress(LinkLost):
            await _watch(session, consumer, interval, within)


async def _watch(session: Session, consumer: RabbitConsumer, interval: float, within: float) -> None:
    with link_errors():
        working = await session.channel.get_underlay_channel()
    # Questions about the queue have a channel of their own: a queue that is gone closes the channel that asks.
    asking = await ask(session, session.connection.channel(publisher_confirms=False), within)
    checks = await ask(session, asking.get_underlay_channel(), within)
    before: _Sight | None = None
    while not await _ends_within(session, interval):
        sight = await _look(session, working, checks, consumer, within)
        if sight.suspicion is not None and sight == before:
            session.end(sight.suspicion)
        before = sight


async def _ends_within(session: Session, seconds: float) -> bool:
    done, _ = await asyncio.wait({session.ended}, timeout=seconds)
    return bool(done)


async def _look(
    session: Session, working: AbstractChannel, checks: AbstractChannel, consumer: RabbitConsumer, within: float
) -> _Sight:
    began = consumer.flow_on(session)
    declared = await ask(session, checks.queue_declare(consumer.queue, passive=True), within)
    # Changes nothing, but proves that the channel works; and every delivery that the broker had sent on it before
    # its answer has been counted then.
    await ask(session, working.basic_qos(prefetch_count=consumer.prefetch), within)
    flow = consumer.flow_on(session)
    doubt = None
    if flow.tag == began.tag:
        doubt = suspicion(flow, consumer.prefetch, declared.message_count or 0, declared.consumer_count or 0)
    return _Sight((flow.tag, flow.delivered), doubt)


def suspicion(flow: Flow, prefetch: int, ready: int, consumers: int) -> str | None:
    """Compare the broker's counts of the queue with our own; say what does not fit.

    Once is no proof: a quorum queue that has no leader for the moment answers zero to both counts.
    """
    if flow.tag is None:
        return None
    if consumers == 0:
        return "the broker has lost our consumer"
    if ready > 0 and flow.unsettled < prefetch:
        return "the broker holds messages back from our consumer"
    return None
