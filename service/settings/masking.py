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
    """List what must not appear in a log: the key, and the passwords of all URLs as written and decoded."""
    urls = (settings.broker.url, settings.broker.management_url, settings.ledger.url)
    passwords = {urlsplit(url.get_secret_value()).password or "" for url in urls if url is not None}
    decoded = {unquote(password) for password in passwords}
    return tuple({settings.endpoint.api_key.get_secret_value(), *passwords, *decoded} - {""})
