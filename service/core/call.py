"""What a call to the endpoint can come to, sorted by "could it have been accepted?" (spec section 3)."""

from collections.abc import Mapping
from enum import StrEnum

from service.core.contract import VideoRequest
from service.core.value_class import value_class


@value_class
class Call:
    """One request, ready to be sent. `trace` holds W3C trace context headers, already checked.

    `earlier` calls were made for it in earlier deliveries; `replay` names the forced replay that this is. `reply_to`
    and `correlation_id` are where its task's completion goes, if anybody follows it.
    """

    request_id: str
    request: VideoRequest
    trace: Mapping[str, str]
    earlier: int = 0
    replay: str | None = None
    reply_to: str | None = None
    correlation_id: str | None = None


class NotSentReason(StrEnum):
    """Why not a single byte of the request reached a server that could act on it."""

    DNS = "dns"
    REFUSED = "refused"
    TLS = "tls"
    CONNECT_TIMEOUT = "connect_timeout"
    POOL_TIMEOUT = "pool_timeout"
    CONNECT = "connect"
    GATEWAY = "gateway"
    LOCAL = "local"


class UncertainReason(StrEnum):
    """Why the answer is unknown although the request may have been accepted."""

    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    GATEWAY = "gateway"
    SERVER_ERROR = "server_error"
    UNREADABLE_ANSWER = "unreadable_answer"
    NO_TASK_ID = "no_task_id"
    UNEXPECTED = "unexpected"


@value_class
class Answer:
    """The endpoint's own words: HTTP status, its error code and message, each as far as it could be read."""

    http_status: int | None = None
    code: str | None = None
    message: str | None = None


@value_class
class Accepted:
    """The endpoint created a task. The call is paid for."""

    task_id: str


_NO_CONNECTION = frozenset(
    {
        NotSentReason.DNS,
        NotSentReason.REFUSED,
        NotSentReason.TLS,
        NotSentReason.CONNECT_TIMEOUT,
        NotSentReason.CONNECT,
    }
)


@value_class
class NotSent:
    """No server that could accept the request has seen it. Safe to send again."""

    reason: NotSentReason
    answer: Answer

    @property
    def why(self) -> str | None:
        """Why there was no connection, and what to check: our own words, which quote neither request nor answer."""
        return self.answer.message if self.reason in _NO_CONNECTION and self.answer.http_status is None else None


@value_class
class RefusedForNow:
    """A server read the request and refused it for a while. Safe to send again.

    `retry_after` is the wait the server asked for, in seconds from the answer; None where it named none.
    """

    answer: Answer
    throttled: bool
    retry_after: float | None = None


@value_class
class RefusedForGood:
    """A server refused this request; sending it again cannot help.

    `forbidden` marks a 403 without a more telling code: five in a row speak of the key, not the request.
    """

    answer: Answer
    forbidden: bool = False


@value_class
class Blocked:
    """Key, permission or balance: every request would be refused."""

    answer: Answer


@value_class
class Uncertain:
    """The request left and may have been accepted; nobody told."""

    reason: UncertainReason
    answer: Answer


FailedCall = NotSent | RefusedForNow | RefusedForGood | Blocked | Uncertain
CallResult = Accepted | FailedCall


class ResultClass(StrEnum):
    """The classes of spec section 3 as metric labels."""

    ACCEPTED = "accepted"
    NOT_SENT = "not_sent"
    REFUSED_FOR_NOW = "refused_for_now"
    REFUSED_FOR_GOOD = "refused_for_good"
    BLOCKED = "blocked"
    UNCERTAIN = "uncertain"


def result_class(result: CallResult) -> ResultClass:
    """Name the class of a call result."""
    match result:
        case Accepted():
            return ResultClass.ACCEPTED
        case NotSent():
            return ResultClass.NOT_SENT
        case RefusedForNow():
            return ResultClass.REFUSED_FOR_NOW
        case RefusedForGood():
            return ResultClass.REFUSED_FOR_GOOD
        case Blocked():
            return ResultClass.BLOCKED
        case Uncertain():
            return ResultClass.UNCERTAIN
