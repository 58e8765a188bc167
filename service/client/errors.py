"""What can become of a request besides a task id. Each message says what to do."""

from service.core.contract import FieldProblem
from service.core.result import Charged, ErrorCode


class VideogenError(Exception):
    """A request has no task id.

    `retryable`: the same request, under the same request id, may be sent again. `charged`: whether a call for it may
    have been paid for, as far as is known here.
    """

    def __init__(self, message: str, *, request_id: str, retryable: bool, charged: Charged) -> None:
        super().__init__(message)
        self.request_id = request_id
        self.retryable = retryable
        self.charged = charged


class RequestFailed(VideogenError):  # noqa: N818 - what happened, as the result's status names it
    """The worker answered with an error.

    `code` is None for a code that this version does not know, of a newer worker; `code_text` is what it wrote.
    """

    def __init__(
        self,
        text: str,
        *,
        request_id: str,
        retryable: bool,
        charged: Charged,
        code_text: str,
        attempts: int = 0,
        details: tuple[FieldProblem, ...] = (),
        warnings: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"{code_text}: {text}", request_id=request_id, retryable=retryable, charged=charged)
        self.text = text
        self.code_text = code_text
        self.attempts = attempts
        self.details = details
        self.warnings = warnings
        self.http_status: int | None = None
        self.upstream_code: str | None = None
        self.upstream_message: str | None = None

    @property
    def code(self) -> ErrorCode | None:
        """The code, of the closed set that this version knows."""
        return ErrorCode(self.code_text) if self.code_text in set(ErrorCode) else None


class NotPublished(VideogenError):  # noqa: N818
    """The broker did not take the request. `charged` is unknown where an earlier try may have arrived."""


class NoAnswer(VideogenError):  # noqa: N818
    """No answer came in time. The request may be under way, or waiting for a worker."""


class BadAnswer(VideogenError):  # noqa: N818
    """An answer came that is not what the contract says; `body` is what it holds."""

    def __init__(self, message: str, *, request_id: str, body: bytes) -> None:
        super().__init__(message, request_id=request_id, retryable=True, charged=Charged.UNKNOWN)
        self.body = body


class ClientClosed(VideogenError):  # noqa: N818
    """The client was closed before the answer came, or is not open."""
