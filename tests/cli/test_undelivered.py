import pytest

from tests.cli.parked.messages import ParkingLot, rows
from tests.support.broker import Amqp


@pytest.fixture
async def lot(amqp: Amqp, broker_url: str, prefix: str) -> ParkingLot:
    lot = ParkingLot(amqp, broker_url, prefix)
    await lot.open()
    return lot


@pytest.fixture
async def replies(lot: ParkingLot) -> str:
    """Make a reply queue that is there again."""
    queue = await lot.amqp.channel.declare_queue(exclusive=True)
    return queue.name


async def test_the_table_names_request_task_and_the_queue_that_is_gone(lot: ParkingLot) -> None:
    await lot.add_undelivered("mine", "gone")
    status, said = await lot.run("undelivered", "list")
    row = next(line for line in said.splitlines() if "mine" in line)
    assert status == 0
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["mine", "submitted", "task-of-mine", "gone", "3h"]


async def test_a_failed_result_is_picked_by_its_code(lot: ParkingLot) -> None:
    await lot.add_undelivered("good", "gone")
    await lot.add_undelivered("bad", "gone", task_id=None, error={"code": "expired", "message": "late"})
    _, said = await lot.run("undelivered", "list", "--json", "--code", "expired")
    assert [(row["request_id"], row["message"]) for row in rows(said)] == [("bad", "late")]


async def test_a_replay_reaches_the_queue_that_is_there_again(lot: ParkingLot, replies: str) -> None:
    await lot.add_undelivered("mine", replies)
    status, said = await lot.run("undelivered", "replay", "--all")
    message = await lot.amqp.receive(replies)
    assert (status, said) == (0, "1 replayed.")
    assert b"task-of-mine" in message.body
    assert (message.type, message.headers) == ("videogen.result.v1", {})
    assert message.message_id not in (None, "result-of-mine")
    assert await lot.amqp.count(lot.topology.undelivered) == 0


async def test_a_result_whose_queue_is_still_gone_stays_and_the_others_go(lot: ParkingLot, replies: str) -> None:
    await lot.add_undelivered("lost", "gone")
    await lot.add_undelivered("found", replies)
    status, said = await lot.run("undelivered", "replay", "--all")
    assert status == 1
    assert said.startswith("1 replayed.\n1 left where they are. There is no such queue")
    assert said.endswith("lost")
    assert b"found" in (await lot.amqp.receive(replies)).body
    assert await lot.ids(lot.topology.undelivered, 1) == ["result-of-lost"]


async def test_another_queue_can_be_named(lot: ParkingLot) -> None:
    await lot.add_undelivered("mine", "amq.rabbitmq.reply-to.g1h2AA")
    status, said = await lot.run("undelivered", "replay", "--all")
    assert status == 1
    assert "name a queue with --to" in said
    status, said = await lot.run("undelivered", "replay", "--all", "--to", lot.topology.results)
    assert (status, said) == (0, "1 replayed.")
    assert b"task-of-mine" in (await lot.amqp.receive(lot.topology.results)).body


async def test_a_queue_that_is_not_there_is_named_before_anything_happens(lot: ParkingLot) -> None:
    await lot.add_undelivered("mine", "gone")
    status, said = await lot.run("undelivered", "replay", "--all", "--to", "nowhere")
    assert status == 1
    assert "'nowhere' does not exist" in said


async def test_a_result_without_reply_queue_goes_through_the_exchange(lot: ParkingLot) -> None:
    await lot.add_undelivered("mine", "result.submitted")
    status, _ = await lot.run("undelivered", "replay", "--all")
    assert status == 0
    assert b"task-of-mine" in (await lot.amqp.receive(lot.topology.results)).body


async def test_discarding_asks_with_the_number_of_paid_tasks(lot: ParkingLot) -> None:
    await lot.add_undelivered("mine", "gone")
    status, said = await lot.run("undelivered", "discard", "--all")
    assert status == 1
    assert "1 submitted. 1 of them name a task that was paid for." in said
    assert await lot.ids(lot.topology.undelivered, 1) == ["result-of-mine"]


async def test_show_prints_the_result(lot: ParkingLot) -> None:
    await lot.add_undelivered("mine", "gone")
    status, said = await lot.run("undelivered", "show", "mine")
    assert status == 0
    assert "  x-original-reply-to: gone" in said
    assert '"task_id": "task-of-mine"' in said
