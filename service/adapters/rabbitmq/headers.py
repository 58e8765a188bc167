"""Header values in a form that the library can write.

It reads some that it refuses to write. A dead copy repeats whatever headers a producer sent, and a copy that cannot
be written would leave its request unsettled: delivered again, and called again.
"""

from collections.abc import Mapping
from decimal import Decimal

from aio_pika.abc import HeadersType
from pamqp import encode

HEADERS_DROPPED = "x-headers-dropped"

_LARGEST_FLOAT = 3.4028234663852886e38  # the library writes single precision
_LARGEST_MANTISSA = 2**31 - 1


# Beside the table, the header frame holds the other properties: at most eight short strings of 255 bytes.
_OTHER_PROPERTIES = 4096
_PLAIN_ROOM = 2048


def writable_headers(headers: Mapping[str, object], largest_frame: int) -> HeadersType:
    """Keep every value that can be written; write the others as a byte array or a text.

    A double keeps single precision alone: the library reads both, writes one, and has no place to ask for the other.

    A table that cannot be written all the same (nested too deep), or with which the message's header would be larger
    than `largest_frame` bytes, is cut down to its last short texts and numbers: what the worker adds comes last.
    """
    wire = _writable_table(headers)
    try:
        if len(encode.field_table(wire)) <= largest_frame - _OTHER_PROPERTIES:
            return wire
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    return _cut_down(headers)


def _writable_table(headers: Mapping[str, object]) -> HeadersType:
    try:
        return {name: _writable(value) for name, value in headers.items()}  # type: ignore[misc] # read by the same library
    except RecursionError:
        return _cut_down(headers)


def _cut_down(headers: Mapping[str, object]) -> HeadersType:
    kept: HeadersType = {HEADERS_DROPPED: True}
    room = _PLAIN_ROOM
    for name, value in reversed(list(headers.items())):
        if isinstance(value, str | int) and (cost := len(f"{name}{value}".encode(errors="replace"))) <= room:
            kept[name] = value
            room -= cost
    return kept


def _writable(value: object) -> object:
    match value:
        case bytes():
            # A text that is no UTF-8 comes in as bytes.
            return bytearray(value)
        case dict():
            return {name: _writable(item) for name, item in value.items()}
        case list():
            return [_writable(item) for item in value]
        case float() if abs(value) > _LARGEST_FLOAT:
            return str(value)
        case Decimal() if not _fits(value):
            return str(value)
        case _:
            return value


def _fits(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and abs(value.scaleb(max(0, -exponent))) <= _LARGEST_MANTISSA
