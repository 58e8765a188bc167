"""Is the broker holding our publishes back? (memory or disk alarm)."""

import asyncio

from service.adapters.rabbitmq.link import Link, Session
from service.core.facts import BrokerBlocked
from service.core.ports import Observer

_INTERVAL = 1.0


async def is_blocked(session: Session) -> bool:
    """Tell whether the broker has sent `connection.blocked` on this session and not taken it back."""
    transport = session.connection.transport
    # A dead connection keeps the last word that it had.
    if transport is None or session.ended.done():
        return False
    # The library tells only by letting `ready` wait.
    ready = asyncio.ensure_future(transport.ready())
    try:
        done, _ = await asyncio.wait({ready}, timeout=0)
        return not done
    finally:
        ready.cancel()


async def watch_blocked(link: Link, observer: Observer) -> None:
    """Report each change, until cancelled. RabbitMQ blocks a connection when it next publishes, not before."""
    was_blocked = False
    while True:
        blocked = await is_blocked(await link.session())
        if blocked is not was_blocked:
            observer.notify(BrokerBlocked(blocked))
            was_blocked = blocked
        await asyncio.sleep(_INTERVAL)
