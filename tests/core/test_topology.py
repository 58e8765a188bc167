from datetime import timedelta

from service.core.topology import Binding, QueueSpec, RetryTier, Topology

# A number that nobody reaches: these queues are browsed, and no reading may cost a message.
KEPT: dict[str, str | int] = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000}
AT_LEAST_ONCE = {
    "x-dead-letter-exchange": "",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


def test_the_queues_are_those_of_the_contract() -> None:
    topology = Topology("videogen", (RetryTier("10s", timedelta(seconds=10)), RetryTier("5m", timedelta(minutes=5))))

    assert {spec.name: dict(spec.arguments) for spec in topology.queues} == {
        "videogen.requests": {
            "x-queue-type": "quorum",
            "x-delivery-limit": 20,
            "x-dead-letter-routing-key": "videogen.dead",
            **AT_LEAST_ONCE,
        },
        "videogen.results": KEPT,
        "videogen.undelivered": KEPT,
        "videogen.dead": {**KEPT, "x-message-ttl": 604_800_000},
        "videogen.retry.10s": {
            "x-queue-type": "quorum",
            "x-message-ttl": 10_000,
            "x-dead-letter-routing-key": "videogen.requests",
            **AT_LEAST_ONCE,
        },
        "videogen.retry.5m": {
            "x-queue-type": "quorum",
            "x-message-ttl": 300_000,
            "x-dead-letter-routing-key": "videogen.requests",
            **AT_LEAST_ONCE,
        },
    }


def test_the_exchange_routes_requests_and_every_result() -> None:
    assert Topology("videogen").bindings == (
        Binding("videogen.requests", "request"),
        Binding("videogen.results", "result.#"),
    )


def test_completions_have_a_home_only_where_tasks_are_followed() -> None:
    usual, tracking = Topology("videogen"), Topology("videogen", tracking=True)

    assert [spec for spec in tracking.queues if spec not in usual.queues] == [QueueSpec("videogen.completions", KEPT)]
    assert tracking.bindings == (*usual.bindings, Binding("videogen.completions", "completion.#"))
    assert [spec for spec in tracking.queues if spec.name != "videogen.completions"] == list(usual.queues)


def test_every_name_takes_the_prefix() -> None:
    topology = Topology("mine", (RetryTier("10s", timedelta(seconds=10)),))

    assert topology.exchange == "mine"
    assert all(spec.name.startswith("mine.") for spec in topology.queues)
    assert {binding.queue for binding in topology.bindings} <= {spec.name for spec in topology.queues}


def test_a_dead_letter_target_is_declared_before_the_queue_that_names_it() -> None:
    topology = Topology("videogen", (RetryTier("10s", timedelta(seconds=10)),))
    declared: set[object] = set()

    for spec in topology.queues:
        target = spec.arguments.get("x-dead-letter-routing-key")
        assert target is None or target in declared
        declared.add(spec.name)


def test_how_long_dead_requests_are_kept_is_a_setting() -> None:
    dead = Topology("videogen", dead_ttl=timedelta(hours=1)).queues[0]

    assert dead == QueueSpec("videogen.dead", {**KEPT, "x-message-ttl": 3_600_000})
