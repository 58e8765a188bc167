"""What the broker library raises, in our words."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aio_pika.exceptions import CONNECTION_EXCEPTIONS, AMQPError, DeliveryError


class LinkLost(Exception):  # noqa: N818 - an event, not a defect
    """The connection or channel went away under an operation; whether the broker saw it is unknown."""


class TopologyError(Exception):
    """The broker's objects are not what the worker needs. The message names the object and what to do."""


class MissingObjectError(TopologyError):
    """An object that the worker must not declare itself is not there. Once it was there, it may come back."""


def describe(error: BaseException | None) -> str:
    """Say in one line why a link went away. Holds no password."""
    match error:
        case None | asyncio.CancelledError():
            return "the connection or channel closed"
        case TimeoutError():
            return "the broker did not answer in time"
        case AMQPError() | OSError():
            return str(error) or type(error).__name__
        case _:
            return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


@contextmanager
def link_errors(tell: Callable[[BaseException], str] = describe) -> Iterator[None]:
    """Turn whatever the library raises when a link goes away into `LinkLost`.

    aiormq closes a channel by cancelling the futures that its callers wait on, so a lost link can look like
    a cancellation of our task. `cancelling()` tells the two apart.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise LinkLost("the channel closed") from error
    except (DeliveryError, RecursionError):
        # A RecursionError is a RuntimeError, by which the library also means "closed".
        raise
    except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
        raise LinkLost(tell(error)) from error
