"""Status, headers and body of an answer → what the call came to (spec section 3; endpoint facts)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from service.core.call import (
    Accepted,
    Answer,
    Blocked,
    CallResult,
    NotSent,
    NotSentReason,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
    UncertainReason,
)
from service.core.error_body import AnswerBody, read_answer_body
from service.core.error_codes import Meaning, code_meaning, phrase_meaning
from service.core.retry_after import retry_after
from service.core.upstream_text import fit

_SUCCESS = range(200, 300)
_REDIRECTION = range(300, 400)
_CLIENT_ERROR = range(400, 500)
_REQUEST_TIMEOUT = 408
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_GATEWAY_ERRORS = frozenset({502, 504, 520, 522, 524})
_STATUS: Mapping[int, Meaning] = {
    # RFC 9110 section 15.4: the method must be repeated elsewhere, so this target did nothing.
    **dict.fromkeys((307, 308), Meaning.FOR_GOOD),
    401: Meaning.BLOCKED,
    402: Meaning.BLOCKED,
    403: Meaning.FORBIDDEN,
    # RFC 9110 section 15.5.8: a proxy of ours wants a login, and passed nothing on.
    407: Meaning.NOT_SENT,
    _REQUEST_TIMEOUT: Meaning.UNCERTAIN,
    425: Meaning.FOR_NOW,
    _TOO_MANY_REQUESTS: Meaning.THROTTLED,
    503: Meaning.FOR_NOW,
    # A gateway that never reached the endpoint.
    **dict.fromkeys((521, 523, 525, 526), Meaning.NOT_SENT),
}
# `type` is vague. It must not turn a key or rate problem into one of this request, nor have a call repeated
# whose fate the status leaves open.
_STRONGER_THAN_TYPE: Mapping[Meaning, frozenset[Meaning]] = {
    Meaning.FOR_GOOD: frozenset({Meaning.BLOCKED, Meaning.FORBIDDEN, Meaning.THROTTLED}),
    Meaning.THROTTLED: frozenset({Meaning.UNCERTAIN}),
    Meaning.FOR_NOW: frozenset({Meaning.UNCERTAIN}),
}


@dataclass(frozen=True, slots=True)
class _Verdict:
    """`code` is what the answer is reported under: the code that decided, else the first one there is."""

    meaning: Meaning
    code: str | None


def classify(
    status: int, headers: Mapping[str, str], body: bytes | None, now: datetime, *, secret: str = ""
) -> CallResult:
    """Tell what an answer means for its call.

    Code beats status. Whatever names a task without being a plain success is uncertain: somebody may have
    been paid.

    Args:
        status: of the final response.
        headers: of the response, names in any case.
        body: with every content coding undone; None where it could not be read in full.
        now: when the answer arrived, for a `Retry-After` that is a date.
        secret: text that the stored answer must not repeat, such as the API key.
    """
    said = AnswerBody() if body is None else read_answer_body(body)
    if status in _SUCCESS and said.task_id is not None:
        return Accepted(said.task_id)
    verdict = _verdict(status, said)
    answer = Answer(status, fit(verdict.code or "", secret), fit(_words(status, headers, said), secret))
    match verdict.meaning:
        case Meaning.BLOCKED:
            return Blocked(answer)
        case Meaning.FORBIDDEN:
            return RefusedForGood(answer, forbidden=True)
        case Meaning.FOR_GOOD:
            return RefusedForGood(answer)
        case Meaning.THROTTLED | Meaning.FOR_NOW:
            throttled = verdict.meaning is Meaning.THROTTLED or status == _TOO_MANY_REQUESTS
            return RefusedForNow(answer, throttled=throttled, retry_after=retry_after(headers, now))
        case Meaning.NOT_SENT:
            return NotSent(NotSentReason.GATEWAY, answer)
        case Meaning.UNCERTAIN:
            return Uncertain(_doubt(status, said), answer)


def _verdict(status: int, said: AnswerBody) -> _Verdict:
    first = next(iter((*said.codes, *said.types)), None)
    if said.named_task is not None:
        return _Verdict(Meaning.UNCERTAIN, first)
    by_status = _status_meaning(status, said)
    return _known_code(status, by_status, said) or _known_type(by_status, said) or _Verdict(by_status, first)


def _known_code(status: int, by_status: Meaning, said: AnswerBody) -> _Verdict | None:
    # A code that says "broken" does not say that nothing was accepted, where the status leaves that open.
    text = "\n".join(said.messages)
    known = [
        _Verdict(meaning, code)
        for code in said.codes
        if (meaning := code_meaning(code, text)) and not (meaning is Meaning.FOR_NOW and by_status is Meaning.UNCERTAIN)
    ]
    doubtful = next((verdict for verdict in known if verdict.meaning is Meaning.UNCERTAIN), None)
    if doubtful:
        return doubtful
    # A success may quote such a phrase in a remark; there it only sharpens a code.
    speaks = bool(known) or (said.is_error and status not in _SUCCESS)
    if speaks and (phrase := phrase_meaning(text)):
        return _Verdict(phrase, known[0].code if known else next(iter(said.codes), None))
    return known[0] if known else None


def _known_type(by_status: Meaning, said: AnswerBody) -> _Verdict | None:
    text = "\n".join(said.messages)
    for name in said.types:
        meaning = code_meaning(name, text)
        if meaning and by_status not in _STRONGER_THAN_TYPE.get(meaning, frozenset()):
            return _Verdict(meaning, next(iter(said.codes), name))
    return None


def _status_meaning(status: int, said: AnswerBody) -> Meaning:
    if status in _STATUS:
        return _STATUS[status]
    if status == _SERVER_ERROR and said.is_error:
        return Meaning.FOR_NOW
    return Meaning.FOR_GOOD if status in _CLIENT_ERROR else Meaning.UNCERTAIN


def _doubt(status: int, said: AnswerBody) -> UncertainReason:
    if status in _SUCCESS:
        return UncertainReason.NO_TASK_ID if said.is_object else UncertainReason.UNREADABLE_ANSWER
    if status == _REQUEST_TIMEOUT:
        return UncertainReason.TIMEOUT
    if status in _GATEWAY_ERRORS:
        return UncertainReason.GATEWAY
    return UncertainReason.SERVER_ERROR if status >= _SERVER_ERROR else UncertainReason.UNREADABLE_ANSWER


def _words(status: int, headers: Mapping[str, str], said: AnswerBody) -> str:
    message = next(iter(said.messages), "")
    if said.named_task is not None:
        return f"the answer names task {said.named_task!r}, yet it is no plain success; {message}"
    location = next((value for name, value in headers.items() if name.lower() == "location"), None)
    if status in _REDIRECTION and location:
        return f"redirected to {location}; set VIDEOGEN_ENDPOINT__BASE_URL to the address that answers"
    return message
