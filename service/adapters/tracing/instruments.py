"""What tracing adds to the worker's parts."""

from collections.abc import Callable
from dataclasses import dataclass, field

from service.core.ports import Endpoint, Observer, Publisher, Tracing
from service.core.untraced import Untraced


@dataclass(frozen=True, slots=True)
class Instruments:
    """As it stands, it adds nothing: that is tracing turned off.

    `exemplar` names the request at hand for a histogram. `tell_status` hears the HTTP status of each answer.
    """

    tracing: Tracing = field(default_factory=Untraced)
    endpoint: Callable[[Endpoint], Endpoint] = lambda endpoint: endpoint
    publisher: Callable[[Publisher], Publisher] = lambda publisher: publisher
    observers: tuple[Observer, ...] = ()
    exemplar: Callable[[], dict[str, str] | None] = lambda: None
    tell_status: Callable[[int], None] = lambda _: None
