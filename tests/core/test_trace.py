import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.trace import trace_headers

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
VALID = f"00-{TRACE}-{PARENT}-01"

NOISY = st.text(st.sampled_from("0123456789abf-=, \r\n\tAé"), max_size=80) | st.binary(max_size=80)
NEARLY_VALID = st.builds(lambda before, after: f"{before}{VALID}{after}", st.text(max_size=2), st.text(max_size=2))


def test_valid_headers_pass() -> None:
    headers = {"traceparent": VALID, "tracestate": "vendor=value,other=1", "x-other": "1"}

    assert trace_headers(headers) == {"traceparent": VALID, "tracestate": "vendor=value,other=1"}


def test_bytes_are_decoded() -> None:
    headers = {"traceparent": VALID.encode(), "tracestate": b"vendor=value"}

    assert trace_headers(headers) == {"traceparent": VALID, "tracestate": "vendor=value"}


def test_no_headers_give_none() -> None:
    assert trace_headers({}) == {}


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        None,
        1,
        VALID.upper(),
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}g-{PARENT}-01",
        f"{VALID}-extra",
        f"{VALID}\n",
        f"{VALID}\r\nX-Evil: 1",
        f" {VALID}",
        f"cc-{TRACE}-{PARENT}-01extra",
        f"00-{TRACE[:-1]}\u0661-{PARENT}-01",
        VALID.encode("utf-16"),
    ],
)
def test_a_wrong_traceparent_is_dropped_and_the_tracestate_with_it(traceparent: object) -> None:
    assert trace_headers({"traceparent": traceparent, "tracestate": "vendor=value"}) == {}


@pytest.mark.parametrize("tail", ["", "-", "-more-of-it", "-é"])
def test_a_later_version_is_passed_on_as_the_one_we_know(tail: str) -> None:
    assert trace_headers({"traceparent": f"cc-{TRACE}-{PARENT}-01{tail}"}) == {"traceparent": VALID}


@pytest.mark.parametrize("tracestate", ["", "   ", None, 7, "a=é", "a=1\r\nX-Evil: 1", "a=\x7f", "a=" + "1" * 511])
def test_a_wrong_tracestate_is_dropped_alone(tracestate: object) -> None:
    assert trace_headers({"traceparent": VALID, "tracestate": tracestate}) == {"traceparent": VALID}


@pytest.mark.parametrize("tracestate", ["a", "a=" + "1" * 510])
def test_a_tracestate_of_1_to_512_characters_passes(tracestate: str) -> None:
    assert trace_headers({"traceparent": VALID, "tracestate": tracestate})["tracestate"] == tracestate


def test_spaces_around_a_tracestate_are_no_part_of_it() -> None:
    assert trace_headers({"traceparent": VALID, "tracestate": " a=1, b=2\t"})["tracestate"] == "a=1, b=2"


@given(traceparent=NOISY | NEARLY_VALID | st.just(VALID), tracestate=NOISY | st.text() | st.binary())
def test_whatever_comes_out_is_safe_in_a_header(traceparent: str | bytes, tracestate: str | bytes) -> None:
    safe = set(string.printable) - set("\t\n\r\x0b\x0c")

    for value in trace_headers({"traceparent": traceparent, "tracestate": tracestate}).values():
        assert set(value) <= safe
        assert value == value.strip()
        assert 0 < len(value) <= 512
