"""Reads the body of an answer without ever holding much more of it than a limit."""

import zlib

import httpx

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


async def read_body(response: httpx.Response, limit: int) -> bytes | None:
    """Read the body of a streamed response and undo its content coding.

    We ask for `identity`, but some gateways compress whatever they are asked.

    Returns:
        The body; None where it is longer than `limit` bytes, packed or unpacked, or coded in a way we cannot undo.

    Raises:
        httpx.HTTPError: the connection broke before the end.
    """
    raw = bytearray()
    # The stream itself: the iterators of the response count and chunk what is a few bytes here.
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("the body of an answer must be an asynchronous stream")
    async for chunk in response.stream:
        raw += chunk
        if len(raw) > limit:
            return None
    match response.headers.get("content-encoding", "identity").strip().lower():
        case "" | "identity":
            return bytes(raw)
        case "gzip" | "x-gzip" | "deflate":
            return _unpack(bytes(raw), limit)
        case _:
            return None


def _unpack(packed: bytes, limit: int) -> bytes | None:
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        body = unpacker.decompress(packed, limit + 1)
    except zlib.error:
        return None
    return body if len(body) <= limit else None
