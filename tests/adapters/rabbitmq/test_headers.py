from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode, encode

from service.adapters.rabbitmq.headers import writable_headers

FRAME = 131_072


@pytest.mark.parametrize(
    "value",
    [None, True, -1, 2**40, "text", 0.5, datetime(2026, 1, 1, tzinfo=UTC), Decimal("1.25"), [1, "a"], {"a": {"b": 1}}],
)
def test_a_value_that_can_be_written_stays_as_it_is(value: object) -> None:
    assert writable_headers({"x": value}, FRAME) == {"x": value}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"\xff", bytearray(b"\xff")),
        (1e300, "1e+300"),
        (-1e300, "-1e+300"),
        (Decimal(2**31), "2147483648"),
        (Decimal("0.12345678901"), "0.12345678901"),
        (Decimal("NaN"), "NaN"),
    ],
)
def test_a_value_that_cannot_be_written_is_kept_as_bytes_or_text(value: object, written: object) -> None:
    assert writable_headers({"x": value, "y": [value], "z": {"in": value}}, FRAME) == {
        "x": written,
        "y": [written],
        "z": {"in": written},
    }


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.decimals(allow_nan=True, places=3),
        st.text(alphabet=st.characters(exclude_categories=["Cs"])),
        st.binary(),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["x", "y"]), VALUES))
def test_whatever_comes_out_can_be_written_and_read_back(headers: dict[str, object]) -> None:
    encoded = encode.field_table(writable_headers(headers, FRAME))
    length, _ = decode.field_table(encoded)
    assert length == len(encoded)


def test_a_table_larger_than_a_frame_keeps_the_last_short_values_and_says_that_others_were_dropped() -> None:
    producers = {f"k{n}": "v" * 1000 for n in range(200)}

    ours = {"x-error-code": "rejected", "x-error-message": "m" * 1000, "x-attempts": 3}

    written = writable_headers({**producers, **ours}, FRAME)

    assert written["x-headers-dropped"] is True
    assert {name: written[name] for name in ours} == ours
    assert len(encode.field_table(written)) < 4096


def test_a_table_nested_too_deep_is_cut_down_too() -> None:
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"a": deep}

    assert writable_headers({"deep": deep, "x-attempts": 3}, FRAME) == {"x-attempts": 3, "x-headers-dropped": True}
