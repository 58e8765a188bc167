"""Carries a settlement out: reply confirmed, dead copy confirmed, then the message is acked."""

from collections import deque
from collections.abc import Callable

from service.core.delivery import Identity
from service.core.history import History, history_of, replay_of
from service.core.memory import Address, Answered
from service.core.outcome import Outcome
from service.core.outgoing import Outgoing, PublishVerdict
from service.core.ports import Clock, Incoming, Publisher
from service.core.replies import dead_message, defect_message, moved_message, reply_message, undelivered_message
from service.core.result import FailedResult, Result
from service.core.settlement import HandBack, MoveThenAck, ReplyDeadLetterThenAck, ReplyThenAck
from service.core.topology import DELIVERY_LIMIT, RetryTier, Topology
from service.core.value_class import value_class

_OFTEN = DELIVERY_LIMIT // 2
"""From this many deliveries on, a message is not handed back but published anew: the broker counts the one alone."""


@value_class
class Copy:
    """One delivery of a request, under the ids that its own message carries."""

    incoming: Incoming
    identity: Identity

    @property
    def address(self) -> Address:
        """Whom the reply to this copy is for."""
        return (self.incoming.delivery.reply_to, self.identity.correlation_id)

    @property
    def replay(self) -> str | None:
        """The forced replay that it is."""
        return replay_of(self.incoming.delivery)


class Settler:
    """Settles every copy of a request. The order is the guarantee: no ack before the next home is confirmed."""

    def __init__(self, publisher: Publisher, topology: Topology, clock: Clock, new_id: Callable[[], str]) -> None:
        self._publisher = publisher
        self._topology = topology
        self._clock = clock
        self._new_id = new_id

    async def settle(self, answered: Answered, copies: deque[Copy]) -> bool:
        """Settle all `copies`, also those that are appended meanwhile; note in `answered` who was told.

        Returns:
            Whether a result had to be parked because its reply queue is gone or refuses it.
        """
        match answered.settlement:
            case HandBack():
                await self._hand_back(copies)
                return False
            case MoveThenAck():
                await self._move(answered.settlement, answered, copies)
                return False
            case ReplyThenAck(result=result) | ReplyDeadLetterThenAck(result=result):
                return await self._reply_and_ack(result, answered, copies)

    async def rescue(self, outcome: Outcome, copies: deque[Copy]) -> None:
        """Dead-letter a request whose settlement failed on a defect, then ack it.

        Left unacked, it would be delivered, and called, again.
        """
        copy = copies[0]
        await self._publisher.keep(
            defect_message(outcome, copy.incoming.delivery, copy.identity, self._topology, self._clock.now())
        )
        while copies:
            await copies[0].incoming.ack()
            copies.popleft()

    async def _reply_and_ack(self, result: Result, answered: Answered, copies: deque[Copy]) -> bool:
        parked = False
        while copies:
            copy = copies[0]
            # A redelivered copy has the address of the first and needs no reply of its own; a duplicate that
            # another producer published has another address, and its producer waits too.
            if copy.address not in answered.told:
                parked |= await self._reply(result, copy)
                answered.told.add(copy.address)
            if isinstance(result, FailedResult) and not answered.dead_lettered:
                await self._dead_letter(result, copy)
                answered.dead_lettered = True
            await copy.incoming.ack()
            copies.popleft()
        return parked

    async def _dead_letter(self, result: FailedResult, copy: Copy) -> None:
        now = self._clock.now()
        await self._publisher.keep(dead_message(result, copy.incoming.delivery, copy.identity, self._topology, now))

    async def _reply(self, result: Result, copy: Copy) -> bool:
        message = reply_message(result, copy.incoming.delivery, copy.identity, self._topology, self._clock.now())
        if await self._publisher.publish(message) is PublishVerdict.CONFIRMED:
            return False
        await self._publisher.keep(undelivered_message(message, self._topology))
        return True

    async def _move(self, settlement: MoveThenAck, answered: Answered, copies: deque[Copy]) -> None:
        while copies:
            copy = copies[0]
            # Copies with one address want one answer; one of them comes back for all.
            if copy.address in answered.told:
                await copy.incoming.ack()
            elif await self._move_one(copy, settlement.tier, settlement.history):
                answered.told.add(copy.address)
            copies.popleft()

    async def _move_one(self, copy: Copy, tier: RetryTier | None, history: History, *, patient: bool = True) -> bool:
        """Publish a copy anew and ack it; tell whether a queue took it.

        One that no queue takes goes back by itself, which needs no room. A `patient` move waits for room instead
        before the broker would give up on the message.
        """

        def moved(home: RetryTier | None) -> Outgoing:
            now, move = self._clock.now(), self._new_id()
            return moved_message(copy.incoming.delivery, copy.identity, home, history, self._topology, now, move)

        for home in dict.fromkeys((tier, None)):
            if await self._publisher.try_keep(moved(home)):
                await copy.incoming.ack()
                return True
        if not patient or copy.incoming.delivery.delivery_count < _OFTEN:
            await copy.incoming.hand_back()
            return False
        await self._publisher.keep(moved(None))
        await copy.incoming.ack()
        return True

    async def _hand_back(self, copies: deque[Copy]) -> None:
        while copies:
            copy = copies[0]
            if copy.incoming.delivery.delivery_count < _OFTEN:
                await copy.incoming.hand_back()
            else:
                history = history_of(copy.incoming.delivery, self._clock.now())
                await self._move_one(copy, None, history, patient=False)
            copies.popleft()
