import asyncio
import socket
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from aio_pika import Message
from aio_pika.exceptions import ChannelNotFoundEntity
from pydantic import SecretStr

from service.adapters.rabbitmq import droppable
from service.adapters.rabbitmq.configured import link_options_of
from service.adapters.rabbitmq.errors import LinkLost, TopologyError
from service.adapters.rabbitmq.link import Link, Session
from service.core.facts import LinkDown, LinkRole, LinkUp
from service.settings import BrokerSettings
from tests.support.fakes import GUARD, RecordingObserver
from tests.support.links import link_to, no_set_up, options_for, running, with_address
from tests.support.tcp_proxy import TcpProxy


async def test_a_session_is_set_up_before_anyone_gets_it(broker_url: str, observer: RecordingObserver) -> None:
    set_up: list[Session] = []

    async def remember(session: Session) -> None:
        assert not observer.facts
        set_up.append(session)

    async with running(link_to(broker_url, observer, remember)) as link, asyncio.timeout(GUARD):
        session = await link.session()

    assert set_up == [session]
    assert observer.of(LinkUp) == [LinkUp(LinkRole.PUBLISH, first=True)]


async def test_another_session_that_ends_late_does_not_take_the_current_one_away(
    broker_url: str, observer: RecordingObserver
) -> None:
    async with running(link_to(broker_url, observer)) as link, asyncio.timeout(GUARD):
        current = await link.session()
        other = Session(current.connection, current.channel, current.largest_frame, current.on_end)

        other.end("late")

        assert await link.session() is current


async def test_a_broker_that_is_away_at_the_start_is_waited_for(
    proxy: TcpProxy, proxied_url: str, observer: RecordingObserver
) -> None:
    proxy.close_listening()
    async with running(link_to(proxied_url, observer)) as link, asyncio.timeout(GUARD):
        downs = await observer.wait_for(LinkDown, 3)
        assert not observer.of(LinkUp)
        assert all(down.reason for down in downs)

        await proxy.open_listening()
        await link.session()

    assert observer.of(LinkUp) == [LinkUp(LinkRole.PUBLISH, first=True)]


async def test_the_waits_between_tries_grow_to_the_cap_and_no_further(
    proxy: TcpProxy, proxied_url: str, observer: RecordingObserver
) -> None:
    proxy.close_listening()
    options = link_options_of(BrokerSettings(url=SecretStr(proxied_url), reconnect_cap=0.7))
    async with running(Link(LinkRole.CONSUME, options, no_set_up, observer, lambda: 0.0)):
        downs = await observer.wait_for(LinkDown, 4)

    assert [down.retry_in for down in downs] == [0.2, 0.35, 0.35, 0.35]


async def test_a_wrong_password_says_what_to_check_and_is_not_shown(
    broker_url: str, observer: RecordingObserver
) -> None:
    url = with_address(broker_url, login="guest:hunter2")
    async with running(link_to(url, observer)):
        (down, *_) = await observer.wait_for(LinkDown)

    assert "broker address" in down.reason
    assert "hunter2" not in down.reason


async def test_an_unknown_virtual_host_says_what_to_check(broker_url: str, observer: RecordingObserver) -> None:
    async with running(link_to(f"{broker_url.rstrip('/')}/no-such-vhost", observer)):
        (down, *_) = await observer.wait_for(LinkDown)

    assert "virtual host" in down.reason
    assert "broker address" in down.reason
    assert "guest:guest" not in down.reason


async def test_twenty_cuts_leave_no_task_behind(proxy: TcpProxy, proxied_url: str, observer: RecordingObserver) -> None:
    before = asyncio.all_tasks()
    async with running(link_to(proxied_url, observer)) as link, asyncio.timeout(3 * GUARD):
        for ups in range(2, 22):
            session = await link.session()
            proxy.cut()
            await session.ended
            await observer.wait_for(LinkUp, ups)

    async with asyncio.timeout(GUARD):
        # Closing connections need a few rounds of the loop to end; a task that was left behind would wait for ever.
        await proxy.idle()
        if extra := asyncio.all_tasks() - before:
            await asyncio.wait(extra)
    assert asyncio.all_tasks() == before
    assert [up.first for up in observer.of(LinkUp)] == [True] + [False] * 20


