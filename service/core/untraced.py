"""Tracing that is off."""

from contextlib import AbstractContextManager, nullcontext

from service.core.delivery import Delivery, Identity

_NOTHING = nullcontext()


class Untraced:
    """Keeps port `Tracing`, and makes not one object for a message."""

    def processing(self, delivery: Delivery, identity: Identity) -> AbstractContextManager[object]:  # noqa: ARG002 - of the port
        """Do nothing."""
        return _NOTHING
