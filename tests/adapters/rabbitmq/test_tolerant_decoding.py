import struct
from datetime import UTC, datetime

import pytest
from pamqp import decode

from service.adapters.rabbitmq.tolerant_decoding import UNDECODABLE_HEADERS, tolerate_odd_properties
from tests.support.raw_publish import short_string, table, timestamp


@pytest.fixture(autouse=True)
def tolerant() -> None:
    tolerate_odd_properties()


def test_good_values_are_decoded_as_before() -> None:
    assert decode.by_type(short_string("größe".encode()), "shortstr") == (8, "größe")
    assert decode.by_type(timestamp(1_700_000_000), "timestamp") == (8, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))
    assert decode.by_type(table((b"a", b"1")), "table") == (12, {"a": "1"})


def test_text_that_is_not_utf8_shows_its_bytes_and_stays_distinct() -> None:
    _, one = decode.by_type(short_string(b"a\xff"), "shortstr")
    _, other = decode.by_type(short_string(b"a\xfe"), "shortstr")

    assert (one, other) == ("a\\xff", "a\\xfe")


def test_text_whose_escapes_would_not_fit_into_a_short_string_is_cut_and_stays_distinct() -> None:
    _, one = decode.by_type(short_string(b"\xff" * 255), "shortstr")
    _, other = decode.by_type(short_string(b"\xff" * 254 + b"\xfe"), "shortstr")

    assert isinstance(one, str)
    assert len(one.encode()) <= 255
    assert one != other


def test_an_impossible_timestamp_is_the_latest_possible() -> None:
    assert decode.by_type(timestamp(2**64 - 1), "timestamp") == (8, datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    "entry",
    [short_string(b"\xff") + b"I" + struct.pack(">i", 1), short_string(b"a") + b"?", short_string(b"a") + b"F\xff"],
    ids=["name not UTF-8", "unknown type", "cut short"],
)
def test_a_table_that_cannot_be_read_is_kept_as_bytes_and_skipped_whole(entry: bytes) -> None:
    encoded = struct.pack(">I", len(entry)) + entry

    assert decode.by_type(encoded + b"next property", "table") == (len(encoded), {UNDECODABLE_HEADERS: entry})


def test_tables_nested_too_deep_to_read_are_kept_as_bytes() -> None:
    inner = b""
    for _ in range(5_000):
        entry = short_string(b"a") + b"F" + struct.pack(">I", len(inner)) + inner
        inner = entry
    encoded = struct.pack(">I", len(inner)) + inner

    assert decode.by_type(encoded, "table") == (len(encoded), {UNDECODABLE_HEADERS: inner})
