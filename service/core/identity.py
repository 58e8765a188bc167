"""Names a request from what its message carries."""

from collections.abc import Callable

from service.core.delivery import Delivery, Identity
from service.core.history import MADE_UP_ID

NO_MESSAGE_ID = (
    "The message has no message_id, so nothing protects it against being processed twice. "
    "Set a message_id that is unique for each wanted video."
)


def identify(delivery: Delivery, new_id: Callable[[], str]) -> Identity:
    """Take the ids of a message; make up a request id where it has none (spec section 2).

    One that was made up before the message moved to another queue is kept, and still counts as made up.
    """
    request_id = delivery.message_id or new_id()
    return Identity(
        request_id=request_id,
        correlation_id=delivery.correlation_id or request_id,
        made_up=not delivery.message_id or delivery.headers.get(MADE_UP_ID) is True,
    )
