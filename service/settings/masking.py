"""Hides what settings hold of secrets."""

import os
import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from service.settings.groups import Settings

MASK = "***"

# Greedy up to the last "@", because a password may hold "@" or "/" that nobody encoded.
_USERINFO = re.compile(r"://.*@", re.DOTALL)
_QUERY = re.compile(r"[?#].*", re.DOTALL)
_COLLECTOR = ("OTEL_EXPORTER_OTLP", "OTEL_EXPORTER_OTLP_TRACES")


def masked_url(url: str) -> str:
    """Hide user information, query and fragment of what looks like a URL; leave other text as it is."""
    if "://" not in url:
        return url
    return _QUERY.sub(f"?{MASK}", _USERINFO.sub(f"://{MASK}@", url))


def secret_texts(settings: Settings) -> tuple[str, ...]:
    """List what must not appear in a log: the key, and the passwords of all URLs, proxies of the environment included.

    A password is there as it was written, decoded, and as a login over HTTP carries it. What may hold the key of a
    collector of traces is secret too: its headers, as they were written and decoded, and the query of its address.
    """
    given = (settings.broker.url, settings.broker.management_url, settings.ledger.url)
    urls = [url.get_secret_value() for url in given if url is not None]
    # Nobody has to write the scheme of a proxy.
    urls += [url if "://" in url else f"http://{url}" for url in getproxies().values()]
    passwords = {text for url in urls for text in _forms(url)}
    return tuple({settings.endpoint.api_key.get_secret_value(), *passwords, *_collector_secrets()})


def _collector_secrets() -> Iterator[str]:
    for prefix in _COLLECTOR:
        for header in os.environ.get(f"{prefix}_HEADERS", "").split(","):
            value = header.partition("=")[2].strip()
            if value:
                decoded = unquote(value)
                # A credential may be quoted without its scheme: "Bearer".
                yield from (value, decoded, decoded.rpartition(" ")[2])
        url = os.environ.get(f"{prefix}_ENDPOINT", "")
        yield from _forms(url)
        # The exporter quotes it where it cannot connect.
        if query := url.partition("?")[2]:
            yield query


def _forms(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        # A proxy that cannot be read is refused at the start, without a word of its address.
        return
    if parts.password:
        decoded = unquote(parts.password)
        yield from (parts.password, decoded)
        yield b64encode(f"{unquote(parts.username or '')}:{decoded}".encode()).decode()
