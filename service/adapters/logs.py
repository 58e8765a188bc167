"""Turns facts into log lines. No line holds a payload or a secret."""

import logging
from dataclasses import fields

import structlog

from service.adapters.task_logs import log_task_fact
from service.core.call import Accepted, CallResult, NotSent, result_class
from service.core.contract import VideoRequest
from service.core.facts import (
    Advice,
    BrokerBlocked,
    CallEnded,
    CallPrevented,
    ConsumerActive,
    ConsumptionPaused,
    DefectFound,
    DrainStarted,
    Fact,
    Joined,
    KeyChanged,
    LinkDown,
    LinkUp,
    LoopLag,
    PaceChanged,
    Probing,
    PublishAttempt,
    Published,
    QueueRefuses,
    Received,
    RecordMissing,
    RetryPlanned,
    Settled,
    SettlementAbandoned,
)
from service.core.outcome import (
    BlockedOut,
    Defect,
    Expired,
    InDoubt,
    Interrupted,
    Invalid,
    Malformed,
    Outcome,
    Postponed,
    RateLimited,
    Rejected,
    Repeated,
    Submitted,
    Unavailable,
    Withdrawn,
    outcome_label,
)
from service.core.task_facts import QueriesHeld, TaskCompleted, TaskPolled, TasksPending

ROOT = "service"
"""What our own lines name as their logger; all others are libraries and speak from WARNING up."""

_LONG_STALL = 1.0
"""Seconds of loop lag that are worth a line: heartbeats and timeouts begin to suffer."""

_REQUEST_FIELDS = frozenset(field.name for field in fields(VideoRequest))


class LogObserver:
    """Writes one line at info for each request, and lines for retries, links, defects and the drain."""

    def __init__(self) -> None:
        # Bound once: the lazy kind would be bound anew for each line.
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind()
        # Asked once: a request has three lines at debug, and most workers write none of them.
        self._in_detail = self._log.is_enabled_for(logging.DEBUG)
        self._no_connection: str | None = None
        self._limited = False

    def notify(self, fact: Fact) -> None:
        """Take notice."""
        match fact:
            case Settled() | SettlementAbandoned() | DefectFound() | Received() | Joined():
                self._request(fact)
            case CallEnded() | RetryPlanned() | CallPrevented() | RecordMissing():
                self._call(fact)
            case ConsumptionPaused() | Probing() | PaceChanged():
                self._pause(fact)
            case KeyChanged():
                self._log.info("the endpoint's key was read anew")
            case Advice(text=text):
                self._log.warning("advice", text=text)
            case LinkUp() | LinkDown() | ConsumerActive() | BrokerBlocked() | QueueRefuses() | Published():
                self._broker(fact)
            case TaskPolled() | TaskCompleted() | TasksPending() | QueriesHeld():
                log_task_fact(self._log, fact)
            case DrainStarted(in_flight=in_flight):
                self._log.info("drain started", in_flight=in_flight)
            case LoopLag(seconds=seconds):
                if seconds >= _LONG_STALL:
                    self._log.warning("event loop stalled", seconds=_rounded(seconds))

    def _request(self, fact: Settled | SettlementAbandoned | DefectFound | Received | Joined) -> None:
        match fact:
            case Received(redelivered=redelivered, queue_wait=wait):
                if self._in_detail:
                    self._log.debug("message received", redelivered=redelivered, queue_wait=wait)
            case Joined(request_id=request_id, redelivered=redelivered):
                self._log.info("copy joined the running request", request_id=request_id, redelivered=redelivered)
            case Settled():
                self._log.info("request settled", **_settled(fact))
            case SettlementAbandoned(request_id=request_id, outcome=outcome):
                self._log.error(
                    "request ended without a reply",
                    request_id=request_id,
                    **(_outcome(outcome) if outcome else {}),
                )
            case DefectFound(request_id=request_id, error=error):
                self._log.error("defect found", request_id=request_id, exc_info=error)

    def _call(self, fact: CallEnded | RetryPlanned | CallPrevented | RecordMissing) -> None:
        match fact:
            case CallEnded():
                if self._in_detail:
                    self._log.debug(
                        "call ended",
                        request_id=fact.request_id,
                        attempt=fact.attempt,
                        seconds=_rounded(fact.seconds),
                        result=result_class(fact.result).value,
                        **_answer(fact.result),
                    )
                self._reach(fact.result)
            case RetryPlanned():
                self._log.info(
                    "retry planned",
                    request_id=fact.request_id,
                    attempt=fact.attempt,
                    reason=fact.reason.value,
                    delay=_rounded(fact.delay),
                )
            case CallPrevented(request_id=request_id, in_doubt=in_doubt):
                self._log.info("no call: the ledger knows this request", request_id=request_id, in_doubt=in_doubt)
            case RecordMissing(request_id=request_id, task_id=task_id):
                self._log.error("the ledger did not take a result in time", request_id=request_id, task_id=task_id)

    def _reach(self, result: CallResult) -> None:
        # Once for each reason, and not for each of the many calls that may meet it.
        why = result.why if isinstance(result, NotSent) else None
        if why is not None and why != self._no_connection:
            self._log.warning("no connection to the endpoint", why=why)
        self._no_connection = why

    def _pause(self, fact: ConsumptionPaused | Probing | PaceChanged) -> None:
        match fact:
            case ConsumptionPaused(reason=reason, paused=True, why=why):
                self._log.warning("paused: no call starts, no message is taken", reason=reason.value, why=why)
            case ConsumptionPaused(reason=reason):
                self._log.info("pause over", reason=reason.value)
            case Probing(request_id=request_id, next_in=next_in):
                self._log.info(
                    "one message tries whether the pause is over", request_id=request_id, next_in=_rounded(next_in)
                )
            case PaceChanged(rate=rate, concurrency=concurrency):
                # Once for each limit, and not for each of the many steps in which it is found and kept to.
                if rate is not None and not self._limited:
                    per_second = round(rate, 1)
                    self._log.info("the endpoint limits calls: fewer start", rate=per_second, concurrency=concurrency)
                elif rate is None and self._limited:
                    self._log.info("the endpoint limits calls no more")
                self._limited = rate is not None

    def _broker(self, fact: LinkUp | LinkDown | ConsumerActive | BrokerBlocked | QueueRefuses | Published) -> None:
        match fact:
            case LinkUp(role=role, first=first):
                self._log.info("broker connected" if first else "broker connected again", role=role.value)
            case LinkDown(role=role, reason=reason, retry_in=retry_in):
                self._log.warning("broker connection down", role=role.value, reason=reason, retry_in=_rounded(retry_in))
            case ConsumerActive(active=True):
                self._log.info("consumer active")
            case ConsumerActive():
                self._log.warning("consumer ended")
            case BrokerBlocked(blocked=True):
                self._log.warning("broker holds publishes back: it has a memory or disk alarm")
            case BrokerBlocked():
                self._log.info("broker takes publishes again")
            case QueueRefuses(queue=queue, refuses=True):
                self._log.error("a queue refuses what must be kept in it: make room there", queue=queue)
            case QueueRefuses(queue=queue):
                self._log.info("a queue takes messages again", queue=queue)
            case Published(attempt=PublishAttempt.NACKED | PublishAttempt.TIMEOUT as attempt, seconds=seconds):
                self._log.warning("a queue did not take a message", attempt=attempt.value, seconds=_rounded(seconds))
            case Published(attempt=attempt, seconds=seconds):
                if self._in_detail:
                    self._log.debug("publish ended", attempt=attempt.value, seconds=_rounded(seconds))


