"""Keeps one producer's odd properties from cutting everybody's connection.

pamqp, the codec under aio-pika, raises on a text property that is not UTF-8 (a Latin-1 `message_id`) and on a timestamp
beyond the year 9999 (nanoseconds for seconds). RabbitMQ lets both through. The error ends the connection; the broker
gives the message out again, and so on until its delivery limit, each time with everything else that was prefetched.
"""

import struct
from datetime import UTC, datetime
from hashlib import sha256

from pamqp import decode
from pamqp.common import FieldTable, FieldValue

UNDECODABLE_HEADERS = "x-undecodable-headers"
# AMQP 0-9-1 section 4.2.5.3: a short string has at most 255 bytes.
_SHORT_TEXT_LIMIT = 255
_KEPT_BEFORE_DIGEST = 150
_LATEST = datetime.max.replace(tzinfo=UTC)


def tolerate_odd_properties() -> None:
    """Replace three decoders of the codec, for this process. Calling it again changes nothing."""
    decode.METHODS.update({"shortstr": _short_text, "timestamp": _timestamp, "table": _table})
    decode.TABLE_MAPPING[b"T"] = _timestamp


def _short_text(value: bytes) -> tuple[int, str]:
    end = value[0] + 1
    raw = value[1:end]
    # Bytes that are no UTF-8 become visible escapes, so that two different ids stay different.
    text = raw.decode(errors="backslashreplace")
    if len(text.encode()) > _SHORT_TEXT_LIMIT:
        # Escapes take more room, and the reply has to carry the id in a short text again.
        text = text[:_KEPT_BEFORE_DIGEST] + sha256(raw).hexdigest()
    return end, text


def _timestamp(value: bytes) -> tuple[int, datetime]:
    try:
        return decode.timestamp(value)
    except (ValueError, OverflowError, OSError):
        return 8, _LATEST


def _table(value: bytes) -> tuple[int, FieldTable]:
    try:
        return decode.field_table(value)
    except (ValueError, OverflowError, IndexError, RecursionError):
        (length,) = struct.unpack_from(">I", value)
        kept: FieldValue = value[4 : 4 + length]
        return 4 + length, {UNDECODABLE_HEADERS: kept}
