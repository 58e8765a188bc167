"""Whether a Redis keeps what it is given, as far as it tells."""

from collections.abc import Mapping

UNKNOWN = (
    "Redis does not tell whether it keeps every record: make sure that maxmemory-policy is noeviction "
    "and appendonly is yes"
)
_NO_EVICTION = "noeviction"


def durability_warnings(memory: Mapping[str, object], persistence: Mapping[str, object]) -> tuple[str, ...]:
    """Judge the sections `memory` and `persistence` of INFO."""
    policy, append_only = memory.get("maxmemory_policy"), persistence.get("aof_enabled")
    if policy is None or append_only is None:
        return (UNKNOWN,)
    warnings = []
    if policy != _NO_EVICTION:
        warnings.append(
            f"Redis may drop records when its memory is full (maxmemory-policy is {policy}), and such a request "
            f"may be paid for twice: set it to {_NO_EVICTION}"
        )
    if not append_only:
        warnings.append(
            "Redis forgets its latest records when it stops (appendonly is no), and such a request "
            "may be paid for twice: set it to yes"
        )
    return tuple(warnings)
