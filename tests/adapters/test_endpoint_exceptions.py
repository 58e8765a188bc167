"""A row for every exception of httpx: in which phase it proves that nothing was sent."""

import socket
import ssl
from collections.abc import Mapping

import httpx
import pytest

from service.adapters.call_failure import failed_call
from service.adapters.send_phase import Phase
from service.core.call import NotSent, NotSentReason, Uncertain, UncertainReason

Proofs = Mapping[Phase, NotSentReason]

NEVER: Proofs = {}
LOCAL: Proofs = {Phase.HANDED_OVER: NotSentReason.LOCAL}
CONNECT: Proofs = {Phase.CONNECTING: NotSentReason.CONNECT}
CONNECT_TIMEOUT: Proofs = {Phase.CONNECTING: NotSentReason.CONNECT_TIMEOUT}

LOST, TIMEOUT, UNEXPECTED = (
    UncertainReason.CONNECTION_LOST,
    UncertainReason.TIMEOUT,
    UncertainReason.UNEXPECTED,
)

# What proves "not sent", and what it is called where it does not. Before the transport has the request
# everything is LOCAL; the test adds that.
ROWS: Mapping[type[Exception], tuple[Proofs, UncertainReason]] = {
    httpx.ConnectError: (CONNECT, LOST),
    httpx.ConnectTimeout: (CONNECT_TIMEOUT, TIMEOUT),
    httpx.PoolTimeout: ({Phase.HANDED_OVER: NotSentReason.POOL_TIMEOUT}, TIMEOUT),
    httpx.ProxyError: (CONNECT, UNEXPECTED),
    httpx.UnsupportedProtocol: (LOCAL, UNEXPECTED),
    httpx.LocalProtocolError: (LOCAL, UNEXPECTED),
    httpx.InvalidURL: (LOCAL, UNEXPECTED),
    httpx.ReadTimeout: (NEVER, TIMEOUT),
    httpx.WriteTimeout: (NEVER, TIMEOUT),
    httpx.ReadError: (CONNECT, LOST),
    httpx.WriteError: (CONNECT, LOST),
    httpx.CloseError: (NEVER, LOST),
    httpx.RemoteProtocolError: (CONNECT, LOST),
    httpx.DecodingError: (NEVER, UNEXPECTED),
    httpx.TooManyRedirects: (NEVER, UNEXPECTED),
    httpx.HTTPStatusError: (NEVER, UNEXPECTED),
    httpx.CookieConflict: (NEVER, UNEXPECTED),
    httpx.StreamConsumed: (NEVER, UNEXPECTED),
    httpx.StreamClosed: (NEVER, UNEXPECTED),
    httpx.ResponseNotRead: (NEVER, UNEXPECTED),
    httpx.RequestNotRead: (NEVER, UNEXPECTED),
}
HANDED_OVER_OR_LATER = [phase for phase in Phase if phase is not Phase.QUEUED]


def raised(kind: type[Exception]) -> Exception:
    """Make an exception without its constructor, which differs from class to class."""
    error = kind.__new__(kind)
    Exception.__init__(error, "boom")
    return error


def test_every_exception_of_httpx_has_its_row() -> None:
    kinds = {kind for kind in vars(httpx).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert {kind for kind in kinds if not kinds.intersection(kind.__subclasses__())} == set(ROWS)


@pytest.mark.parametrize("phase", HANDED_OVER_OR_LATER)
@pytest.mark.parametrize("kind", ROWS)
def test_kind_and_phase_together_decide(kind: type[Exception], phase: Phase) -> None:
    proofs, doubt = ROWS[kind]
    result = failed_call(raised(kind), phase)
    if phase in proofs:
        assert isinstance(result, NotSent)
        assert result.reason is proofs[phase]
    else:
        assert isinstance(result, Uncertain)
        assert result.reason is doubt


@pytest.mark.parametrize("kind", [*ROWS, TimeoutError, RuntimeError, OSError])
def test_nothing_is_called_not_sent_once_a_byte_may_have_left(kind: type[Exception]) -> None:
    assert isinstance(failed_call(raised(kind), Phase.SENDING), Uncertain)


@pytest.mark.parametrize("kind", [*ROWS, RuntimeError, UnicodeEncodeError])
def test_a_failure_before_the_transport_got_the_request_is_local(kind: type[Exception]) -> None:
    result = failed_call(raised(kind), Phase.QUEUED)
    assert isinstance(result, NotSent)
    assert result.reason is NotSentReason.LOCAL


@pytest.mark.parametrize("phase", HANDED_OVER_OR_LATER)
@pytest.mark.parametrize("kind", [RuntimeError, OSError, ExceptionGroup, type("Newer", (httpx.ConnectError,), {})])
def test_an_exception_that_nobody_expected_is_uncertain(kind: type[Exception], phase: Phase) -> None:
    error = ExceptionGroup("several", [OSError()]) if kind is ExceptionGroup else raised(kind)
    assert isinstance(failed_call(error, phase), Uncertain)


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        (Phase.QUEUED, NotSentReason.POOL_TIMEOUT),
        (Phase.HANDED_OVER, None),
        (Phase.CONNECTING, NotSentReason.CONNECT_TIMEOUT),
        (Phase.SENDING, None),
    ],
)
def test_the_limit_of_the_whole_call_needs_a_phase_that_proves_it(phase: Phase, reason: NotSentReason | None) -> None:
    result = failed_call(TimeoutError(), phase)
    if reason is None:
        assert isinstance(result, Uncertain)
        assert result.reason is UncertainReason.TIMEOUT
    else:
        assert isinstance(result, NotSent)
        assert result.reason is reason


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (socket.gaierror(-2, "Name or service not known"), NotSentReason.DNS),
        (ConnectionRefusedError(111, "refused"), NotSentReason.REFUSED),
        (ExceptionGroup("all attempts failed", [ConnectionRefusedError(), OSError()]), NotSentReason.REFUSED),
        (ssl.SSLCertVerificationError(1, "self-signed"), NotSentReason.TLS),
        (ConnectionResetError(104, "reset"), NotSentReason.TLS),
        (ConnectionAbortedError("SSL handshake is taking longer than 60 seconds"), NotSentReason.TLS),
        (OSError(113, "no route to host"), NotSentReason.CONNECT),
    ],
    ids=repr,
)
def test_a_failed_connection_is_named_after_its_cause(cause: Exception, reason: NotSentReason) -> None:
    error = httpx.ConnectError("all attempts failed")
    error.__context__ = cause
    result = failed_call(error, Phase.CONNECTING)
    assert isinstance(result, NotSent)
    assert result.reason is reason


def test_the_message_of_a_silent_exception_tells_the_phase() -> None:
    assert failed_call(TimeoutError(), Phase.HANDED_OVER).answer.message == "TimeoutError while handed over"


def test_the_message_names_the_exception_and_hides_the_secret() -> None:
    result = failed_call(httpx.LocalProtocolError("Illegal header value b'Bearer sk-1'"), Phase.SENDING, secret="sk-1")
    assert result.answer.message == "LocalProtocolError while sending: Illegal header value b'Bearer [redacted]'"
