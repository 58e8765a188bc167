"""Why no connection to the broker came about, and what to check."""

import asyncio
import socket
import ssl
from enum import Enum, auto

from aio_pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    IncompatibleProtocolError,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from pamqp.exceptions import PAMQPException

from service.adapters.certificates import NO_FILES, FileNames
from service.adapters.rabbitmq.errors import describe
from service.adapters.refused import is_refused
from service.adapters.tls_failure import TlsServer, tls_failure

# A broker's first frames have a few hundred bytes; other protocols read as a length give millions.
_LONGEST_FIRST_FRAME = 1024 * 1024

_NO_RABBITMQ = "what answers there is no RabbitMQ: check host and port in the broker address"


class Security(Enum):
    """How far TLS had come, when the connection failed."""

    NONE = auto()
    HANDSHAKE = auto()
    WITHOUT_CERTIFICATE = auto()
    """Done, without a client certificate."""
    WITH_CERTIFICATE = auto()


def connect_failure(error: BaseException, security: Security = Security.NONE, files: FileNames = NO_FILES.names) -> str:
    """Say in one line why connecting failed and what to check. Holds no password."""
    broker = TlsServer(
        name="the broker",
        address="the broker address",
        schemes="amqp:// or amqps://",
        authority=files.ca,
        certificate=f"{files.certificate} and {files.key}",
    )
    match error:
        case ProbableAuthenticationError():
            return "the broker refused the login: check user, password and virtual host in the broker address"
        case InvalidFrameError() if "Connection.OpenOk" in str(error):
            # The library drops the broker's own words here.
            return (
                "the broker refused the virtual host: check in the broker address that it exists "
                "and that the user may use it"
            )
        case IncompatibleProtocolError():
            return _NO_RABBITMQ
        case AMQPConnectionError():
            # The library wraps the socket's own exception, and only that one has a type that tells.
            return _socket_failure(error.__cause__ or error, security, broker)
        case TimeoutError():
            return "the broker did not answer in time: check host and port in the broker address, and firewalls between"
        case AMQPError() | PAMQPException():
            return _NO_RABBITMQ
        case _:
            return _socket_failure(error, security, broker)


def _socket_failure(error: BaseException, security: Security, broker: TlsServer) -> str:
    match error:
        case ssl.SSLError():
            return tls_failure(error, broker)
        case socket.gaierror():
            return f"the host name in the broker address cannot be looked up ({error.strerror}): check it, and the DNS"
        case asyncio.IncompleteReadError(partial=partial, expected=int(expected)) if (
            partial and expected > _LONGEST_FIRST_FRAME
        ):
            return _NO_RABBITMQ
        case OSError() if is_refused(error):
            return "nothing listens at the broker address: check its host and port, and that RabbitMQ is running"
        case asyncio.IncompleteReadError() | ConnectionError():
            return _closed(security, broker)
        case _:
            return describe(error)


def _closed(security: Security, broker: TlsServer) -> str:
    match security:
        case Security.NONE:
            return (
                "the connection was closed at once: check scheme (amqp:// or amqps://) and port of the broker address"
            )
        case Security.HANDSHAKE:
            return (
                "the connection was closed before TLS was agreed on: check host and port in the broker address, "
                "and the broker's log"
            )
        # With TLS 1.3 a server judges the client's certificate after the client holds TLS for agreed on.
        case Security.WITHOUT_CERTIFICATE:
            return f"the connection was closed as soon as TLS was agreed on; perhaps {broker.wants_a_certificate}"
        case Security.WITH_CERTIFICATE:
            return (
                "the connection was closed as soon as TLS was agreed on; perhaps the broker refused our client "
                f"certificate: check {broker.certificate}, and the broker's log"
            )
