"""What an exception in place of an answer means for the call: surely not sent, or uncertain (spec section 3).

"Not sent" needs two witnesses: the kind of the exception, and a phase in which no byte of the request had left.
One of them alone has misled others: some transports call a disconnect after sending "connect timeout".
"""

import socket
import ssl
from collections.abc import Mapping

import httpx

from service.adapters.refused import is_refused
from service.adapters.send_phase import Phase
from service.adapters.unreached import CUT, causes, unreached
from service.core.call import Answer, NotSent, NotSentReason, Uncertain, UncertainReason
from service.core.upstream_text import fit

_CONNECTING = frozenset({Phase.CONNECTING})
_BEFORE_CONNECTING = frozenset({Phase.HANDED_OVER})
# Exact types: a subclass that a later release adds is uncertain until somebody has thought about it.
_NOT_SENT: Mapping[type[Exception], tuple[frozenset[Phase], NotSentReason]] = {
    httpx.ConnectError: (_CONNECTING, NotSentReason.CONNECT),
    httpx.ConnectTimeout: (_CONNECTING, NotSentReason.CONNECT_TIMEOUT),
    httpx.ProxyError: (_CONNECTING, NotSentReason.CONNECT),
    # What was written and read then was between us and a proxy. The request itself goes through a tunnel that stands.
    httpx.ReadError: (_CONNECTING, NotSentReason.CONNECT),
    httpx.WriteError: (_CONNECTING, NotSentReason.CONNECT),
    httpx.RemoteProtocolError: (_CONNECTING, NotSentReason.CONNECT),
    httpx.PoolTimeout: (_BEFORE_CONNECTING, NotSentReason.POOL_TIMEOUT),
    httpx.UnsupportedProtocol: (_BEFORE_CONNECTING, NotSentReason.LOCAL),
    httpx.LocalProtocolError: (_BEFORE_CONNECTING, NotSentReason.LOCAL),
    httpx.InvalidURL: (_BEFORE_CONNECTING, NotSentReason.LOCAL),
}
# The limit for the whole call ends it wherever it is. Once handed over, only a connection attempt that was seen
# proves that nothing left.
_OUT_OF_TIME: Mapping[Phase, NotSentReason] = {
    Phase.QUEUED: NotSentReason.POOL_TIMEOUT,
    Phase.CONNECTING: NotSentReason.CONNECT_TIMEOUT,
}


def failed_call(error: Exception, phase: Phase, *, secret: str = "", proxy: str | None = None) -> NotSent | Uncertain:
    """Judge a call that ended without a status line. An exception that nobody expected is uncertain.

    Args:
        error: what was raised; `TimeoutError` is the limit for the whole call.
        phase: how far the request had got.
        secret: text that the stored answer must not repeat.
        proxy: host and port of the proxy on the way, if any.
    """
    where = phase.name.lower().replace("_", " ")
    said = unreached(error, phase, proxy) or f"{type(error).__name__} while {where}: {error}".removesuffix(": ")
    answer = Answer(message=fit(said, secret))
    reason = _not_sent_reason(error, phase)
    return NotSent(reason, answer) if reason else Uncertain(_doubt(error), answer)


def _not_sent_reason(error: Exception, phase: Phase) -> NotSentReason | None:
    if type(error) is TimeoutError:
        return _OUT_OF_TIME.get(phase)
    if phase is Phase.QUEUED:
        # Our own code failed before any library was asked to send: no second witness is needed.
        return NotSentReason.LOCAL
    phases, reason = _NOT_SENT.get(type(error), (frozenset[Phase](), NotSentReason.CONNECT))
    if phase not in phases:
        return None
    return _connect_reason(error) if type(error) is httpx.ConnectError else reason


def _connect_reason(error: Exception) -> NotSentReason:
    found = list(causes(error))
    if any(isinstance(cause, (ssl.SSLError, *CUT)) for cause in found):
        return NotSentReason.TLS
    if any(isinstance(cause, socket.gaierror) for cause in found):
        return NotSentReason.DNS
    if any(is_refused(cause) for cause in found):
        return NotSentReason.REFUSED
    return NotSentReason.CONNECT


def _doubt(error: Exception) -> UncertainReason:
    match error:
        case TimeoutError() | httpx.TimeoutException():
            return UncertainReason.TIMEOUT
        # An alert of TLS that comes late is raised bare.
        case httpx.NetworkError() | httpx.RemoteProtocolError() | ssl.SSLError():
            return UncertainReason.CONNECTION_LOST
        case _:
            return UncertainReason.UNEXPECTED
