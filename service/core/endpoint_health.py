"""What the results of calls say of the endpoint itself: blocked for all, down, or well."""

from service.core.call import Accepted, Blocked, CallResult, NotSent, RefusedForGood, RefusedForNow, Uncertain
from service.core.facts import PauseReason
from service.core.forbidden import ForbiddenStreak
from service.core.gate import Gate


class EndpointHealth:
    """Closes the gate when every call would fail, and opens it when a call shows otherwise.

    Only calls that began in the present state of the gate count: one that was under way when the balance ran out, or
    when the key was changed, speaks of the past.

    `down_after` calls in a row that reached no server, or `doubt_after` that were uncertain without a plain answer in
    between, say that the endpoint is down. The second is larger: each of those calls may have been accepted.
    """

    def __init__(self, gate: Gate, down_after: int, doubt_after: int) -> None:
        self._gate = gate
        self._down_after = down_after
        self._doubt_after = doubt_after
        self._forbidden = ForbiddenStreak()
        self._not_sent = 0
        self._uncertain = 0
        self._epoch = 0
        self._calls = 0

    @property
    def calls(self) -> int:
        """How many calls have begun."""
        return self._calls

    def begin(self) -> int:
        """Hear that a call begins; returns the name of the present state, to be given back with its result."""
        self._calls += 1
        return self._epoch

    def judge(self, result: CallResult, epoch: int) -> CallResult:
        """Learn from a result; a run of 403 becomes `Blocked`."""
        result = self._forbidden.judge(result)
        if epoch == self._epoch:
            self._count(result)
            self._learn(result)
        return result

    def _count(self, result: CallResult) -> None:
        self._not_sent = self._not_sent + 1 if isinstance(result, NotSent) else 0
        match result:
            case Uncertain():
                self._uncertain += 1
            case NotSent():
                pass
            case _:
                self._uncertain = 0

    def _learn(self, result: CallResult) -> None:
        match result:
            case Blocked(answer=answer):
                said = f"HTTP {answer.http_status}" + (f", {answer.code}" if answer.code else "")
                self._close(PauseReason.BLOCKED, f"the endpoint refuses the account ({said}); check key and balance")
                self._open(PauseReason.ENDPOINT_DOWN)
            case NotSent(reason=reason) if self._not_sent >= self._down_after:
                said = f"{self._not_sent} calls in a row reached no server (the last one: {reason})"
                self._close(PauseReason.ENDPOINT_DOWN, f"{said}; {result.why or 'check the endpoint'}")
            case Uncertain(reason=reason) if self._uncertain >= self._doubt_after:
                self._close(
                    PauseReason.ENDPOINT_DOWN,
                    f"{self._uncertain} calls in a row brought no answer to rely on (the last one: {reason}); "
                    "check the endpoint and what stands before it",
                )
            case Accepted() | RefusedForNow() | RefusedForGood(forbidden=False):
                self._open(PauseReason.BLOCKED, PauseReason.ENDPOINT_DOWN)
            case RefusedForGood() | Uncertain():
                # There is a server, but this says nothing of the key.
                self._open(PauseReason.ENDPOINT_DOWN)
            case NotSent():
                pass

    def _close(self, reason: PauseReason, why: str) -> None:
        if reason not in self._gate.closed:
            self._epoch += 1
            self._gate.close(reason, why)

    def _open(self, *reasons: PauseReason) -> None:
        over = self._gate.closed & set(reasons)
        if over:
            self._epoch += 1
        for reason in over:
            self._gate.open(reason)
