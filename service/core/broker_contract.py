"""Whether the broker's objects are such that nothing is lost (spec sections 4 and 5)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service.core.finding import Finding, Verdict
from service.core.queue_state import Effective, QueueState
from service.core.topology import Binding, QueueSpec, Topology

_TYPE = "x-queue-type"
_ANEW = "delete it once it is empty and let it be declared anew, or choose another VIDEOGEN_BROKER__PREFIX"
_MISSING = "it does not exist; create it, or set VIDEOGEN_BROKER__DECLARE=true to let the worker do it"
_LOSES: Mapping[str, str] = {
    "message-ttl": "a message that waits longer than this many milliseconds leaves the queue unanswered",
    "expires": "the broker deletes the queue with its messages when nobody uses it for this many milliseconds",
}
_DROPS: Mapping[str, str] = {
    "max-length": "the broker drops the oldest message when there are more",
    "max-length-bytes": "the broker drops the oldest message when there is more",
}


@dataclass(frozen=True, slots=True)
class ExchangeState:
    """An exchange as the broker shows it."""

    kind: str
    durable: bool


@dataclass(frozen=True, slots=True)
class BrokerState:
    """What of a topology the broker has. Missing queues are left out."""

    exchange: ExchangeState | None
    queues: Mapping[str, QueueState]
    bindings: frozenset[Binding]


def topology_findings(topology: Topology, broker: BrokerState) -> tuple[Finding, ...]:
    """Compare every object with the wanted one: one finding for each that is right, or for each thing wrong with it."""
    return (
        _exchange(topology.exchange, broker.exchange),
        *(finding for spec in topology.queues for finding in _queue(spec, broker.queues.get(spec.name))),
        *(_binding(topology.exchange, binding, broker.bindings) for binding in topology.bindings),
        *_untold_policies(broker.queues),
    )


def _exchange(name: str, exchange: ExchangeState | None) -> Finding:
    what = f"exchange {name}"
    if exchange is None:
        return Finding(what, Verdict.WRONG, _MISSING)
    if exchange != ExchangeState("topic", durable=True):
        kept = "durable" if exchange.durable else "transient"
        said = f"it is a {kept} exchange of type {exchange.kind} and must be a durable one of type topic; "
        return Finding(what, Verdict.WRONG, said + "delete it and let it be declared anew")
    return Finding(what, Verdict.OK, "a durable topic exchange")


def _binding(exchange: str, binding: Binding, there: frozenset[Binding]) -> Finding:
    what = f"binding {binding.routing_key} to {binding.queue}"
    if binding in there:
        return Finding(what, Verdict.OK, "there")
    said = f"it does not exist; bind the queue to {exchange} with this key, or set VIDEOGEN_BROKER__DECLARE=true"
    return Finding(what, Verdict.WRONG, said)


def _queue(spec: QueueSpec, queue: QueueState | None) -> Iterator[Finding]:
    what = f"queue {spec.name}"
    if queue is None:
        yield Finding(what, Verdict.WRONG, _MISSING)
        return
    problems = tuple(_problems(spec, queue))
    yield from (Finding(what, verdict, said) for verdict, said in problems)
    if not problems:
        looked_at = "arguments" if queue.policies is None else "arguments and policies"
        yield Finding(what, Verdict.OK, f"a durable quorum queue, with the right {looked_at}")


def _untold_policies(queues: Mapping[str, QueueState]) -> Iterator[Finding]:
    untold = [name for name, queue in queues.items() if queue.policies is None]
    if untold:
        yield Finding(
            "policies",
            Verdict.UNKNOWN,
            f"the broker has not told which act on {', '.join(untold)}; "
            "ask again in 10 s, or look with `rabbitmqctl list_queues name effective_policy_definition`",
        )


def _problems(spec: QueueSpec, queue: QueueState) -> Iterator[tuple[Verdict, str]]:
    kind = spec.arguments[_TYPE]
    if queue.kind != kind:
        # Other types know neither these arguments nor the rules by which policies act on them.
        yield Verdict.WRONG, f"it is a {queue.kind} queue and must be a {kind} queue; {_ANEW}"
        return
    if not queue.durable:
        yield Verdict.WRONG, f"it is gone after a restart of the broker and must be durable; {_ANEW}"
    for argument, wanted in spec.arguments.items():
        if argument != _TYPE:
            yield from _difference(argument.removeprefix("x-"), wanted, queue)
    yield from _losses(spec, queue)


def _difference(key: str, wanted: str | int, queue: QueueState) -> Iterator[tuple[Verdict, str]]:
    found = queue.effective(key)
    if found is None and queue.policies is None:
        yield Verdict.UNKNOWN, f"it has no argument x-{key} = {wanted!r}; make sure that a policy sets {key} to that"
    elif found is None:
        yield Verdict.WRONG, f"it has no x-{key} and must have {wanted!r}; {_ANEW}"
    elif found.value != wanted:
        yield Verdict.WRONG, f"it has {_named(key, found)} and must have {wanted!r}; {_cure(found)}"


def _losses(spec: QueueSpec, queue: QueueState) -> Iterator[tuple[Verdict, str]]:
    overflow = queue.effective("overflow")
    refuses = overflow is not None and overflow.value == "reject-publish"
    for key, loss in (_LOSES if refuses else {**_LOSES, **_DROPS}).items():
        found = queue.effective(key)
        if found is not None and f"x-{key}" not in spec.arguments:
            yield Verdict.WRONG, f"it has {_named(key, found)}: {loss}; {_cure(found)}"


def _named(key: str, found: Effective) -> str:
    if not found.policies:
        return f"x-{key} = {found.value!r}"
    return f"{key} = {found.value!r} by {_policies(found)}"


def _cure(found: Effective) -> str:
    return f"change {_policies(found)}, or keep it off this queue" if found.policies else _ANEW


def _policies(found: Effective) -> str:
    return "policy " + " and ".join(repr(name) for name in found.policies)