def _settled(fact: Settled) -> dict[str, object]:
    flags = {"redelivered": fact.redelivered, "parked": fact.parked}
    return {
        "request_id": fact.request_id,
        "correlation_id": fact.correlation_id,
        "seconds": _rounded(fact.seconds),
        **{name: True for name, raised in flags.items() if raised},
        **_outcome(fact.outcome),
    }


def _outcome(outcome: Outcome) -> dict[str, object]:
    named: dict[str, object] = {"outcome": outcome_label(outcome).value}
    match outcome:
        case Submitted(record=record):
            return {**named, "attempts": record.attempts, "task_id": record.task_id, "model": record.model}
        case Repeated(earlier=earlier):
            return {**named, "attempts": 0, "task_id": earlier.task_id, "model": earlier.model}
        case Postponed(tier=tier, history=history):
            return {**named, "attempts": history.attempts, "tier": tier.name}
        case Withdrawn(history=history):
            return {**named, "attempts": history.attempts}
        case Malformed():
            return {**named, "attempts": 0}
        case Invalid(problems=problems):
            # A name that is no field of ours was written by the producer, so it is payload.
            wrong = {problem.field for problem in problems} & _REQUEST_FIELDS
            return {**named, "attempts": 0, "problems": len(problems), "fields": sorted(wrong)}
        case Expired(deadline=deadline, attempts=attempts):
            return {**named, "attempts": attempts, "deadline": deadline.isoformat()}
        case Defect(called=called):
            return {**named, "called": called}
        case Interrupted(attempts=attempts):
            return {**named, "attempts": attempts}
        case Rejected() | RateLimited() | Unavailable() | BlockedOut() | InDoubt():
            return {**named, "attempts": outcome.attempts, **_answer(outcome)}


def _answer(
    told: CallResult | Rejected | RateLimited | Unavailable | BlockedOut | InDoubt,
) -> dict[str, object]:
    # The endpoint's message is left out: it may quote the prompt.
    if isinstance(told, Accepted):
        return {"task_id": told.task_id}
    return {"http_status": told.answer.http_status, "upstream_code": told.answer.code}


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
