import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tests.support.tcp_proxy import TcpProxy, Way

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1024):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, TcpProxy(*server.sockets[0].getsockname()) as proxy:
        yield proxy


@asynccontextmanager
async def client_of(proxy: TcpProxy) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def ask(stream: Stream, word: bytes) -> bytes:
    reader, writer = stream
    writer.write(word)
    return await reader.readexactly(len(word))


async def have_many_turns(proxy: TcpProxy) -> None:
    """Talk to the target directly, long enough for any word that could pass the proxy to have passed it."""
    reader, writer = await asyncio.open_connection(*proxy._target)
    for _ in range(50):
        await ask((reader, writer), b"turn")
    writer.close()


async def test_bytes_pass_in_both_directions(proxy: TcpProxy) -> None:
    async with client_of(proxy) as stream:
        assert await ask(stream, b"hello") == b"hello"


async def test_an_end_of_stream_passes(proxy: TcpProxy) -> None:
    async with client_of(proxy) as (reader, writer):
        writer.write_eof()
        assert await reader.read() == b""
    await proxy.idle()


async def test_connections_are_counted(proxy: TcpProxy) -> None:
    async with client_of(proxy), client_of(proxy):
        await proxy.connected(2)
        assert (proxy.total, proxy.open) == (2, 2)
    await proxy.idle()
    assert (proxy.total, proxy.open) == (2, 0)


async def test_a_cut_connection_is_reset(proxy: TcpProxy) -> None:
    async with client_of(proxy) as stream:
        await ask(stream, b"hello")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            await stream[0].read(1)
    await proxy.idle()


async def test_a_cut_lets_the_next_connection_in(proxy: TcpProxy) -> None:
    async with client_of(proxy):
        await proxy.connected(1)
        proxy.cut()
        async with client_of(proxy) as stream:
            assert await ask(stream, b"again") == b"again"


async def test_a_frozen_connection_passes_nothing_until_it_thaws(proxy: TcpProxy) -> None:
    async with client_of(proxy) as stream:
        await ask(stream, b"hello")
        proxy.freeze()
        answer = asyncio.create_task(ask(stream, b"late"))
        await have_many_turns(proxy)
        assert not answer.done()
        proxy.thaw()
        assert await answer == b"late"


async def test_a_frozen_proxy_accepts_connections(proxy: TcpProxy) -> None:
    proxy.freeze()
    async with client_of(proxy):
        await proxy.connected(1)
        assert proxy.open == 1


async def test_a_closed_port_refuses_and_keeps_what_is_open(proxy: TcpProxy) -> None:
    async with client_of(proxy) as stream:
        await proxy.connected(1)
        proxy.close_listening()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(stream, b"still here") == b"still here"


async def test_an_opened_port_is_the_same_one(proxy: TcpProxy) -> None:
    proxy.close_listening()
    await proxy.open_listening()
    async with client_of(proxy) as stream:
        assert await ask(stream, b"back") == b"back"


async def test_a_target_that_refuses_ends_the_connection(proxy: TcpProxy) -> None:
    async with TcpProxy("127.0.0.1", 1) as dead_end, client_of(dead_end) as (reader, _):
        with suppress(ConnectionResetError):
            assert await reader.read(1) == b""
        assert dead_end.total == 0


async def test_a_connection_is_cut_after_exactly_so_many_bytes(proxy: TcpProxy) -> None:
    async with client_of(proxy) as stream:
        await ask(stream, b"hello")
        proxy.cut_after(3, Way.TO_CLIENT)
        stream[1].write(b"world")

        assert await stream[0].readexactly(3) == b"wor"
        with pytest.raises(ConnectionResetError):
            await stream[0].read(1)
    await proxy.idle()


async def test_bytes_are_swallowed_in_one_direction_after_so_many_have_passed(proxy: TcpProxy) -> None:
    async with client_of(proxy) as stream:
        await ask(stream, b"hello")
        proxy.swallow(Way.TO_CLIENT, after=3)
        stream[1].write(b"world")
        assert await stream[0].readexactly(3) == b"wor"

        more = asyncio.create_task(stream[0].read(1))
        stream[1].write(b"more")
        await have_many_turns(proxy)
        assert not more.done()
        assert proxy.open == 1
        more.cancel()


async def test_what_is_swallowed_on_the_way_there_never_arrives(proxy: TcpProxy) -> None:
    async with client_of(proxy) as stream:
        await ask(stream, b"hello")
        proxy.swallow(Way.TO_TARGET)
        answer = asyncio.create_task(ask(stream, b"lost"))
        await have_many_turns(proxy)
        assert not answer.done()
        answer.cancel()


@pytest.mark.parametrize(
    "harm", [lambda proxy: proxy.cut_after(1, Way.TO_CLIENT), lambda proxy: proxy.swallow(Way.TO_CLIENT)]
)
async def test_a_new_connection_is_not_harmed(proxy: TcpProxy, harm: Callable[[TcpProxy], None]) -> None:
    async with client_of(proxy):
        await proxy.connected(1)
        harm(proxy)
        async with client_of(proxy) as stream:
            assert await ask(stream, b"new") == b"new"


async def test_bytes_come_as_late_as_the_delay_of_both_ways(proxy: TcpProxy) -> None:
    clock = asyncio.get_running_loop().time
    async with client_of(proxy) as stream:
        await ask(stream, b"hello")
        proxy.delay(0.1)
        began = clock()
        await ask(stream, b"late")
        late = clock() - began
        proxy.delay(0.0)
        await ask(stream, b"quick")
        quick = clock() - began - late

    assert late >= 0.2
    assert quick < 0.2


async def test_a_delay_does_not_slow_down_what_is_sent_in_pieces(proxy: TcpProxy) -> None:
    clock = asyncio.get_running_loop().time
    async with client_of(proxy) as stream:
        await ask(stream, b"hello")
        proxy.delay(0.3, Way.TO_TARGET)
        began = clock()
        for _ in range(10):
            stream[1].write(b"x")
            await have_many_turns(proxy)
        assert await stream[0].readexactly(10) == b"x" * 10

        assert 0.3 <= clock() - began < 2.0
