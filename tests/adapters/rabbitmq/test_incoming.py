from datetime import timedelta
from typing import Any, cast

import pytest
from aiormq import spec
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.header import ContentHeader

from service.adapters.rabbitmq.incoming import delivery_of


def message(**properties: Any) -> DeliveredMessage:  # noqa: ANN401 - whatever the library takes
    header = ContentHeader(properties=spec.Basic.Properties(**properties))
    return DeliveredMessage(spec.Basic.Deliver(delivery_tag=1), header, b"m", cast("AbstractChannel", None))


@pytest.mark.parametrize(
    ("value", "count"), [(0, 0), (3, 3), (-1, 0), (True, 0), ("3", 0), (None, 0), (2.5, 0), ([1], 0)]
)
def test_a_delivery_count_is_a_whole_number_or_none_at_all(value: object, count: int) -> None:
    assert delivery_of(message(headers={"x-delivery-count": value})).delivery_count == count


def test_a_message_without_headers_was_never_given_out_before() -> None:
    delivery = delivery_of(message())
    assert (delivery.delivery_count, delivery.headers) == (0, {})


def test_counts_of_the_broker_are_no_headers() -> None:
    headers = {"x-delivery-count": 1, "x-acquired-count": 2, "x-attempts": 3}
    assert delivery_of(message(headers=headers)).headers == {"x-attempts": 3}


def test_type_application_and_priority_are_copied() -> None:
    delivery = delivery_of(message(message_type="t", app_id="shop", priority=0))
    assert (delivery.type, delivery.app_id, delivery.priority) == ("t", "shop", 0)


def test_an_empty_property_counts_as_none() -> None:
    delivery = delivery_of(message(message_type="", app_id=""))
    assert (delivery.type, delivery.app_id, delivery.priority) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "expected"), [("60000", timedelta(minutes=1)), ("0", timedelta(0)), ("9" * 30, None), ("soon", None)]
)
def test_an_expiration_is_read_as_far_as_it_can_be_held(text: str, expected: timedelta | None) -> None:
    assert delivery_of(message(expiration=text)).expiration == expected
