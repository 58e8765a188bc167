"""A link to the tests' broker, run for as long as a test needs it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from service.adapters.rabbitmq.connect import LinkOptions
from service.adapters.rabbitmq.link import Link, Session
from service.core.facts import LinkRole
from service.core.ports import Observer
from tests.support.fakes import RecordingObserver
from tests.support.tcp_proxy import TcpProxy


async def no_set_up(_: Session) -> None:
    """Leave a session as it is."""


def options_for(url: str, heartbeat: int = 10) -> LinkOptions:
    """Name a broker, with waits that suit a test."""
    return LinkOptions(SecretStr(url), heartbeat=heartbeat, connect_timeout=5.0, reconnect_cap=0.2)


def link_to(
    url: str,
    observer: Observer | None = None,
    set_up: Callable[[Session], Awaitable[None]] = no_set_up,
    *,
    heartbeat: int = 10,
    role: LinkRole = LinkRole.PUBLISH,
) -> Link:
    """Make a link that comes back fast."""
    return Link(role, options_for(url, heartbeat), set_up, observer or RecordingObserver(), lambda: 0.0)


@asynccontextmanager
async def running(link: Link) -> AsyncIterator[Link]:
    """Keep a link up."""
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def with_address(url: str, *, port: int | None = None, login: str | None = None) -> str:
    """Change the port or `user:password` of a broker URL, on loopback."""
    parts = urlsplit(url)
    old_login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login or old_login}@127.0.0.1:{port or parts.port}"))


def proxy_to(url: str) -> TcpProxy:
    """Make a proxy in front of a broker."""
    return TcpProxy("127.0.0.1", urlsplit(url).port or 5672)
