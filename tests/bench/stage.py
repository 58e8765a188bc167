"""What all measurements share: a broker, a Redis, a folder for what processes write."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from service.private_broker import private_broker
from service.private_broker.broker import Say
from tests.support.private_redis import given_url, private_redis


@dataclass(slots=True)
class Stage:
    """`say` tells a person what goes on."""

    broker_url: str
    broker_version: str
    broker_kind: str
    folder: Path
    say: Say
    stack: AsyncExitStack
    _redis_url: str | None = field(default=None, init=False)

    def empty_redis(self) -> str:
        """Give the address of a Redis that holds nothing; it is started when it is first asked for."""
        if self._redis_url is None:
            self._redis_url = given_url() or self.stack.enter_context(private_redis(self.say)).url
        with redis.Redis.from_url(self._redis_url) as client:
            client.flushdb()
        return self._redis_url


@asynccontextmanager
async def open_stage(say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Bring up a broker, in the order that the tests use: the one that is named, Docker, a private node."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="videogen-bench-")))
        broker = await stack.enter_async_context(private_broker(say))
        yield Stage(broker.url, broker.version, broker.kind.value, folder, say, stack)
