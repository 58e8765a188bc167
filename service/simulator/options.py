"""What a simulated endpoint can be told at the start."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """How the simulated endpoint listens and behaves; the defaults accept everything at once.

    `port` 0 takes a free one. `api_key` None takes any bearer token that is not empty. `latency` is seconds,
    and up to `latency_spread` more by chance. `error_rates` gives each step of the directive language its
    share of all POSTs (docs/simulator.md). `rate_limit` is requests per second; `burst` None is one second's
    worth. A task runs for `task_seconds`. `seed` makes latency and errors repeatable. `max_body` is in
    bytes. `record_limit` bounds how many POSTs are remembered.

    Raises:
        ValueError: a number is outside its range.
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
            if value < 0:
                raise ValueError(f"{name} must be 0 seconds or more; got {value}")
        for name in ("max_running", "max_body", "record_limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more; got {value}")
