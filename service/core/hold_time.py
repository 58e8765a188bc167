"""Whether the broker lets a consumer hold a request for as long as the worker may need (spec section 3)."""

from service.core.broker_version import BrokerVersion
from service.core.finding import Finding, Verdict
from service.core.queue_state import QueueState

_WHAT = "consumer timeout"
_SETTING = "VIDEOGEN_BROKER__CONSUMER_TIMEOUT"

# RabbitMQ 3.12 brought `x-consumer-timeout` and the policy of that name; older ones take and ignore both.
_HEEDED_FROM = BrokerVersion(3, 12)


def hold_finding(longest: float, assumed: float, version: BrokerVersion | None, requests: QueueState | None) -> Finding:
    """Compare the longest time that a request is held with what the broker allows on the queue of requests.

    Args:
        longest: seconds.
        assumed: seconds, what the settings take for the broker's consumer timeout.
        version: None where it is not known.
        requests: None where the queue was not, or cannot be, looked at.
    """
    allowed = allowed_hold(requests) if requests is not None and lists_timeouts(version) else None
    if allowed is None:
        return Finding(
            _WHAT,
            Verdict.UNKNOWN,
            f"what the broker allows cannot be seen from here; {_SETTING} says {assumed:g} s and a request is held for "
            f"up to {longest:g} s; compare with consumer_timeout in rabbitmq.conf, or with the milliseconds that "
            "`rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'` prints",
        )
    if longest >= allowed:
        return Finding(
            _WHAT,
            Verdict.WRONG,
            f"the broker takes a request back after {allowed:g} s and the worker may hold it for {longest:g} s; raise "
            f"consumer_timeout at the broker (or the queue's policy consumer-timeout) and {_SETTING}, "
            "or lower VIDEOGEN_RETRY__BUDGET or VIDEOGEN_ENDPOINT__TIMEOUT",
        )
    if allowed < assumed:
        return Finding(
            _WHAT,
            Verdict.WRONG,
            f"the broker takes a request back after {allowed:g} s and {_SETTING} says {assumed:g} s; set it to what "
            "the broker allows",
        )
    return Finding(_WHAT, Verdict.OK, f"the broker allows {allowed:g} s, a request is held for up to {longest:g} s")


def lists_timeouts(version: BrokerVersion | None) -> bool:
    """Tell whether this broker heeds a timeout of a queue, and lists what is in force for a consumer."""
    return version is not None and version >= _HEEDED_FROM


def allowed_hold(requests: QueueState) -> float | None:
    """Tell how many seconds a message of this queue may be held; None where the broker has not told."""
    set_here = requests.effective("consumer-timeout")
    milliseconds = requests.consumer_timeout if set_here is None else set_here.value
    return milliseconds / 1000 if isinstance(milliseconds, int) else None
