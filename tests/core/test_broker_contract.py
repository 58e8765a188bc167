from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from service.core.broker_contract import BrokerState, ExchangeState, topology_findings
from service.core.finding import Finding, Verdict
from service.core.queue_state import Policies, QueueState
from service.core.topology import QueueSpec, RetryTier, Topology

TOPOLOGY = Topology(tiers=(RetryTier("10s", timedelta(seconds=10)),))
NONE = Policies((), {})
RIGHT = BrokerState(
    ExchangeState("topic", durable=True),
    {spec.name: QueueState("quorum", True, spec.arguments, NONE) for spec in TOPOLOGY.queues},
    frozenset(TOPOLOGY.bindings),
)


def with_queue(name: str, **changes: object) -> BrokerState:
    changed = replace(RIGHT.queues[name], **changes)  # type: ignore[arg-type] # fields of one dataclass
    return replace(RIGHT, queues={**RIGHT.queues, name: changed})


def with_policy(name: str, **definition: object) -> BrokerState:
    return with_queue(name, policies=Policies(("ours",), {key.replace("_", "-"): v for key, v in definition.items()}))


def without_argument(name: str, argument: str) -> Mapping[str, object]:
    return {key: value for key, value in RIGHT.queues[name].arguments.items() if key != argument}


def not_ok(state: BrokerState) -> list[Finding]:
    return [finding for finding in topology_findings(TOPOLOGY, state) if finding.verdict is not Verdict.OK]


def the_one(state: BrokerState) -> Finding:
    (finding,) = not_ok(state)
    return finding


def test_what_is_right_is_said_once_for_each_object() -> None:
    findings = topology_findings(TOPOLOGY, RIGHT)

    assert {finding.verdict for finding in findings} == {Verdict.OK}
    assert [finding.what for finding in findings] == [
        "exchange videogen",
        *(f"queue {spec.name}" for spec in TOPOLOGY.queues),
        "binding request to videogen.requests",
        "binding result.# to videogen.results",
    ]


@pytest.mark.parametrize(
    ("state", "what"),
    [
        (replace(RIGHT, exchange=None), "exchange videogen"),
        (replace(RIGHT, queues={}), "queue videogen.dead"),
        (replace(RIGHT, bindings=frozenset(TOPOLOGY.bindings[1:])), "binding request to videogen.requests"),
    ],
)
def test_what_is_missing_is_wrong(state: BrokerState, what: str) -> None:
    finding = not_ok(state)[0]

    assert (finding.what, finding.verdict) == (what, Verdict.WRONG)
    assert "does not exist" in finding.said


@pytest.mark.parametrize("exchange", [ExchangeState("direct", durable=True), ExchangeState("topic", durable=False)])
def test_an_exchange_of_another_kind_is_wrong(exchange: ExchangeState) -> None:
    finding = the_one(replace(RIGHT, exchange=exchange))

    assert finding.verdict is Verdict.WRONG
    assert exchange.kind in finding.said


def test_a_queue_of_another_type_is_wrong_and_nothing_else_is_said_of_it() -> None:
    finding = the_one(with_queue("videogen.dead", kind="classic", arguments={}))

    assert finding.verdict is Verdict.WRONG
    assert "classic" in finding.said
    assert "quorum" in finding.said


def test_a_queue_that_does_not_survive_a_restart_is_wrong() -> None:
    assert "durable" in the_one(with_queue("videogen.dead", durable=False)).said


def test_the_type_may_come_from_the_virtual_host_instead_of_an_argument() -> None:
    assert not_ok(with_queue("videogen.dead", arguments=without_argument("videogen.dead", "x-queue-type"))) == []


@pytest.mark.parametrize(
    ("spec", "argument"),
    [(spec, argument) for spec in TOPOLOGY.queues for argument in spec.arguments if argument != "x-queue-type"],
)
def test_every_argument_is_compared(spec: QueueSpec, argument: str) -> None:
    finding = the_one(with_queue(spec.name, arguments={**spec.arguments, argument: "other"}))

    assert (finding.what, finding.verdict) == (f"queue {spec.name}", Verdict.WRONG)
    assert f"{argument} = 'other'" in finding.said
    assert repr(spec.arguments[argument]) in finding.said


