from collections.abc import Mapping

import pytest

from service.core.queue_state import Effective, Policies, QueueState


def queue(arguments: Mapping[str, object], policy: Mapping[str, object] | None) -> QueueState:
    return QueueState("quorum", True, arguments, None if policy is None else Policies(("ours",), policy))


@pytest.mark.parametrize(
    ("key", "argument", "policy", "in_force"),
    [
        ("message-ttl", 1000, 500, 500),
        ("message-ttl", 500, 1000, 500),
        ("max-length", 9, 7, 7),
        ("max-length-bytes", 9, 7, 7),
        ("expires", 9, 7, 7),
        ("consumer-timeout", 60_000, 30_000, 30_000),
        ("delivery-limit", 20, 5, 5),
        ("delivery-limit", 20, 50, 20),
        ("delivery-limit", 20, -1, 20),
        ("delivery-limit", -1, 20, 20),
        ("overflow", "reject-publish", "drop-head", "drop-head"),
        ("dead-letter-exchange", "", "other", ""),
        ("dead-letter-routing-key", "ours", "other", "ours"),
        ("dead-letter-strategy", "at-least-once", "at-most-once", "at-least-once"),
        ("message-ttl", 1000, "soon", 1000),
    ],
)
def test_argument_and_policy_are_resolved_as_the_broker_does(
    key: str, argument: object, policy: object, in_force: object
) -> None:
    found = queue({f"x-{key}": argument}, {key: policy}).effective(key)

    assert found is not None
    assert found.value == in_force


def test_a_value_by_policy_names_the_policies() -> None:
    state = QueueState("quorum", True, {}, Policies(("ours", "the operator's"), {"expires": 5}))

    assert state.effective("expires") == Effective(5, ("ours", "the operator's"))


def test_a_value_by_argument_names_no_policy() -> None:
    assert queue({"x-expires": 5}, {"expires": 9}).effective("expires") == Effective(5)


def test_arguments_alone_count_where_policies_are_not_told() -> None:
    assert queue({"x-expires": 5}, None).effective("expires") == Effective(5)


@pytest.mark.parametrize("policy", [None, {}, {"expires": 5}])
def test_what_nobody_sets_is_not_in_force(policy: Mapping[str, object] | None) -> None:
    assert queue({"x-expires": 5}, policy).effective("message-ttl") is None
