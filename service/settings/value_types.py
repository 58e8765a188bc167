"""The kinds of value that need a rule of their own: URLs, the key, names and retry tiers.

Messages never quote a value, because some of these are secret; `loading` shows what may be shown.
"""

import re
from datetime import timedelta
from itertools import pairwise
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from service.core.topology import RetryTier
from service.settings.durations import DAY, parse_duration

MAX_TTL = 49 * DAY
"""Seconds; RabbitMQ keeps a time to live as 32 bits of milliseconds."""

ENDPOINT_PATH = "/v2/videos/generations"
"""What the worker adds to the base URL."""

SQLITE_SCHEME = "sqlite:///"
NO_LEDGER = "none"

_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_REDIS_DATABASE = re.compile(r"/?|/[0-9]{1,5}")
_SEPARATOR = re.compile(r"[^\s0-9]{1,3}")


def _split(url: str, schemes: tuple[str, ...]) -> SplitResult:
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    if not url.isprintable() or " " in url:
        raise ValueError("a URL holds no blanks or control characters; remove them or percent-encode them")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The parser's own message may quote a piece of the password.
        raise ValueError(
            "this cannot be read as a URL; percent-encode special characters in user name and password, "
            "and give the port as a number up to 65535"
        ) from None
    if parts.scheme not in schemes:
        raise ValueError(f"the URL must start with {wanted}")
    if not parts.hostname or port == 0:
        raise ValueError(f"the URL must name a host after {wanted}, and no port 0")
    try:
        parts.hostname.encode("idna")
    except UnicodeError:
        raise ValueError("the URL's host is no host name; look for doubled dots and parts over 63 letters") from None
    return parts


def _broker_url(url: SecretStr) -> SecretStr:
    parts = _split(url.get_secret_value(), ("amqp", "amqps"))
    if parts.query or parts.fragment:
        raise ValueError(
            "the URL must have no query or fragment; heartbeat, timeouts and certificates have settings of their own"
        )
    return url


def _ledger_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    # As the libraries do, schemes are taken in lower case alone.
    if text.startswith(SQLITE_SCHEME):
        _check_sqlite(text.removeprefix(SQLITE_SCHEME))
    elif text.startswith(("redis://", "rediss://")):
        _check_redis(_split(text, ("redis", "rediss")))
    elif text != NO_LEDGER:
        raise ValueError("use sqlite:///PATH for workers on one host, redis://HOST:PORT/NUMBER for many hosts, or none")
    return url


def _check_sqlite(path: str) -> None:
    if not path.isprintable() or not path.strip("/") or path.endswith("/"):
        raise ValueError(
            "name a file after sqlite:///, such as sqlite:///videogen-ledger.db (in the working directory) "
            "or sqlite:////data/ledger.db"
        )
    if path.startswith((":memory:", "file:")) or "?" in path or "#" in path:
        raise ValueError("give a plain path after sqlite:///, without options; none is the ledger that keeps nothing")


def _check_redis(parts: SplitResult) -> None:
    if parts.query or parts.fragment:
        raise ValueError("the URL must have no query or fragment; the wait for an answer is VIDEOGEN_LEDGER__TIMEOUT")
    if not _REDIS_DATABASE.fullmatch(parts.path):
        raise ValueError("the URL may end with the number of a database and nothing else, such as redis://HOST:6379/0")


def _management_url(url: SecretStr) -> SecretStr:
    parts = _split(url.get_secret_value(), ("http", "https"))
    if parts.query or parts.fragment:
        raise ValueError("the URL must have no query or fragment; give http://USER:PASSWORD@HOST:15672")
    return url


def _base_url(url: str) -> str:
    parts = _split(url, ("http", "https"))
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL must hold no user name or password; the key goes into VIDEOGEN_ENDPOINT__API_KEY")
    if parts.query or parts.fragment:
        raise ValueError("the URL must have no query or fragment; give scheme, host and, where needed, a path")
    base = url.rstrip("/")
    if base.endswith(ENDPOINT_PATH):
        raise ValueError(f"leave out {ENDPOINT_PATH}; the worker adds it")
    return base


def check_key(text: str) -> str:
    """Check that a text can be the endpoint's key, and give it back.

    Raises:
        ValueError: it is empty, or no HTTP header can carry it. The message does not quote it.
    """
    if not text:
        raise ValueError("the key is empty; give the key that the endpoint's operator issued")
    if not all("!" <= character <= "~" for character in text):
        raise ValueError(
            "the key holds a blank, a line break or a non-ASCII character, which no HTTP header can carry; "
            "give the bare key, without 'Bearer'"
        )
    return text


def _api_key(key: SecretStr) -> SecretStr:
    check_key(key.get_secret_value())
    return key


def _prefix(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(
            "use 1 to 100 letters, digits, dots, hyphens and underscores, and start with a letter or digit"
        )
    if prefix.startswith("amq."):
        raise ValueError("names that start with 'amq.' belong to the broker; choose another prefix")
    return prefix


def _separator(text: str) -> str:
    if not _SEPARATOR.fullmatch(text):
        raise ValueError("use 1 to 3 characters that are no digits and no blanks, as the '*' in 832*480")
    return text


def parse_tiers(text: str) -> tuple[RetryTier, ...]:
    """Read `10s,1m,5m,30m`; each tier keeps its name as written.

    Raises:
        ValueError: no tiers, a tier is no duration or too long, or the waits do not ascend.
    """
    tiers = tuple(_tier(name.strip()) for name in text.split(","))
    if any(later.wait <= earlier.wait for earlier, later in pairwise(tiers)):
        raise ValueError("each wait must be longer than the one before it; sort them and remove repeated ones")
    return tiers


def _tier(name: str) -> RetryTier:
    try:
        seconds = parse_duration(name)
    except ValueError:
        raise ValueError("write durations with commas between them, such as 10s,1m,5m,30m") from None
    if not 0 < seconds <= MAX_TTL:
        raise ValueError("each wait must be more than 0 and at most 49d, the longest that RabbitMQ keeps")
    return RetryTier(name, timedelta(seconds=seconds))


def _tiers(value: object) -> object:
    return parse_tiers(value) if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


BrokerUrl = Annotated[SecretStr, AfterValidator(_broker_url)]
LedgerUrl = Annotated[SecretStr, AfterValidator(_ledger_url)]
ManagementUrl = Annotated[SecretStr, AfterValidator(_management_url)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
ApiKey = Annotated[SecretStr, AfterValidator(_api_key)]
Prefix = Annotated[str, AfterValidator(_prefix)]
SizeSeparator = Annotated[str, AfterValidator(_separator)]
Tiers = Annotated[tuple[RetryTier, ...], BeforeValidator(_tiers)]
AnyCase = BeforeValidator(_lower)
