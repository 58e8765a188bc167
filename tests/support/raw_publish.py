"""Publishes messages that the library would refuse to encode, as other clients do."""

import struct

import pamqp.frame
from aio_pika.abc import AbstractConnection
from aiormq import spec
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel

_BASIC = 60
_HEADER_FRAME, _BODY_FRAME, _FRAME_END = 2, 3, b"\xce"
# AMQP 0-9-1, basic class: bit of each property in the property flags.
_FLAGS = {"headers": 1 << 13, "reply_to": 1 << 9, "message_id": 1 << 7, "timestamp": 1 << 6}


async def publish_raw(connection: AbstractConnection, queue: str, body: bytes, **properties: bytes) -> None:
    """Publish with the given properties, each already encoded as AMQP wants it, and no others."""
    async with await connection.channel(publisher_confirms=False) as channel:
        underlay = await channel.get_underlay_channel()
        assert isinstance(underlay, Channel)
        number = underlay.number
        flags = sum(_FLAGS[name] for name in properties)
        encoded = b"".join(properties[name] for name in _FLAGS if name in properties)
        header = struct.pack(">HHQH", _BASIC, 0, len(body), flags) + encoded
        payload = (
            pamqp.frame.marshal(spec.Basic.Publish(routing_key=queue), number)
            + _frame(_HEADER_FRAME, number, header)
            + _frame(_BODY_FRAME, number, body)
        )
        await underlay.write_queue.put(ChannelFrame(payload=payload, should_close=False))


def short_string(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def timestamp(seconds: int) -> bytes:
    return struct.pack(">Q", seconds)


def table(*entries: tuple[bytes, bytes]) -> bytes:
    """Encode a header table of long strings."""
    inside = b"".join(short_string(key) + b"S" + struct.pack(">I", len(value)) + value for key, value in entries)
    return struct.pack(">I", len(inside)) + inside


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + _FRAME_END
