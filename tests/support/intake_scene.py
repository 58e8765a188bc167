"""An intake over a scripted caller and a publisher in memory."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from itertools import count

from typing_extensions import override

from service.core.catalogue import Catalogue, Model
from service.core.delivery import Delivery, Identity
from service.core.drain import Drain
from service.core.facts import Fact
from service.core.handling import Handler, SecondTierPolicy
from service.core.intake import Intake
from service.core.outgoing import Route
from service.core.placement import Placed
from service.core.ports import Tracing
from service.core.reading import RequestReader
from service.core.settling import Settler
from service.core.topology import RetryTier, Topology
from service.core.untraced import Untraced
from tests.support.fakes import GUARD, FakeClock, FakeIncoming, FakePublisher, RecordingObserver, ScriptedCaller

CATALOGUE = Catalogue(models=(Model(name="wan", sizes=((832, 480),), durations=(5,)),))
BODY = json.dumps({"prompt": "a cat", "model": "wan"}).encode()
TIERS = (RetryTier("10s", timedelta(seconds=10)), RetryTier("1m", timedelta(minutes=1)))
TOPOLOGY = Topology("videogen", TIERS)
ANSWERS, DEAD = Route("", "answers"), Route("", TOPOLOGY.dead)
WAIT = Route("", TOPOLOGY.retry_queue(TIERS[1]))


PROCESSING: ContextVar[str | None] = ContextVar("processing", default=None)
"""The request that the task at hand works on, where tracing is recorded."""


class RecordingTracing:
    """Remembers whose processing was entered and left. Keeps port `Tracing`."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.left: list[str] = []

    @contextmanager
    def processing(self, delivery: Delivery, identity: Identity) -> Iterator[None]:
        self.entered.append(identity.request_id)
        token = PROCESSING.set(identity.request_id)
        try:
            yield
        finally:
            PROCESSING.reset(token)
            self.left.append(identity.request_id)


class _PlacedObserver(RecordingObserver):
    """Remembers as well within whose processing a fact was told."""

    def __init__(self) -> None:
        super().__init__()
        self.within: list[tuple[Fact, str | None]] = []

    @override
    def notify(self, fact: Fact) -> None:
        self.within.append((fact, PROCESSING.get()))
        super().notify(fact)


class IntakeScene:
    """One worker, from a delivery to its verdict."""

    def __init__(self, *answers: Placed | Exception, tracing: Tracing | None = None) -> None:
        self.caller = ScriptedCaller(*answers)
        self.publisher = FakePublisher()
        self.clock = FakeClock()
        self.observer = _PlacedObserver()
        self.drain = Drain()
        numbers, moves = count(1), count(1)
        self.intake = Intake(
            Handler(
                RequestReader(CATALOGUE, max_bytes=1000),
                self.caller,
                SecondTierPolicy(TIERS, max_age=timedelta(hours=1)),
                self.clock,
                self.observer,
            ),
            Settler(self.publisher, TOPOLOGY, self.clock, lambda: f"move-{next(moves)}"),
            self.drain,
            self.clock,
            self.observer,
            lambda: f"made-up-{next(numbers)}",
            tracing or Untraced(),
        )

    @property
    def told_within(self) -> list[tuple[Fact, str | None]]:
        """Every fact, with the request in whose processing it was told."""
        return self.observer.within

    def accept(
        self,
        message_id: str | None = "r",
        *,
        reply_to: str = "answers",
        redelivered: bool = False,
        replay: str | None = None,
        body: bytes = BODY,
    ) -> FakeIncoming:
        headers = {} if replay is None else {"x-replay": replay}
        incoming = FakeIncoming(
            Delivery(body, message_id=message_id, reply_to=reply_to, redelivered=redelivered, headers=headers)
        )
        self.intake.accept(incoming)
        return incoming

    async def finished(self) -> None:
        async with asyncio.timeout(GUARD):
            await self.intake.finished()
