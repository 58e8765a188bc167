"""Hides what settings hold of secrets."""

import re
from urllib.parse import unquote, urlsplit

from service.settings.groups import Settings

MASK = "***"

# Greedy up to the last "@", because a password may hold "@" or "/" that nobody encoded.
_USERINFO = re.compile(r"://.*@", re.DOTALL)
_QUERY = re.compile(r"[?#].*", re.DOTALL)


def masked_url(url: str) -> str:
    """Hide user information, query and fragment of what looks like a URL; leave other text as it is."""
    if "://" not in url:
        return url
    return _QUERY.sub(f"?{MASK}", _USERINFO.sub(f"://{MASK}@", url))


def secret_texts(settings: Settings) -> tuple[str, ...]:
    """List what must not appear in a log: the key, and the broker's password as written and decoded."""
    password = urlsplit(settings.broker.url.get_secret_value()).password or ""
    return tuple({settings.endpoint.api_key.get_secret_value(), password, unquote(password)} - {""})