async def test_a_frozen_link_is_noticed_and_comes_back(
    proxy: TcpProxy, proxied_url: str, observer: RecordingObserver
) -> None:
    async with running(link_to(proxied_url, observer, heartbeat=1)) as link, asyncio.timeout(3 * GUARD):
        first = await link.session()
        proxy.freeze()
        await observer.wait_for(LinkDown, guard=2 * GUARD)
        proxy.thaw()
        await observer.wait_for(LinkUp, 2, guard=2 * GUARD)

        assert await link.session() is not first


async def test_a_session_that_is_ended_gives_its_reason_and_makes_room_for_another(
    broker_url: str, observer: RecordingObserver
) -> None:
    async with running(link_to(broker_url, observer)) as link, asyncio.timeout(GUARD):
        first = await link.session()
        first.end("had enough")
        first.end("again")
        second = await link.session()

        assert second is not first
        assert not second.ended.done()
    assert [down.reason for down in observer.of(LinkDown)] == ["had enough"]


async def test_a_channel_that_the_broker_closes_ends_its_session(broker_url: str, observer: RecordingObserver) -> None:
    async with running(link_to(broker_url, observer)) as link, asyncio.timeout(GUARD):
        session = await link.session()
        with pytest.raises(ChannelNotFoundEntity):
            await session.channel.get_exchange("no-such-exchange", ensure=True)

        assert "no-such-exchange" in await session.ended
        await observer.wait_for(LinkUp, 2)


async def test_a_set_up_that_loses_its_link_is_tried_again(broker_url: str, observer: RecordingObserver) -> None:
    tries: list[Session] = []

    async def fail_twice(session: Session) -> None:
        tries.append(session)
        if len(tries) < 3:
            raise LinkLost("not yet")

    async with running(link_to(broker_url, observer, fail_twice)) as link, asyncio.timeout(GUARD):
        assert await link.session() is tries[2]
    assert [down.reason for down in observer.of(LinkDown)] == ["not yet", "not yet"]


async def test_a_topology_that_cannot_be_used_ends_the_link(broker_url: str) -> None:
    async def refuse(_: Session) -> None:
        raise TopologyError("the queue is another")

    with pytest.raises(TopologyError, match="the queue is another"):
        async with asyncio.timeout(GUARD):
            await link_to(broker_url, set_up=refuse).run()


async def test_a_link_whose_socket_is_full_can_be_given_up_and_comes_back(
    proxy: TcpProxy, proxied_url: str, observer: RecordingObserver
) -> None:
    async with running(link_to(proxied_url, observer)) as link, asyncio.timeout(3 * GUARD):
        session = await link.session()
        proxy.freeze()
        # More than the sockets, the proxy and the library's queue of ten frames hold: the library is stuck in a write.
        message = Message(b"x" * 2_000_000)
        stuck = [
            asyncio.ensure_future(session.channel.default_exchange.publish(message, "no-such-queue", mandatory=False))
            for _ in range(30)
        ]
        await asyncio.wait(stuck, timeout=1.0)

        session.end("had enough")
        await observer.wait_for(LinkDown)
        proxy.thaw()
        await observer.wait_for(LinkUp, 2)
        assert await link.session() is not session
        done, _ = await asyncio.wait(stuck)

    assert all(one.cancelled() or one.exception() for one in done)


async def test_a_node_that_answers_nothing_is_left_for_another_one_of_the_same_name(
    proxied_url: str, observer: RecordingObserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = urlsplit(proxied_url).port
    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
    look_up = socket.getaddrinfo

    def always_in_this_order(host: str, *arguments: Any, **options: Any) -> list[Any]:  # noqa: ANN401 - the library's
        return addresses if host == "cluster.test" else list(look_up(host, *arguments, **options))

    monkeypatch.setattr(socket, "getaddrinfo", always_in_this_order)
    options = replace(options_for(proxied_url.replace("127.0.0.1", "cluster.test")), connect_timeout=0.5)
    link = Link(LinkRole.PUBLISH, options, no_set_up, observer, lambda: 0.0)
    callers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: callers.append(writer), "127.0.0.2", port)
    async with silent:
        # A sequence in which the silent one comes first, then last.
        monkeypatch.setattr(droppable, "_CHANCE", SilentFirst())
        async with running(link), asyncio.timeout(GUARD):
            await link.session()

    for caller in callers:
        caller.close()

    assert len(observer.of(LinkDown)) == 1


class SilentFirst:
    """Leaves the order as it is the first time, and turns it from then on."""

    def __init__(self) -> None:
        self._times = 0

    def shuffle(self, addresses: list[str]) -> None:
        self._times += 1
        if self._times > 1:
            addresses.reverse()
