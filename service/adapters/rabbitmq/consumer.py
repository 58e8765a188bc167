"""The flow of deliveries: started on every new session, paused, resumed, stopped for good.

Works on aiormq's deliveries, one floor below aio-pika's `IncomingMessage`: that floor starts a second task and makes a
second object for each message, and all we need is a plain copy.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from aiormq import spec
from aiormq.abc import AbstractChannel, DeliveredMessage

from service.adapters.rabbitmq.asking import ask
from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.adapters.rabbitmq.incoming import RabbitIncoming
from service.adapters.rabbitmq.link import Session
from service.adapters.rabbitmq.settlements import Settlements
from service.core.facts import ConsumerActive
from service.core.ports import Incoming, Observer

_ANSWER_WITHIN = 10.0


@dataclass(frozen=True, slots=True)
class Flow:
    """What is known on our side of one session: the consumer that the broker confirmed, and its deliveries so far.

    `tag` names the consumer, None while there is none.
    """

    tag: str | None
    delivered: int
    unsettled: int


@dataclass(eq=False, slots=True)
class _Life:
    """The consumer's share of one session."""

    session: Session
    channel: AbstractChannel
    settlements: Settlements
    tag: str | None = None
    delivered: int = 0
    unsettled: int = 0


class RabbitConsumer:
    """Consumes one queue over one link and hands every delivery to `accept`. Keeps port `Consumption`.

    `accept` must return at once: the library runs it in a task that it cancels when the channel closes. `within` is
    how long, in seconds, the broker may take to answer; then the session ends, and whatever flowed with it.
    """

    def __init__(
        self,
        queue: str,
        prefetch: int,
        accept: Callable[[Incoming], None],
        observer: Observer,
        within: float = _ANSWER_WITHIN,
    ) -> None:
        self.queue = queue
        self.prefetch = prefetch
        self._accept = accept
        self._observer = observer
        self._within = within
        self._paused = False
        self._stopped = False
        self._life: _Life | None = None
        self._aligning: asyncio.Task[None] | None = None
        self._returning: set[asyncio.Task[None]] = set()

    async def start(self, session: Session) -> None:
        """Take over a new session: consume on it, unless paused or stopped.

        Raises:
            LinkLost: the session cannot be used.
        """
        with link_errors():
            channel = await session.channel.get_underlay_channel()
        channel.on_consumer_cancel_callbacks.add(
            lambda _: session.end("the broker cancelled the consumer, its queue may have been deleted")
        )
        life = self._life = _Life(session, channel, Settlements(channel, session.ended))
        session.ended.add_done_callback(lambda _: self._end(life))
        await self._align()

    async def pause(self) -> None:
        """Let no further delivery come; see the port."""
        self._paused = True
        await self._align()

    async def resume(self) -> None:
        """Let deliveries come again; see the port. With a full prefetch in hand, not before some of it is settled."""
        self._paused = False
        await self._align()

    async def stop(self) -> None:
        """Stop consuming for good; deliveries that were on their way still reach `accept`."""
        self._stopped = True
        await self._align()

    async def take_one(self) -> Incoming | None:
        """Fetch one message; see the port. None once stopped."""
        taking = asyncio.create_task(self._take())
        try:
            # Shielded, as in `_align`.
            incoming = await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._give_back)
            raise
        if self._stopped and incoming is not None:
            await incoming.hand_back()
            return None
        return incoming

    def flow_on(self, session: Session) -> Flow:
        """Tell what is known of consumption on a session."""
        life = self._life
        if life is None or life.session is not session:
            return Flow(None, 0, 0)
        return Flow(life.tag, life.delivered, life.unsettled)

    async def _align(self) -> None:
        """Bring the session that is up to what is wanted now.

        In a task of its own, one at a time: a caller that is cancelled must not cut a request to the broker short,
        because the library then closes the channel, and all work in hand is given out again.
        """
        await asyncio.shield(self._begin_aligning())

    def _begin_aligning(self) -> "asyncio.Task[None]":
        if self._aligning is None or self._aligning.done():
            self._aligning = asyncio.create_task(self._take_steps())
        return self._aligning

    async def _take_steps(self) -> None:
        while (step := self._next_step()) is not None:
            # A session that is lost in a step has nothing left to align; the next may be there already.
            with suppress(LinkLost):
                await step

    def _life_now(self) -> _Life | None:
        life = self._life
        return None if life is None or life.session.ended.done() else life

    def _next_step(self) -> Coroutine[object, object, None] | None:
        life = self._life_now()
        if life is None:
            return None
        wanted = not self._paused and not self._stopped
        if life.tag is not None:
            return None if wanted else self._cancel(life, life.tag)
        # The broker counts a prefetch for each consumer anew, also while work of the one before is in hand.
        return self._consume(life) if wanted and life.unsettled < self.prefetch else None

    async def _consume(self, life: _Life) -> None:
        await ask(life.session, life.channel.basic_qos(prefetch_count=self.prefetch), self._within)
        receive = partial(self._receive, life)
        consuming = await ask(life.session, life.channel.basic_consume(self.queue, receive), self._within)
        life.tag = consuming.consumer_tag or ""
        self._observer.notify(ConsumerActive(active=True))

    async def _cancel(self, life: _Life, tag: str) -> None:
        await ask(life.session, life.channel.basic_cancel(tag), self._within)
        self._flows_no_more(life)

    def _end(self, life: _Life) -> None:
        self._flows_no_more(life)
        if self._life is life:
            self._life = None

    def _flows_no_more(self, life: _Life) -> None:
        if life.tag is not None:
            life.tag = None
            self._observer.notify(ConsumerActive(active=False))

    async def _receive(self, life: _Life, message: DeliveredMessage) -> None:
        # The broker gives out again what an ended session had not settled; taken in here too, it would be work done
        # twice, and its ack could not arrive.
        if not life.session.ended.done():
            self._accept(self._incoming(life, message))

    def _incoming(self, life: _Life, message: DeliveredMessage) -> RabbitIncoming:
        life.delivered += 1
        life.unsettled += 1
        return RabbitIncoming(message, life.settlements, partial(self._settled, life))

    def _settled(self, life: _Life) -> None:
        life.unsettled -= 1
        if life.tag is None:
            _ = self._begin_aligning()

    async def _take(self) -> RabbitIncoming | None:
        life = self._life_now()
        if life is None or self._stopped:
            return None
        try:
            message = await ask(life.session, life.channel.basic_get(self.queue), self._within)
        except LinkLost:
            return None
        if isinstance(message.delivery, spec.Basic.GetEmpty):
            return None
        return self._incoming(life, message)

    def _give_back(self, taking: "asyncio.Task[RabbitIncoming | None]") -> None:
        if not taking.cancelled() and (incoming := taking.result()) is not None:
            returning = asyncio.create_task(incoming.hand_back())
            self._returning.add(returning)
            returning.add_done_callback(self._returning.discard)
