"""What a request message tells of its own past, in headers that travel with it through the wait queues."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from service.core.delivery import Delivery
from service.core.instant import rfc3339
from service.core.value_class import value_class

ATTEMPTS = "x-attempts"
POSTPONED = "x-postponed"
FIRST_SEEN = "x-first-seen"
NOT_BEFORE = "x-not-before"
DOUBT = "x-doubt"
REPLAY = "x-replay"
REPLAYED_AT = "x-replayed-at"
MADE_UP_ID = "x-made-up-id"
MOVE = "x-move"

HEADERS = (ATTEMPTS, POSTPONED, FIRST_SEEN, NOT_BEFORE, DOUBT, REPLAY, REPLAYED_AT, MADE_UP_ID, MOVE)
"""Written by the worker and its commands. What a producer writes there is read with the same care as any input."""

_LARGEST = 1_000_000
_LONGEST_NAME = 64
# Clocks of two hosts may differ; an instant much further ahead was not written by a worker.
_SKEW = timedelta(minutes=5)


@value_class
class History:
    """Earlier deliveries of a request.

    `attempts` calls were made and `postponed` times it went to a wait queue, since `first_seen`. Before `not_before`
    the endpoint does not want to be asked again. `doubt`: an earlier call may have been accepted and was sent again
    (`resend`). `replay` names a forced replay.
    """

    first_seen: datetime
    attempts: int = 0
    postponed: int = 0
    not_before: datetime | None = None
    doubt: bool = False
    replay: str | None = None


def history_of(delivery: Delivery, now: datetime) -> History:
    """Read the headers; what cannot be read counts as not there."""
    headers = delivery.headers
    first_seen = _instant(headers.get(FIRST_SEEN))
    return History(
        first_seen=now if first_seen is None or first_seen > now + _SKEW else first_seen,
        attempts=_count(headers.get(ATTEMPTS)),
        postponed=_count(headers.get(POSTPONED)),
        not_before=_instant(headers.get(NOT_BEFORE)),
        doubt=headers.get(DOUBT) is True,
        replay=replay_of(delivery),
    )


def replay_of(delivery: Delivery) -> str | None:
    """Name the forced replay that a message is; None where it is none."""
    replay = delivery.headers.get(REPLAY)
    is_name = isinstance(replay, str) and 0 < len(replay) <= _LONGEST_NAME and replay.isprintable()
    return replay if isinstance(replay, str) and is_name else None


def history_headers(history: History) -> Mapping[str, object]:
    """Write a history the way `history_of` reads it; what is not set has no header."""
    headers: dict[str, object] = {ATTEMPTS: history.attempts, FIRST_SEEN: rfc3339(history.first_seen)}
    if history.postponed:
        headers[POSTPONED] = history.postponed
    if history.not_before is not None:
        headers[NOT_BEFORE] = rfc3339(history.not_before)
    if history.doubt:
        headers[DOUBT] = True
    if history.replay is not None:
        headers[REPLAY] = history.replay
    return headers


def without_history(headers: Mapping[str, object]) -> dict[str, object]:
    """Copy a header table without what earlier deliveries wrote into it."""
    return {name: value for name, value in headers.items() if name not in HEADERS}


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST else 0


def _instant(value: object) -> datetime | None:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
        return instant.astimezone(UTC) if instant.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
