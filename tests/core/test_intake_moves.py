"""A message that is moved to the end of its own queue comes in again, perhaps before its move is over."""

from service.core.delivery import Delivery
from service.core.outgoing import Outgoing, PublishVerdict, Route
from service.core.placement import Placed, RunningElsewhere, Withheld
from tests.support.fakes import FakeIncoming, FakePublisher, Verdict
from tests.support.intake_scene import TOPOLOGY, WAIT, IntakeScene

OWN = Route("", TOPOLOGY.requests)


class ConsumedAtOnce(FakePublisher):
    """A broker that gives out what is moved to the queue of requests before it confirms it, some times."""

    def __init__(self, scene: IntakeScene, times: int) -> None:
        super().__init__()
        self._scene = scene
        self._times = times
        self.given_out: list[FakeIncoming] = []

    async def keep(  # type: ignore[explicit-override] # `typing.override` came with Python 3.12
        self, message: Outgoing
    ) -> None:
        await super().keep(message)
        if message.route == OWN and len(self.given_out) < self._times:
            incoming = FakeIncoming(
                Delivery(
                    message.body,
                    message_id=message.message_id,
                    reply_to=message.reply_to,
                    headers=message.headers or {},
                )
            )
            self.given_out.append(incoming)
            self._scene.intake.accept(incoming)


async def moved_while_consumed(times: int, *answers: Placed) -> tuple[FakeIncoming, ConsumedAtOnce]:
    scene = IntakeScene(*answers)
    publisher = ConsumedAtOnce(scene, times)
    publisher.refuse(WAIT, PublishVerdict.NACKED)
    scene.intake._settler._publisher = publisher
    first = scene.accept()
    await scene.finished()
    return first, publisher


async def test_a_moved_message_that_comes_in_before_the_move_is_over_is_never_acked_with_it() -> None:
    first, publisher = await moved_while_consumed(3, Withheld(attempts=1, doubt=False, last=None))

    # Each was acked for the one that it was moved to, and the last one is in the queue.
    assert [each.verdict for each in (first, *publisher.given_out)] == [Verdict.ACKED] * 4
    assert len(publisher.at(OWN)) == 4


async def test_the_same_holds_where_a_full_wait_queue_sent_it_there() -> None:
    first, publisher = await moved_while_consumed(1, RunningElsewhere(30))

    assert [each.verdict for each in (first, *publisher.given_out)] == [Verdict.ACKED] * 2
    assert len(publisher.at(OWN)) == 2
