import asyncio

import httpx
import pytest

from service.adapters.client_pool import ClientPool
from service.adapters.endpoint import HttpxEndpoint
from service.core.call import ResultClass, result_class
from tests.support.endpoint_calls import ACCEPTED, CALL, hold, serving, settings
from tests.support.fakes import FakeClock
from tests.support.raw_server import Peer, answering, raw_server


async def test_cancellation_propagates() -> None:
    async with serving(hold) as (server, endpoint):
        task = asyncio.create_task(endpoint.submit(CALL))
        await server.wait_posts(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.wait_open(0)


@pytest.mark.pain(11)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_two_hundred_rounds_of_cancellation_take_no_connection_away(scheme: str) -> None:
    answers = asyncio.Event()

    async def script(peer: Peer) -> None:
        if not answers.is_set():
            await peer.gone()
        elif scheme == "http":
            await answering(ACCEPTED)(peer)

    async with raw_server(script) as server:
        url = f"{scheme}://127.0.0.1:{server.port}"
        async with HttpxEndpoint(settings(url), 2, FakeClock()) as endpoint:

            async def cut(after: float) -> None:
                # Later and later, so that the cut falls on every step between queueing and waiting for the answer.
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(after):
                        await endpoint.submit(CALL)

            for round_ in range(200):
                step = (round_ % 50) * 0.0001
                await asyncio.gather(*(cut(step + place * 0.0003) for place in range(4)))
            await server.wait_open(0)

            answers.set()
            async with asyncio.timeout(5):
                results = await asyncio.gather(*(endpoint.submit(CALL) for _ in range(4)))
    expected = ResultClass.ACCEPTED if scheme == "http" else ResultClass.NOT_SENT
    assert {result_class(result) for result in results} == {expected}


async def test_calls_at_once_never_exceed_the_connections() -> None:
    async with serving(hold, 3) as (server, endpoint):
        calls = [asyncio.create_task(endpoint.submit(CALL)) for _ in range(9)]
        await server.wait_posts(3)
        assert server.connections == 3
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


class Built:
    """Builds clients and remembers them."""

    def __init__(self) -> None:
        self.clients: list[httpx.AsyncClient] = []

    def __call__(self) -> httpx.AsyncClient:
        self.clients.append(httpx.AsyncClient(trust_env=False, verify=False))
        return self.clients[-1]


async def test_calls_one_after_another_share_a_client() -> None:
    built = Built()
    pool = ClientPool(built, limit=5, keepalive_expiry=60)
    for _ in range(3):
        async with pool.client():
            pass
    assert len(built.clients) == 1
    await pool.aclose()


async def test_a_client_is_lent_to_one_call_at_a_time() -> None:
    built = Built()
    pool = ClientPool(built, limit=5, keepalive_expiry=60)
    async with pool.client() as one, pool.client() as other:
        assert one is not other
    await pool.aclose()


@pytest.mark.parametrize("error", [asyncio.CancelledError(), RuntimeError("a defect")], ids=repr)
async def test_a_client_whose_call_was_cut_is_closed_and_replaced(error: BaseException) -> None:
    built = Built()
    pool = ClientPool(built, limit=1, keepalive_expiry=60)
    with pytest.raises(type(error)):
        async with pool.client():
            raise error
    async with pool.client() as client:
        assert built.clients[0].is_closed
        assert client is built.clients[1]
    await pool.aclose()


async def test_a_client_that_reported_an_error_of_its_own_is_lent_again() -> None:
    built = Built()
    pool = ClientPool(built, limit=1, keepalive_expiry=60)
    with pytest.raises(httpx.ReadError):
        async with pool.client():
            raise httpx.ReadError("reset")
    async with pool.client() as client:
        assert client is built.clients[0]
    await pool.aclose()


async def test_clients_idle_beyond_their_expiry_are_closed_when_the_next_is_lent() -> None:
    built = Built()
    pool = ClientPool(built, limit=5, keepalive_expiry=-1)
    async with pool.client(), pool.client():
        pass
    async with pool.client():
        assert [client.is_closed for client in built.clients] == [True, True, False]
    await pool.aclose()


async def test_closing_the_pool_closes_every_idle_client() -> None:
    built = Built()
    pool = ClientPool(built, limit=5, keepalive_expiry=60)
    async with pool.client(), pool.client():
        pass
    await pool.aclose()
    assert [client.is_closed for client in built.clients] == [True, True]
