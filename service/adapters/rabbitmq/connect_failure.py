"""Why no connection to the broker came about, and what to check."""

import asyncio
import socket
import ssl

from aio_pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    IncompatibleProtocolError,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from pamqp.exceptions import PAMQPException

from service.adapters.rabbitmq.errors import describe

# A broker's first frames have a few hundred bytes; other protocols read as a length give millions.
_LONGEST_FIRST_FRAME = 1024 * 1024

# Verification results of OpenSSL, named in its header x509_vfy.h.
_EXPIRED = 10
_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})

_NO_RABBITMQ = "what answers there is no RabbitMQ: check host and port in the broker address"


def connect_failure(error: BaseException) -> str:
    """Say in one line why connecting failed and what to check. Holds no password."""
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
            return _socket_failure(error.__cause__ or error)
        case TimeoutError():
            return "the broker did not answer in time: check host and port in the broker address, and firewalls between"
        case AMQPError() | PAMQPException():
            return _NO_RABBITMQ
        case _:
            return _socket_failure(error)


def _socket_failure(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return _distrust(error)
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            return "the broker speaks no TLS on this port: check scheme (amqp:// or amqps://) and port of its address"
        case ssl.SSLError():
            return f"TLS failed ({error.reason}): check the certificates of both sides"
        case socket.gaierror():
            return f"the host name in the broker address cannot be looked up ({error.strerror}): check it, and the DNS"
        case asyncio.IncompleteReadError(partial=partial, expected=int(expected)) if (
            partial and expected > _LONGEST_FIRST_FRAME
        ):
            return _NO_RABBITMQ
        case asyncio.IncompleteReadError() | ConnectionResetError():
            return (
                "the connection was closed at once: check scheme (amqp:// or amqps://) and port of the broker address, "
                "and whether the broker asks for a client certificate"
            )
        case OSError() if "Connect call failed" in str(error):
            return "nothing listens at the broker address: check its host and port, and that RabbitMQ is running"
        case _:
            return describe(error)


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == _EXPIRED:
        return "the broker's certificate has expired: renew it, and check this machine's clock"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return (
            "the broker's certificate is from an unknown authority: "
            "set VIDEOGEN_BROKER__CA_FILE to the PEM file of the one that signed it"
        )
    if error.verify_code in _OTHER_NAME:
        return "the broker's certificate is for another host: use the name that it was issued for in the broker address"
    return f"the broker's certificate is not trusted: {error.verify_message}"
