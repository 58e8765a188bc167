"""The requests that `submit` sends: read from a JSON Lines file, and named."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

# AMQP 0-9-1 section 4.2.5.3: a short string, which the id travels as.
_ID_BYTES = 255


class RequestsError(Exception):
    """The requests cannot be sent as they are; the message says what to change. None was sent."""


def read_requests(file: Path) -> list[bytes]:
    """Read one JSON object a line; blank lines are left out. `-` is standard input.

    Raises:
        RequestsError: the file cannot be read, holds something else, or nothing.
    """
    requests = list(_objects(file))
    if not requests:
        raise RequestsError(f"{file} holds no request; write one JSON object a line")
    return requests


def _objects(file: Path) -> Iterator[bytes]:
    for number, line in enumerate(_read(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            body = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RequestsError(f"{file}, line {number}: not JSON ({error}); nothing was sent") from error
        if not isinstance(body, dict):
            raise RequestsError(f"{file}, line {number}: not a JSON object; nothing was sent")
        yield line


def _read(file: Path) -> bytes:
    import sys

    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise RequestsError(f"{file} cannot be read: {error.strerror}") from error


def name_requests(requests: Sequence[bytes], request_id: str | None) -> dict[str, bytes]:
    """Give each request its id: `request_id`, with a number where there are several; None makes random ones.

    Raises:
        RequestsError: an id would be empty or longer than a message can carry.
    """
    from service.adapters.system import new_id

    if request_id is None:
        return {new_id(): body for body in requests}
    if len(requests) == 1:
        named = {request_id: requests[0]}
    else:
        named = {f"{request_id}-{number}": body for number, body in enumerate(requests, start=1)}
    if not request_id or not all(_fits(each) for each in named):
        raise RequestsError(f"--request-id: give 1 to {_ID_BYTES} bytes of UTF-8, the number of the line included")
    return named


def _fits(request_id: str) -> bool:
    try:
        return len(request_id.encode()) <= _ID_BYTES
    except UnicodeEncodeError:
        # The shell passed bytes that are no UTF-8.
        return False
