import asyncio

import pytest
from aio_pika.exceptions import AMQPConnectionError, DeliveryError

from service.adapters.rabbitmq.errors import LinkLost, describe, link_errors


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "the connection or channel closed"),
        (asyncio.CancelledError(), "the connection or channel closed"),
        (TimeoutError(), "the broker did not answer in time"),
        (AMQPConnectionError("CONNECTION_FORCED"), "CONNECTION_FORCED"),
        (ConnectionResetError(), "ConnectionResetError"),
        (ValueError("odd"), "ValueError: odd"),
        (ValueError(), "ValueError"),
    ],
)
def test_a_lost_link_is_described_in_one_line(error: BaseException | None, said: str) -> None:
    assert describe(error) == said


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError(), RuntimeError("closed"), OSError("gone")])
def test_what_the_library_raises_when_a_link_goes_away_is_one_error(error: Exception) -> None:
    with pytest.raises(LinkLost), link_errors():
        raise error


def test_a_defect_of_ours_is_no_lost_link() -> None:
    with pytest.raises(KeyError), link_errors():
        raise KeyError


def test_the_verdict_on_a_message_is_no_lost_link() -> None:
    with pytest.raises(DeliveryError), link_errors():
        raise DeliveryError(None, None)  # type: ignore[arg-type] # only its type counts


async def test_a_future_that_the_library_cancelled_is_a_lost_link() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    with pytest.raises(LinkLost), link_errors():
        await future


async def test_a_task_of_ours_that_is_cancelled_stays_cancelled() -> None:
    waiting = asyncio.Event()

    async def wait() -> None:
        with link_errors():
            waiting.set()
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(wait())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_who_asks_may_tell_the_reason_in_words_of_their_own() -> None:
    with pytest.raises(LinkLost, match="in my words"), link_errors(lambda _: "in my words"):
        raise OSError
