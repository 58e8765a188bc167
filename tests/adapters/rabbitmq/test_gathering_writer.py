import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from unittest.mock import patch

from service.adapters.rabbitmq.gathering_writer import GATHERED_FOR, GatheringWriter
from tests.support.fakes import GUARD


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[GatheringWriter, asyncio.StreamReader, list[bytes]]]:
    """A writer, what its other side reads, and each single write into the socket."""
    arrived: asyncio.Future[asyncio.StreamReader] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set_result(reader)
        await done.wait()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    gathering = GatheringWriter(reader, writer)
    writes: list[bytes] = []
    write = writer.transport.write

    def recorded(data: bytes) -> None:
        writes.append(bytes(data))
        write(data)

    try:
        with patch.object(writer.transport, "write", recorded):
            async with asyncio.timeout(GUARD):
                yield gathering, await arrived, writes
    finally:
        done.set()
        gathering.close()
        await gathering.wait_closed()
        server.close()


async def test_what_is_written_in_one_turn_goes_out_at_once_and_in_order() -> None:
    async with connected() as (writer, other_side, writes):
        for frame in (b"one ", b"two ", bytearray(b"three")):
            writer.write(frame)
        assert writes == []
        assert await other_side.readexactly(13) == b"one two three"
        assert writes == [b"one two three"]


async def test_a_drain_comes_back_when_everything_is_written() -> None:
    async with connected() as (writer, _, writes):
        writer.write(b"one")
        await writer.drain()
        assert writes == [b"one"]
        writer.write(b"two")
        writer.write(b"three")
        await asyncio.gather(writer.drain(), writer.drain())
        assert writes == [b"one", b"twothree"]
        await writer.drain()
        assert writes == [b"one", b"twothree"]


async def test_a_drain_that_is_cancelled_keeps_nobody_else_from_hearing() -> None:
    async with connected() as (writer, _, writes):
        writer.write(b"one")
        await writer.drain()
        writer.write(b"two")
        first, second = asyncio.create_task(writer.drain()), asyncio.create_task(writer.drain())
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert writes == [b"one", b"two"]


async def test_what_comes_soon_after_a_write_waits_for_more_and_what_comes_late_does_not() -> None:
    async with connected() as (writer, other_side, writes):
        writer.write(b"one")
        assert await other_side.readexactly(3) == b"one"
        for frame in (b"two", b"three"):
            writer.write(frame)
            await asyncio.sleep(0)  # one turn of the event loop, no time
        assert await other_side.readexactly(8) == b"twothree"
        assert writes == [b"one", b"twothree"]
        await asyncio.sleep(2 * GATHERED_FOR)
        writer.write(b"four")
        await asyncio.sleep(0)
        assert writes[-1] == b"four"


async def test_closing_writes_what_has_gathered() -> None:
    async with connected() as (writer, other_side, _):
        writer.write(b"last words")
        writer.close()
        assert await other_side.read() == b"last words"


async def test_the_end_comes_after_what_has_gathered() -> None:
    async with connected() as (writer, other_side, _):
        writer.write(b"last words")
        writer.write_eof()
        assert await other_side.read() == b"last words"


async def test_a_connection_that_was_cut_takes_no_harm() -> None:
    async with connected() as (writer, other_side, _):
        writer.write(b"never")
        writer.transport.abort()
        assert await other_side.read() == b""


async def test_a_connection_that_is_lost_while_something_gathers_raises_nowhere() -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with connected() as (writer, other_side, writes):
        writer.write(b"one")
        assert await other_side.readexactly(3) == b"one"
        writer.write(b"two")
        drained = asyncio.create_task(writer.drain())
        await asyncio.sleep(0)
        writer.transport.abort()
        with suppress(ConnectionError):
            await drained
        assert writes == [b"one"]
    assert complaints == []
