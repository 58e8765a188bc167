import pytest

from service.private_broker import BrokerKind, NoBrokerError
from service.private_broker.broker import PassedOverError
from service.private_broker.free_ports import free_ports
from service.private_broker.given import VARIABLE, given_broker, without_credentials


async def test_the_named_broker_is_used_as_it_is(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, broker_url)
    async with given_broker(print) as broker:
        assert broker.url == broker_url
        assert broker.kind is BrokerKind.GIVEN
        assert broker.version[0] in "34"


async def test_without_the_variable_the_way_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(PassedOverError, match="VIDEOGEN_TEST_AMQP_URL is not set"):
        await given_broker(print).__aenter__()


async def test_a_named_broker_that_is_not_there_is_no_reason_to_take_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv(VARIABLE, f"amqp://me:secret@127.0.0.1:{port}/")
    with pytest.raises(NoBrokerError, match=f"amqp://127.0.0.1:{port}/, but no broker lets us in"):
        await given_broker(print).__aenter__()


async def test_a_wrong_password_is_told(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"amqp://nobody:wrong@{broker_url.rpartition('@')[2]}")
    with pytest.raises(NoBrokerError, match="ACCESS_REFUSED"):
        await given_broker(print).__aenter__()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://me:secret@rabbit:5672/jobs", "amqp://rabbit:5672/jobs"),
        ("amqps://me:s%40cret@rabbit/", "amqps://rabbit/"),
        ("amqp://me:sec/r@t@rabbit/", "amqp://rabbit/"),
        ("amqp://rabbit", "amqp://rabbit"),
    ],
)
def test_credentials_are_not_shown(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
