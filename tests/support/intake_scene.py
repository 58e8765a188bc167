"""An intake over a scripted caller and a publisher in memory."""

import asyncio
import json
from datetime import timedelta
from itertools import count

from service.core.catalogue import Catalogue, Model
from service.core.delivery import Delivery
from service.core.drain import Drain
from service.core.handling import Handler, SecondTierPolicy
from service.core.intake import Intake
from service.core.outgoing import Route
from service.core.placement import Placed
from service.core.reading import RequestReader
from service.core.settling import Settler
from service.core.topology import RetryTier, Topology
from tests.support.fakes import GUARD, FakeClock, FakeIncoming, FakePublisher, RecordingObserver, ScriptedCaller

CATALOGUE = Catalogue(models=(Model(name="wan", sizes=((832, 480),), durations=(5,)),))
BODY = json.dumps({"prompt": "a cat", "model": "wan"}).encode()
TIERS = (RetryTier("10s", timedelta(seconds=10)), RetryTier("1m", timedelta(minutes=1)))
TOPOLOGY = Topology("videogen", TIERS)
ANSWERS, DEAD = Route("", "answers"), Route("", TOPOLOGY.dead)
WAIT = Route("", TOPOLOGY.retry_queue(TIERS[1]))


class IntakeScene:
    """One worker, from a delivery to its verdict."""

    def __init__(self, *answers: Placed | Exception) -> None:
        self.caller = ScriptedCaller(*answers)
        self.publisher = FakePublisher()
        self.clock = FakeClock()
        self.observer = RecordingObserver()
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
        )

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
