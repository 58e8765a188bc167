"""Request ids: UUIDs of version 7, which sort by the time they were made."""

import secrets
import time
import uuid

_VERSION = 0x7
_VARIANT = 0b10


def new_request_id() -> str:
    """Make an id that nobody has (RFC 9562 section 5.7): 48 bits of milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF
    bits = milliseconds << 80 | _VERSION << 76 | secrets.randbits(12) << 64 | _VARIANT << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=bits))
