"""Is the broker holding our publishes back? (memory or disk alarm)."""

import asyncio

from service.adapters.rabbitmq.link import Session


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
