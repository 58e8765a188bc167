"""Names a request from what its message carries."""

from collections.abc import Callable

from service.core.delivery import Delivery, Identity

NO_MESSAGE_ID = (
    "The message has no message_id, so nothing protects it against being processed twice. "
    "Set a message_id that is unique for each wanted video."
)


def identify(delivery: Delivery, new_id: Callable[[], str]) -> Identity:
    """Take the ids of a message; make up a request id where it has none (spec section 2)."""
    request_id = delivery.message_id or new_id()
    return Identity(
        request_id=request_id,
        correlation_id=delivery.correlation_id or request_id,
        made_up=not delivery.message_id,
    )
