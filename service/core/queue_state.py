"""What a queue does in truth: its arguments and the policies over them, resolved as a quorum queue resolves them."""

from collections.abc import Mapping
from dataclasses import dataclass

# `gather_policy_config` of RabbitMQ's rabbit_quorum_queue.erl; the same in all versions from 3.10 to 4.x. For every
# other key the argument wins.
_SMALLER_WINS = frozenset(
    {"consumer-timeout", "delivery-limit", "expires", "max-length", "max-length-bytes", "message-ttl"}
)
_POLICY_WINS = frozenset({"overflow"})


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy and the operator policy of a queue: their names, and what the two come to."""

    names: tuple[str, ...]
    definition: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Effective:
    """A value in force, and where it comes from: the policies of these names, or an argument where there are none."""

    value: object
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue as the broker shows it.

    `policies` is None where the broker has not told them. `consumer_timeout` is milliseconds, as listed for whoever
    consumes at the moment.
    """

    kind: str
    durable: bool
    arguments: Mapping[str, object]
    policies: Policies | None
    consumer_timeout: int | None = None

    def effective(self, key: str) -> Effective | None:
        """Tell what is in force for `key`, written as in a policy (`message-ttl`); None where nothing is set."""
        by_argument = self.arguments.get(f"x-{key}")
        by_policy = None if self.policies is None else self.policies.definition.get(key)
        if self.policies is None or by_policy is None:
            return None if by_argument is None else Effective(by_argument)
        if by_argument is None or _policy_wins(key, by_policy, by_argument):
            return Effective(by_policy, self.policies.names)
        return Effective(by_argument)


def _policy_wins(key: str, policy: object, argument: object) -> bool:
    if key in _POLICY_WINS:
        return True
    if key not in _SMALLER_WINS or not isinstance(policy, int) or not isinstance(argument, int):
        return False
    if key == "delivery-limit" and min(policy, argument) < 0:
        # Negative means unlimited, from RabbitMQ 4.0 on.
        return policy > argument
    return policy < argument
