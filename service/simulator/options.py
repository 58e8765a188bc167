"""What a simulated endpoint can be told at the start."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


def check_api_key(key: str | None) -> None:
    """Check a key that clients are asked for; None stands for any.

    Raises:
        ValueError: no client could send it.
    """
    # A token is compared without the blanks around it, so such a key would refuse every client.
    if key is not None and key != (key.strip() or None):
        raise ValueError("api_key must not be empty, nor begin or end with a blank; leave it out to take any key")


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """How the simulated endpoint listens and behaves; the defaults accept everything at once.

    `port` 0 takes a free one. `api_key` None takes any bearer token that is not empty. `latency` is seconds,
    and up to `latency_spread` more by chance. `error_rates` gives each step of the directive language its
    share of all POSTs (docs/simulator.md);
    `any` spreads its share over every fault. `rate_limit` is requests per second; `burst` None is one second's
    worth. A task runs for `task_seconds`. `seed` makes latency and errors repeatable. `max_body` is in
    bytes. `size_separator` stands between width and height. `record_limit` bounds how many POSTs are remembered.

    Raises:
        ValueError: a value is outside its range, or has no effect.
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str | None = None
    latency: float = 0.0
    latency_spread: float = 0.0
    error_rates: Mapping[str, float] = field(default_factory=dict)
    rate_limit: float | None = None
    burst: int | None = None
    max_running: int | None = None
    task_seconds: float = 20.0
    seed: int | None = None
    max_body: int = 1024 * 1024
    size_separator: str = "*"
    record_limit: int = 100_000

    def __post_init__(self) -> None:
        for name in ("latency", "latency_spread", "task_seconds"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be 0 seconds or more, and finite; got {value}")
        for name in ("max_running", "max_body", "record_limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more; got {value}")
        check_api_key(self.api_key)
        if self.rate_limit is not None and not math.isfinite(self.rate_limit):
            raise ValueError(f"rate_limit must be finite; leave it out for no limit; got {self.rate_limit}")
        if self.burst is not None and self.rate_limit is None:
            raise ValueError("burst has no effect without rate_limit; give both, or neither")
        if not self.size_separator:
            raise ValueError("size_separator must not be empty; 832*480 is written with '*'")