def test_a_missing_argument_is_wrong() -> None:
    name = "videogen.requests"
    finding = the_one(with_queue(name, arguments=without_argument(name, "x-delivery-limit")))

    assert finding.verdict is Verdict.WRONG
    assert "no x-delivery-limit" in finding.said
    assert "20" in finding.said


def test_a_policy_may_stand_in_for_an_argument() -> None:
    name = "videogen.requests"
    arguments = without_argument(name, "x-delivery-limit")

    assert not_ok(with_queue(name, arguments=arguments, policies=Policies(("ours",), {"delivery-limit": 20}))) == []


def test_a_missing_argument_is_unknown_while_policies_are_untold() -> None:
    name = "videogen.requests"
    findings = not_ok(with_queue(name, arguments=without_argument(name, "x-delivery-limit"), policies=None))

    assert {finding.verdict for finding in findings} == {Verdict.UNKNOWN}
    assert "x-delivery-limit" in findings[0].said


def test_policies_that_are_untold_are_one_unknown_that_names_the_queues() -> None:
    queues = {name: replace(queue, policies=None) for name, queue in RIGHT.queues.items()}
    finding = the_one(replace(RIGHT, queues=queues))

    assert (finding.what, finding.verdict) == ("policies", Verdict.UNKNOWN)
    assert all(name in finding.said for name in queues)


@pytest.mark.parametrize(
    ("name", "definition", "part"),
    [
        ("videogen.requests", {"delivery_limit": 5}, "delivery-limit = 5 by policy 'ours'"),
        ("videogen.requests", {"overflow": "drop-head"}, "overflow = 'drop-head' by policy 'ours'"),
        ("videogen.dead", {"message_ttl": 5}, "message-ttl = 5 by policy 'ours'"),
        ("videogen.retry.10s", {"message_ttl": 5}, "message-ttl = 5 by policy 'ours'"),
        ("videogen.requests", {"message_ttl": 5}, "leaves the queue unanswered"),
        ("videogen.results", {"message_ttl": 5}, "message-ttl = 5 by policy 'ours'"),
        ("videogen.undelivered", {"message_ttl": 5}, "message-ttl = 5 by policy 'ours'"),
        ("videogen.requests", {"expires": 5}, "deletes the queue"),
        ("videogen.results", {"max_length": 5}, "drops the oldest message"),
        ("videogen.results", {"max_length_bytes": 5}, "drops the oldest message"),
        ("videogen.results", {"max_length": 5, "overflow": "drop-head"}, "drops the oldest message"),
    ],
)
def test_a_policy_by_which_messages_are_lost_is_wrong(name: str, definition: dict[str, object], part: str) -> None:
    finding = the_one(with_policy(name, **definition))

    assert (finding.what, finding.verdict) == (f"queue {name}", Verdict.WRONG)
    assert part in finding.said
    assert "change policy 'ours'" in finding.said


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("videogen.requests", {"delivery_limit": 50}),
        ("videogen.requests", {"max_length": 5}),
        ("videogen.results", {"max_length": 5, "overflow": "reject-publish"}),
        ("videogen.requests", {"dead_letter_exchange": "other"}),
        ("videogen.retry.10s", {"message_ttl": 60_000}),
        ("videogen.results", {"consumer_timeout": 5}),
    ],
)
def test_a_policy_by_which_nothing_is_lost_is_fine(name: str, definition: dict[str, object]) -> None:
    assert not_ok(with_policy(name, **definition)) == []


def test_an_argument_by_which_messages_are_lost_is_wrong() -> None:
    name = "videogen.results"
    finding = the_one(with_queue(name, arguments={**RIGHT.queues[name].arguments, "x-expires": 5}))

    assert finding.verdict is Verdict.WRONG
    assert "x-expires = 5" in finding.said
    assert "delete it" in finding.said
