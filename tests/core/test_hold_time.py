import pytest

from service.core.broker_version import BrokerVersion
from service.core.finding import Verdict
from service.core.hold_time import hold_finding
from service.core.queue_state import Policies, QueueState

NEW, OLD = BrokerVersion(3, 12), BrokerVersion(3, 11)


def requests(
    argument: object = None, policy: object = None, listed: int | None = None, *, told: bool = True
) -> QueueState:
    arguments = {} if argument is None else {"x-consumer-timeout": argument}
    definition = {} if policy is None else {"consumer-timeout": policy}
    return QueueState("quorum", True, arguments, Policies(("ours",), definition) if told else None, listed)


@pytest.mark.parametrize(
    ("queue", "verdict"),
    [
        (requests(argument=91_000), Verdict.OK),
        (requests(argument=90_000), Verdict.WRONG),
        (requests(policy=91_000), Verdict.OK),
        (requests(policy=90_000), Verdict.WRONG),
        (requests(argument=91_000, policy=90_000), Verdict.WRONG),
        (requests(listed=91_000), Verdict.OK),
        (requests(listed=90_000), Verdict.WRONG),
        (requests(argument=91_000, told=False), Verdict.OK),
        (requests(), Verdict.UNKNOWN),
        (requests(policy="soon"), Verdict.UNKNOWN),
        (None, Verdict.UNKNOWN),
    ],
)
def test_the_longest_hold_must_be_shorter_than_the_broker_allows(queue: QueueState | None, verdict: Verdict) -> None:
    assert hold_finding(90.0, 91.0, NEW, queue).verdict is verdict


@pytest.mark.parametrize("version", [OLD, None])
def test_a_broker_before_3_12_ignores_the_timeout_of_a_queue(version: BrokerVersion | None) -> None:
    assert hold_finding(90.0, 91.0, version, requests(argument=1, policy=1)).verdict is Verdict.UNKNOWN


def test_what_is_too_short_is_said_in_seconds_with_what_to_change() -> None:
    said = hold_finding(90.0, 1800.0, NEW, requests(policy=60_000)).said

    for part in ("60 s", "90 s", "consumer_timeout", "VIDEOGEN_RETRY__BUDGET"):
        assert part in said


def test_a_request_that_may_be_held_to_the_last_moment_is_held_too_long() -> None:
    assert "may hold it for 90 s" in hold_finding(90.0, 1800.0, NEW, requests(policy=90_000)).said


def test_a_setting_that_says_more_than_the_broker_allows_is_wrong() -> None:
    finding = hold_finding(90.0, 1800.0, NEW, requests(policy=600_000))

    assert finding.verdict is Verdict.WRONG
    assert "600 s" in finding.said
    assert "VIDEOGEN_BROKER__CONSUMER_TIMEOUT says 1800 s" in finding.said


def test_what_cannot_be_seen_names_what_was_assumed_and_where_to_look() -> None:
    said = hold_finding(90.0, 1800.0, OLD, None).said

    for part in ("VIDEOGEN_BROKER__CONSUMER_TIMEOUT says 1800 s", "90 s", "rabbitmq.conf", "rabbitmqctl eval"):
        assert part in said
