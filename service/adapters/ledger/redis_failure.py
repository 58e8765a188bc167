"""Why Redis did not take an operation, and what to do. Holds no password and no words of the server but its codes."""

import asyncio
import re
import socket
import ssl

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterError,
    InvalidResponse,
    MasterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from service.adapters.certificates import CertificateError
from service.adapters.refused import is_refused
from service.adapters.tls_failure import TlsServer, tls_failure

_REDIS = TlsServer(
    name="Redis",
    address="VIDEOGEN_LEDGER__URL",
    schemes="redis:// or rediss://",
    authority="VIDEOGEN_LEDGER__CA_FILE",
    certificate="VIDEOGEN_LEDGER__CERT_FILE and VIDEOGEN_LEDGER__KEY_FILE",
)

# Some servers repeat the command that they did not understand, and with it the password.
_CODE = re.compile(r"[A-Z]{2,}\b")


_LOGIN = "Redis refused the login: check user and password in VIDEOGEN_LEDGER__URL"


def redis_failure(error: BaseException) -> str:
    """Say in one line why an operation failed and what to check."""
    match error:
        case AuthenticationError() | AuthorizationError():
            return _LOGIN
        case NoPermissionError():
            return "Redis forbids a command: let the user run scripts, and read and write keys of the ledger"
        case BusyLoadingError():
            return "Redis is still loading its data: wait until it is done"
        case ReadOnlyError():
            return "this Redis is a replica that takes no writes: name the primary in VIDEOGEN_LEDGER__URL"
        case OutOfMemoryError():
            return "the memory of Redis is full: raise its maxmemory, or make room"
        case MovedError() | ClusterError() | MasterDownError():
            return "this Redis is part of a cluster, or lost its primary: name one whole Redis in VIDEOGEN_LEDGER__URL"
        case InvalidResponse():
            return "what answers there is no Redis: check host and port in VIDEOGEN_LEDGER__URL"
        case RedisTimeoutError() | TimeoutError():
            return "Redis did not answer in time: check scheme, host and port in VIDEOGEN_LEDGER__URL, and the network"
        case RedisConnectionError():
            # The library wraps the socket's own exception, and only that one has a type that tells.
            return _connection_failure(error.__cause__ or error.__context__ or error)
        case ResponseError():
            return _refusal(str(error))
        case _:
            return _connection_failure(error)


def _connection_failure(error: BaseException) -> str:
    match error:
        case CertificateError():
            return str(error)
        case ssl.SSLError():
            return tls_failure(error, _REDIS)
        case socket.gaierror():
            return f"the host in VIDEOGEN_LEDGER__URL cannot be looked up ({error.strerror}): check it, and the DNS"
        case OSError() if is_refused(error):
            return "no Redis listens there: check host and port in VIDEOGEN_LEDGER__URL, and that Redis is running"
        case asyncio.IncompleteReadError() | ConnectionError():
            return (
                "Redis closed the connection: check scheme (redis:// or rediss://) and port in VIDEOGEN_LEDGER__URL, "
                "that it is running, whether it asks for a client certificate, and its log"
            )
        case _:
            return "the connection to Redis was lost: check that it is running, and the network between"


def _refusal(text: str) -> str:
    # Before a login Redis reads short commands alone, and ours are longer.
    if "unauthenticated" in text:
        return _LOGIN
    code = _CODE.match(text)
    if code is None:
        return "Redis refused a command: check that it is Redis 5 or later, and its log"
    if code[0] == "MISCONF":
        return "Redis cannot save to its disk and takes no writes (MISCONF): check its disk, and its log"
    return f"Redis refused a command ({code[0]}): check its log"
