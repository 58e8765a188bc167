import pytest

from service.core.broker_version import BrokerVersion, broker_version, version_finding
from service.core.finding import Verdict


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.10.8", BrokerVersion(3, 10)),
        ("3.9.29", BrokerVersion(3, 9)),
        ("4.1.0-rc.1", BrokerVersion(4, 1)),
        ("4.0+12.gabc", BrokerVersion(4, 0)),
        ("unknown", None),
        ("", None),
        ("20240101.1", None),
    ],
)
def test_a_version_is_read(text: str, version: BrokerVersion | None) -> None:
    assert broker_version("RabbitMQ", text) == version


def test_another_product_has_no_version_of_rabbitmq() -> None:
    assert broker_version("LavinMQ", "2.1.0") is None


@pytest.mark.parametrize(
    ("product", "version", "verdict"),
    [
        ("RabbitMQ", "3.9.29", Verdict.WRONG),
        ("RabbitMQ", "2.10.0", Verdict.WRONG),
        ("RabbitMQ", "3.10.0", Verdict.OK),
        ("RabbitMQ", "3.13.7", Verdict.OK),
        ("RabbitMQ", "4.3.1", Verdict.OK),
        ("RabbitMQ", "5.0.0", Verdict.UNKNOWN),
        ("RabbitMQ", "", Verdict.UNKNOWN),
        ("LavinMQ", "4.0.0", Verdict.UNKNOWN),
    ],
)
def test_brokers_from_3_10_to_4_are_supported(product: str, version: str, verdict: Verdict) -> None:
    assert version_finding(product, version).verdict is verdict
