"""Settings as they may be shown."""

import re
from urllib.parse import unquote, urlsplit

from service.settings.groups import Settings
from service.settings.names import NAMES

MASK = "***"

# Greedy up to the last "@", because a password may hold "@" or "/" that nobody encoded.
_USERINFO = re.compile(r"://.*@", re.DOTALL)
_QUERY = re.compile(r"[?#].*", re.DOTALL)


def masked_url(url: str) -> str:
    """Hide user information, query and fragment of what looks like a URL; leave other text as it is."""
    if "://" not in url:
        return url
    return _QUERY.sub(f"?{MASK}", _USERINFO.sub(f"://{MASK}@", url))


def public_view(settings: Settings) -> dict[str, object]:
    """Show every setting under its full name, with JSON values; durations are seconds, secrets are masked."""
    dumped = settings.model_dump(mode="json")
    view: dict[str, object] = {}
    for name in NAMES.values():
        value: object = dumped
        for key in name.path:
            value = value[key] if isinstance(value, dict) else value
        view[name.full] = MASK if name.secret else value
    view["VIDEOGEN_BROKER__URL"] = masked_url(settings.broker.url.get_secret_value())
    view["VIDEOGEN_RETRY__TIERS"] = ",".join(tier.name for tier in settings.retry.tiers)
    return view


def secret_texts(settings: Settings) -> tuple[str, ...]:
    """List what must not appear in a log: the key, and the broker's password as written and decoded."""
    password = urlsplit(settings.broker.url.get_secret_value()).password or ""
    return tuple({settings.endpoint.api_key.get_secret_value(), password, unquote(password)} - {""})
