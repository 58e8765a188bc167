"""What port `Publisher` promises, shown for the fake that other tests rely on and for RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import count
from typing import Protocol
from uuid import uuid4

import pytest
from aio_pika.abc import HeadersType

from service.adapters.rabbitmq.direct_replies import DirectReplies
from service.adapters.rabbitmq.publisher import RabbitPublisher
from service.core.facts import LinkDown
from service.core.outgoing import Outgoing, PublishVerdict, Route
from service.core.ports import Publisher
from tests.support.broker import Amqp, amqp_client
from tests.support.fakes import GUARD, FakeClock, FakePublisher, RecordingObserver
from tests.support.links import link_to, options_for, proxy_to, running, with_address
from tests.support.tcp_proxy import TcpProxy

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Stage(Protocol):
    """A publisher before a broker whose queues and presence the test decides."""

    @property
    def publisher(self) -> Publisher: ...

    async def queue(self) -> Route:
        """Make a queue that takes messages."""
        ...

    async def full_queue(self) -> Route:
        """Make a queue that refuses messages."""
        ...

    async def no_queue(self) -> Route:
        """Name a queue that is not there."""
        ...

    async def bodies(self, route: Route) -> list[bytes]:
        """Tell what is in a queue."""
        ...

    async def go_away(self) -> None: ...

    async def come_back(self) -> None: ...


class FakeStage:
    def __init__(self) -> None:
        self._fake = FakePublisher()
        self._names = (f"queue-{number}" for number in count())

    @property
    def publisher(self) -> Publisher:
        return self._fake

    async def queue(self) -> Route:
        return Route("", next(self._names))

    async def full_queue(self) -> Route:
        return self._refusing(PublishVerdict.NACKED)

    async def no_queue(self) -> Route:
        return self._refusing(PublishVerdict.RETURNED)

    def _refusing(self, verdict: PublishVerdict) -> Route:
        route = Route("", next(self._names))
        self._fake.refuse(route, verdict)
        return route

    async def bodies(self, route: Route) -> list[bytes]:
        return [message.body for message in self._fake.at(route)]

    async def go_away(self) -> None:
        self._fake.go_away()

    async def come_back(self) -> None:
        self._fake.come_back()


class RabbitStage:
    def __init__(self, amqp: Amqp, proxy: TcpProxy, observer: RecordingObserver, publisher: Publisher) -> None:
        self._amqp = amqp
        self._proxy = proxy
        self._observer = observer
        self._publisher = publisher

    @property
    def publisher(self) -> Publisher:
        return self._publisher

    async def queue(self) -> Route:
        # Exclusive: the broker deletes it with the test's connection.
        return Route("", (await self._amqp.channel.declare_queue(exclusive=True)).name)

    async def full_queue(self) -> Route:
        arguments: HeadersType = {"x-max-length": 0, "x-overflow": "reject-publish"}
        return Route("", (await self._amqp.channel.declare_queue(exclusive=True, arguments=arguments)).name)

    async def no_queue(self) -> Route:
        return Route("", f"missing-{uuid4().hex}")

    async def bodies(self, route: Route) -> list[bytes]:
        ready = await self._amqp.count(route.routing_key)
        return [(await self._amqp.receive(route.routing_key)).body for _ in range(ready)]

    async def go_away(self) -> None:
        self._proxy.close_listening()
        self._proxy.cut()
        await self._observer.wait_for(LinkDown)

    async def come_back(self) -> None:
        await self._proxy.open_listening()


@pytest.fixture(params=["fake", "rabbitmq"])
def url(request: pytest.FixtureRequest, broker_url: str) -> str | None:
    """Tell where the broker is; None for the fake, which has none."""
    return broker_url if request.param == "rabbitmq" else None


@pytest.fixture
async def stage(url: str | None) -> AsyncIterator[Stage]:
    if url is None:
        yield FakeStage()
        return
    observer = RecordingObserver()
    async with AsyncExitStack() as stack:
        amqp = await stack.enter_async_context(amqp_client(url))
        proxy = await stack.enter_async_context(proxy_to(url))
        link = await stack.enter_async_context(running(link_to(with_address(url, port=proxy.port), observer)))
        await link.session()
        direct = await stack.enter_async_context(DirectReplies(options_for(url)))
        publisher = RabbitPublisher(link, direct, 5.0, FakeClock(), observer, lambda: uuid4().hex)
        yield RabbitStage(amqp, proxy, observer, publisher)


def _message(route: Route, body: bytes = b"{}") -> Outgoing:
    return Outgoing(route, body, content_type="application/json", correlation_id="c", timestamp=NOW)


async def test_a_message_to_a_queue_is_confirmed_and_there(stage: Stage) -> None:
    route = await stage.queue()

    assert await stage.publisher.publish(_message(route, b"hello")) is PublishVerdict.CONFIRMED

    assert await stage.bodies(route) == [b"hello"]


async def test_a_message_to_no_queue_is_returned(stage: Stage) -> None:
    route = await stage.no_queue()

    assert await stage.publisher.publish(_message(route)) is PublishVerdict.RETURNED


async def test_a_message_to_a_full_queue_is_nacked_in_the_end(stage: Stage) -> None:
    route = await stage.full_queue()

    assert await stage.publisher.publish(_message(route)) is PublishVerdict.NACKED

    assert await stage.bodies(route) == []


async def test_a_refusal_does_not_disturb_the_next_message(stage: Stage) -> None:
    route = await stage.queue()
    await stage.publisher.publish(_message(await stage.no_queue()))

    assert await stage.publisher.publish(_message(route)) is PublishVerdict.CONFIRMED


async def test_messages_in_flight_together_get_each_their_own_verdict(stage: Stage) -> None:
    there, missing = await stage.queue(), await stage.no_queue()

    verdicts = await asyncio.gather(
        *(stage.publisher.publish(_message(missing if number % 2 else there)) for number in range(50))
    )

    assert verdicts == [PublishVerdict.CONFIRMED, PublishVerdict.RETURNED] * 25
    assert len(await stage.bodies(there)) == 25


async def test_a_kept_message_is_in_its_queue(stage: Stage) -> None:
    route = await stage.queue()

    await stage.publisher.keep(_message(route, b"paid"))

    assert await stage.bodies(route) == [b"paid"]


async def test_a_message_that_may_be_refused_is_in_its_queue_and_that_is_told(stage: Stage) -> None:
    route = await stage.queue()

    assert await stage.publisher.try_keep(_message(route, b"moved"))

    assert await stage.bodies(route) == [b"moved"]


async def test_a_message_that_a_full_queue_keeps_refusing_is_given_up_and_that_is_told(stage: Stage) -> None:
    route = await stage.full_queue()

    async with asyncio.timeout(GUARD):
        assert not await stage.publisher.try_keep(_message(route))

    assert await stage.bodies(route) == []


@pytest.mark.parametrize("method", ["publish", "keep", "try_keep"])
async def test_a_message_waits_for_an_absent_broker(stage: Stage, method: str) -> None:
    route = await stage.queue()
    await stage.go_away()
    publishing = asyncio.ensure_future(getattr(stage.publisher, method)(_message(route, b"late")))
    assert await stage.bodies(route) == []
    assert not publishing.done()

    await stage.come_back()
    async with asyncio.timeout(GUARD):
        assert await publishing in (PublishVerdict.CONFIRMED, None, True)

    assert await stage.bodies(route) == [b"late"]


async def test_a_publish_that_is_given_up_leaves_the_publisher_usable(stage: Stage) -> None:
    route = await stage.queue()
    await stage.go_away()
    publishing = asyncio.ensure_future(stage.publisher.publish(_message(route, b"given up")))
    assert await stage.bodies(route) == []

    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    await stage.come_back()

    assert await stage.publisher.publish(_message(route, b"next")) is PublishVerdict.CONFIRMED
    assert await stage.bodies(route) == [b"next"]
