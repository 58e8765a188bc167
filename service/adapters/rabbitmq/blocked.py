"""Is the broker holding our publishes back? (memory or disk alarm)."""

from service.adapters.rabbitmq.link import Session


def is_blocked(session: Session) -> bool:
    """Tell whether the broker has sent `connection.blocked` on this session and not taken it back."""
    transport = session.connection.transport
    # A dead connection keeps the last word that it had.
    if transport is None or session.ended.done():
        return False
    # The library tells only by letting `ready` wait. One step is enough to see whether it does.
    ready = transport.ready().__await__()
    try:
        next(ready)
    except StopIteration:
        return False
    else:
        return True
    finally:
        ready.close()
