"""Which broker this is, and whether the worker is made for it (spec section 4)."""

import re
from typing import NamedTuple

from service.core.finding import Finding, Verdict

_WHAT = "broker version"
_LEADING = re.compile(r"(\d{1,4})\.(\d{1,4})(?!\d)")


class BrokerVersion(NamedTuple):
    """Major and minor number; later ones compare as greater."""

    major: int
    minor: int


_OLDEST = BrokerVersion(3, 10)
_NEWEST_MAJOR = 4


def broker_version(product: str, version: str) -> BrokerVersion | None:
    """Read what the broker says of itself as it is connected to; None for what is no RabbitMQ or has no such number."""
    found = _LEADING.match(version)
    return BrokerVersion(int(found[1]), int(found[2])) if found and product == "RabbitMQ" else None


def version_finding(product: str, version: str) -> Finding:
    """Tell whether this broker is among the supported ones."""
    known = broker_version(product, version)
    if known is None:
        said = f"the broker calls itself {product!r} {version!r}; the worker is tested with RabbitMQ 3.10 to 4.x alone"
        return Finding(_WHAT, Verdict.UNKNOWN, f"{said}, use one of these")
    if known < _OLDEST:
        said = f"RabbitMQ {version} has no at-least-once dead-lettering; upgrade it to 3.10 or later"
        return Finding(_WHAT, Verdict.WRONG, said)
    if known.major > _NEWEST_MAJOR:
        said = (
            f"RabbitMQ {version} is newer than this worker, which is tested with 3.10 to 4.x; look for a newer worker"
        )
        return Finding(_WHAT, Verdict.UNKNOWN, said)
    return Finding(_WHAT, Verdict.OK, f"RabbitMQ {version}")
