"""May this call be sent again, and after which wait? (spec section 3, first tier)."""

from dataclasses import dataclass
from enum import StrEnum

from service.core.call import (
    Blocked,
    FailedCall,
    NotSent,
    RefusedForGood,
    RefusedForNow,
    Uncertain,
)
from service.core.facts import RetryReason
from service.core.value_class import value_class

# 2.0 to a higher power overflows; every base worth a name has reached its cap long before.
_LARGEST_EXPONENT = 1000


class OnUncertain(StrEnum):
    """What to do with a call that may have been accepted: never send it again, or accept paying twice."""

    PARK = "park"
    RESEND = "resend"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` calls; `base`, `cap` and `budget` (for all attempts and waits together) are seconds."""

    attempts: int = 4
    base: float = 0.5
    cap: float = 20.0
    budget: float = 60.0
    on_uncertain: OnUncertain = OnUncertain.PARK


@value_class
class Again:
    """Call again after `delay` seconds."""

    delay: float
    reason: RetryReason


@value_class
class Stop:
    """The result stands: it is final, or attempts, budget or time have run out."""


def backoff(policy: RetryPolicy, attempt: int, u: float) -> float:
    """Draw the wait after the `attempt`-th call (from 1): exponential with full jitter.

    `u` is uniform in [0, 1). Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return u * min(policy.cap, policy.base * 2.0 ** min(attempt - 1, _LARGEST_EXPONENT))


def retry_reason(result: FailedCall, on_uncertain: OnUncertain) -> RetryReason | None:
    """Tell why a call with this result may be sent again; None where it must not."""
    match result:
        case NotSent():
            return RetryReason.NOT_SENT
        case RefusedForNow(throttled=True):
            return RetryReason.THROTTLED
        case RefusedForNow():
            return RetryReason.REFUSED_FOR_NOW
        case Uncertain():
            return RetryReason.UNCERTAIN if on_uncertain is OnUncertain.RESEND else None
        case RefusedForGood() | Blocked():
            return None


def next_step(
    policy: RetryPolicy,
    *,
    result: FailedCall,
    attempt: int,
    elapsed: float,
    time_left: float | None,
    u: float,
) -> Again | Stop:
    """Decide what follows the `attempt`-th call (from 1).

    A wait that would outlast the budget or the deadline is not begun: the result is reported at once.

    Args:
        policy: the bounds of the first tier.
        result: what the call came to.
        attempt: how many calls were made.
        elapsed: seconds since the request entered the first tier.
        time_left: seconds until the deadline; None without one.
        u: uniform in [0, 1), drawn once for this step.
    """
    reason = retry_reason(result, policy.on_uncertain)
    if reason is None or attempt >= policy.attempts:
        return Stop()
    delay = max(backoff(policy, attempt, u), _floor(result))
    if elapsed + delay > policy.budget or (time_left is not None and delay >= time_left):
        return Stop()
    return Again(delay, reason)


def _floor(result: FailedCall) -> float:
    """Name the wait that the server asked for; 0 where it asked for none."""
    return (result.retry_after or 0.0) if isinstance(result, RefusedForNow) else 0.0
