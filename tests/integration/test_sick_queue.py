"""A queue that takes messages and never confirms them."""

import asyncio
from typing import Any
from uuid import uuid4

from service.adapters.rabbitmq.direct_replies import DirectReplies
from service.adapters.rabbitmq.publisher import RabbitPublisher
from service.adapters.system import SystemClock
from service.core.facts import LinkDown, QueueRefuses
from service.core.outgoing import Outgoing, PublishVerdict, Route
from service.private_broker import Node
from tests.support.broker import amqp_client
from tests.support.fakes import GUARD, NEW_YEAR, RecordingObserver
from tests.support.links import link_to, options_for, running

LOOK_UP = '{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"sick">>)), '


def _message(queue: str) -> Outgoing:
    return Outgoing(Route("", queue), b"{}", content_type="application/json", correlation_id="c", timestamp=NEW_YEAR)


async def test_a_queue_that_never_confirms_is_given_up_and_cuts_nobody_whose_publishes_are_confirmed(
    node: Node, observer: RecordingObserver
) -> None:
    link = link_to(node.url, observer)
    async with amqp_client(node.url) as amqp, running(link), DirectReplies(options_for(node.url)) as direct:
        await amqp.channel.declare_queue("sick", durable=True)
        await amqp.channel.declare_queue("sound", durable=True)
        publisher = RabbitPublisher(link, direct, 1.0, SystemClock(), observer, lambda: uuid4().hex)
        await node.run_ctl("eval", LOOK_UP + "sys:suspend(amqqueue:get_pid(Q), infinity).")
        try:
            sick = asyncio.ensure_future(publisher.publish(_message("sick")))
            verdicts = {await publisher.publish(_message("sound")) for _ in range(50)}

            assert await sick is PublishVerdict.NACKED
            assert verdicts == {PublishVerdict.CONFIRMED}
            assert observer.of(LinkDown) == []
        finally:
            await node.run_ctl("eval", LOOK_UP + "sys:resume(amqqueue:get_pid(Q)).")
            await amqp.channel.queue_delete("sick")
            await amqp.channel.queue_delete("sound")


async def test_without_any_other_confirm_it_is_given_up_after_a_few_connections(
    node: Node, observer: RecordingObserver
) -> None:
    link = link_to(node.url, observer)
    async with amqp_client(node.url) as amqp, running(link), DirectReplies(options_for(node.url)) as direct:
        await amqp.channel.declare_queue("sick", durable=True)
        publisher = RabbitPublisher(link, direct, 0.3, SystemClock(), observer, lambda: uuid4().hex)
        await node.run_ctl("eval", LOOK_UP + "sys:suspend(amqqueue:get_pid(Q), infinity).")
        try:
            assert await publisher.publish(_message("sick")) is PublishVerdict.NACKED
            assert len(observer.of(LinkDown)) == 2
        finally:
            await node.run_ctl("eval", LOOK_UP + "sys:resume(amqqueue:get_pid(Q)).")
            await amqp.channel.queue_delete("sick")


async def test_what_was_not_confirmed_in_time_is_not_moved_there_again(node: Node, observer: RecordingObserver) -> None:
    link = link_to(node.url, observer)
    async with amqp_client(node.url) as amqp, running(link), DirectReplies(options_for(node.url)) as direct:
        await amqp.channel.declare_queue("sick", durable=True)
        await amqp.channel.declare_queue("sound", durable=True)
        publisher = RabbitPublisher(link, direct, 1.0, SystemClock(), observer, lambda: uuid4().hex)
        await node.run_ctl("eval", LOOK_UP + "sys:suspend(amqqueue:get_pid(Q), infinity).")
        try:
            moving = asyncio.ensure_future(publisher.try_keep(_message("sick")))
            while not moving.done():
                await publisher.keep(_message("sound"))
            assert not await moving
        finally:
            await node.run_ctl("eval", LOOK_UP + "sys:resume(amqqueue:get_pid(Q)).")
        try:
            assert await amqp.count("sick") == 1
        finally:
            await amqp.channel.queue_delete("sick")
            await amqp.channel.queue_delete("sound")


async def test_a_full_queue_of_our_own_is_told_and_kept_trying_until_there_is_room(
    node: Node, observer: RecordingObserver
) -> None:
    link = link_to(node.url, observer)
    async with amqp_client(node.url) as amqp, running(link), DirectReplies(options_for(node.url)) as direct:
        limits: dict[str, Any] = {"x-max-length": 1, "x-overflow": "reject-publish"}
        queue = await amqp.channel.declare_queue("full", durable=True, arguments=limits)
        publisher = RabbitPublisher(link, direct, 5.0, SystemClock(), observer, lambda: uuid4().hex)
        try:
            await publisher.keep(_message("full"))
            keeping = asyncio.ensure_future(publisher.keep(_message("full")))
            await observer.until(lambda: bool(observer.of(QueueRefuses)))
            assert observer.of(QueueRefuses) == [QueueRefuses("full", refuses=True)]
            assert not keeping.done()

            await queue.purge()
            await asyncio.wait_for(keeping, GUARD)
            assert observer.of(QueueRefuses)[1:] == [QueueRefuses("full", refuses=False)]
        finally:
            await amqp.channel.queue_delete("full")
