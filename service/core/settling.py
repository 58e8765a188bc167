"""Carries a settlement out: reply confirmed, dead copy confirmed, then the message is acked."""

from collections import deque
from dataclasses import dataclass

from service.core.delivery import Identity
from service.core.outcome import Handled
from service.core.outgoing import PublishVerdict
from service.core.ports import Clock, Incoming, Publisher
from service.core.replies import dead_message, defect_message, reply_message, undelivered_message
from service.core.result import FailedResult, Result
from service.core.settlement import HandBack, ReplyDeadLetterThenAck, ReplyThenAck, Settlement
from service.core.topology import Topology


@dataclass(frozen=True, slots=True)
class Copy:
    """One delivery of a request, under the ids that its own message carries."""

    incoming: Incoming
    identity: Identity


class Settler:
    """Settles every copy of a request. The order is the guarantee: no ack before the next home is confirmed."""

    def __init__(self, publisher: Publisher, topology: Topology, clock: Clock) -> None:
        self._publisher = publisher
        self._topology = topology
        self._clock = clock

    async def settle(self, settlement: Settlement, copies: deque[Copy]) -> bool:
        """Carry `settlement` out for all `copies`, also those that are appended meanwhile, and empty the deque.

        Returns:
            Whether a result had to be parked because its reply queue is gone or refuses it.
        """
        match settlement:
            case HandBack():
                await self._hand_back(copies)
                return False
            case ReplyThenAck(result=result):
                return await self._reply_and_ack(result, copies)
            case ReplyDeadLetterThenAck(result=failed):
                return await self._reply_and_ack(failed, copies, failed=failed)

    async def rescue(self, handled: Handled, copies: deque[Copy]) -> None:
        """Dead-letter a request whose settlement failed on a defect, then ack it.

        Left unacked, it would be delivered, and called, again.
        """
        copy = copies[0]
        await self._publisher.keep(
            defect_message(handled.outcome, copy.incoming.delivery, copy.identity, self._topology, self._clock.now())
        )
        while copies:
            await copies[0].incoming.ack()
            copies.popleft()

    async def _reply_and_ack(self, result: Result, copies: deque[Copy], failed: FailedResult | None = None) -> bool:
        # A redelivered copy has the address of the first and needs no reply of its own; a duplicate that
        # another producer published has another address, and its producer waits too.
        answered: set[tuple[str | None, str]] = set()
        parked = False
        while copies:
            copy = copies[0]
            if _address(copy) not in answered:
                parked |= await self._reply(result, copy)
                answered.add(_address(copy))
            if failed is not None:
                await self._dead_letter(failed, copy)
                failed = None
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

    @staticmethod
    async def _hand_back(copies: deque[Copy]) -> None:
        while copies:
            await copies[0].incoming.hand_back()
            copies.popleft()


def _address(copy: Copy) -> tuple[str | None, str]:
    return (copy.incoming.delivery.reply_to, copy.identity.correlation_id)
