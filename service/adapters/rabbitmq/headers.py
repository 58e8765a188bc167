"""Header values in a form that the library can write.

It reads some that it refuses to write. A dead copy repeats whatever headers a producer sent, and a copy that cannot
be written would leave its request unsettled: delivered again, and called again.
"""

from collections.abc import Mapping
from decimal import Decimal

from aio_pika.abc import HeadersType

_LARGEST_FLOAT = 3.4028234663852886e38  # the library writes single precision
_LARGEST_MANTISSA = 2**31 - 1


def writable_headers(headers: Mapping[str, object]) -> HeadersType:
    """Keep every value that can be written; write the others as a byte array or a text."""
    return {name: _writable(value) for name, value in headers.items()}  # type: ignore[misc] # read by the same library


def _writable(value: object) -> object:
    match value:
        case bytes():
            # A text that is no UTF-8 comes in as bytes.
            return bytearray(value)
        case dict():
            return writable_headers(value)
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
