import asyncio
import signal
from datetime import timedelta

import aio_pika
import pytest

from tests.cli.parked.messages import BODY, ParkingLot, rows
from tests.support.broker import Amqp


@pytest.fixture
async def lot(amqp: Amqp, broker_url: str, prefix: str) -> ParkingLot:
    lot = ParkingLot(amqp, broker_url, prefix)
    await lot.open()
    return lot


async def test_the_table_names_request_code_age_attempts_and_error_but_no_prompt(lot: ParkingLot) -> None:
    await lot.add_dead("mine", "uncertain", age=timedelta(hours=3))
    status, said = await lot.run("dead", "list")
    row = next(line for line in said.splitlines() if "mine" in line)
    assert status == 0
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        *("mine", "uncertain", "3h", "2", "the endpoint said no"),
    ]
    assert "cat" not in said


async def test_below_the_table_stand_the_numbers_by_code(lot: ParkingLot) -> None:
    for code in ("rejected", "uncertain", "rejected"):
        await lot.add_dead("mine", code)
    _, said = await lot.run("dead", "list", "--limit", "1")
    assert f"3 in the queue '{lot.topology.dead}': 2 rejected, 1 uncertain." in said
    assert "The first 1 are shown" in said
    assert said.count("│ mine") == 1


async def test_listing_leaves_everything_where_it_was_and_in_order(lot: ParkingLot) -> None:
    names = [f"r{number}" for number in range(5)]
    for name in names:
        await lot.add_dead(name)
    await lot.run("dead", "list")
    assert await lot.ids(lot.topology.dead, 5) == names


async def test_what_a_long_replay_passed_over_stays_in_order(lot: ParkingLot) -> None:
    for number in range(100):
        await lot.add_dead(f"r{number}", "rejected" if number % 2 else "expired")
    await lot.run("dead", "replay", "--code", "expired", "--rate", "1000")
    assert await lot.ids(lot.topology.dead, 50) == [f"r{number}" for number in range(1, 100, 2)]


async def test_one_command_finds_in_order_what_the_one_before_it_gave_back(lot: ParkingLot) -> None:
    for number in range(100):
        await lot.add_dead(f"r{number}")
    await lot.run("dead", "list")
    _, said = await lot.run("dead", "list", "--json")
    assert [row["request_id"] for row in rows(said)] == [f"r{number}" for number in range(100)]


async def test_json_is_one_object_a_line_without_a_prompt(lot: ParkingLot) -> None:
    await lot.add_dead("mine", "uncertain", age=timedelta(hours=1), task_id="task-1")
    status, said = await lot.run("dead", "list", "--json")
    (row,) = rows(said)
    assert status == 0
    assert "cat" not in said
    assert (row["request_id"], row["code"], row["attempts"], row["task_id"]) == ("mine", "uncertain", 2, "task-1")
    assert row["age_seconds"] in range(3600, 3700)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--code", "uncertain"), {"old"}),
        (("--code", "uncertain", "--code", "rejected"), {"old", "new"}),
        (("--older-than", "1h"), {"old"}),
        (("--newer-than", "1h"), {"new"}),
        (("--request-id", "new"), {"new"}),
        (("--limit", "1"), {"old"}),
    ],
)
async def test_filters_pick(options: tuple[str, ...], found: set[str], lot: ParkingLot) -> None:
    await lot.add_dead("old", "uncertain", age=timedelta(hours=2))
    await lot.add_dead("new", "rejected")
    _, said = await lot.run("dead", "list", "--json", *options)
    assert {row["request_id"] for row in rows(said)} == found


async def test_what_other_people_wrote_cannot_act_on_the_terminal(lot: ParkingLot) -> None:
    await lot.add_dead("[bold]m\u202ee", error_message="[/x] \x1b[2J\r gone")
    _, table = await lot.run("dead", "list")
    _, full = await lot.run("dead", "show", "[bold]m\u202ee")
    for said in (table, full):
        assert "[bold]m\\u202ee" in said
        assert "[/x] \\x1b[2J\\r gone" in said


async def test_show_prints_properties_headers_and_a_readable_body(lot: ParkingLot) -> None:
    await lot.add_dead("other")
    await lot.add_dead("mine")
    status, said = await lot.run("dead", "show", "mine")
    assert status == 0
    assert "  correlation_id: theirs" in said
    assert "  x-error-message: the endpoint said no" in said
    assert '    "prompt": "a secret cat",' in said
    assert "other" not in said


@pytest.mark.parametrize("command", [("list",), ("show", "nobody"), ("replay", "--all"), ("discard", "--all", "--yes")])
async def test_nothing_that_matches_is_said_with_status_1(command: tuple[str, ...], lot: ParkingLot) -> None:
    status, said = await lot.run("dead", *command)
    assert (status, said) == (1, f"Nothing in the queue '{lot.topology.dead}' matches.")


async def test_a_replay_restores_the_request(lot: ParkingLot) -> None:
    await lot.add_dead("mine")
    status, said = await lot.run("dead", "replay", "--request-id", "mine")
    message = await lot.amqp.receive(lot.topology.requests)
    assert (status, said) == (0, "1 replayed.")
    assert (message.message_id, message.correlation_id, message.reply_to) == ("mine", "theirs", "replies")
    assert (message.content_type, message.body, message.delivery_mode) == ("application/json", BODY, 2)
    assert {name for name in message.headers if name != "x-delivery-count"} == {"tenant", "x-replayed-at"}
    assert await lot.amqp.count(lot.topology.dead) == 0


async def test_what_the_broker_moved_is_listed_by_its_reason_and_replayed_with_its_own_properties(
    lot: ParkingLot,
) -> None:
    await lot.amqp.publish(
        lot.topology.requests,
        aio_pika.Message(
            BODY,
            message_id="mine",
            reply_to="replies",
            headers={"tenant": "shop"},
            expiration=timedelta(milliseconds=1),
        ),
    )
    await lot.ready(lot.topology.dead)
    _, said = await lot.run("dead", "list", "--json")
    assert [(row["request_id"], row["code"], row["by_broker"]) for row in rows(said)] == [
        ("mine", "expired_in_queue", True)
    ]
    await lot.run("dead", "replay", "--code", "expired_in_queue")
    message = await lot.amqp.receive(lot.topology.requests)
    assert (message.message_id, message.reply_to) == ("mine", "replies")
    assert {name for name in message.headers if name != "x-delivery-count"} == {"tenant", "x-replayed-at"}


async def test_what_may_have_been_paid_stays_and_the_risk_is_said(lot: ParkingLot) -> None:
    await lot.add_dead("unsure", "uncertain")
    await lot.add_dead("sure")
    status, said = await lot.run("dead", "replay", "--all")
    assert status == 1
    assert "1 replayed." in said
    assert "1 left where they are. A call for it may have been paid, and a replay may be charged a second time" in said
    assert "unsure" in said
    assert await lot.ids(lot.topology.dead, 1) == ["unsure"]


async def test_force_names_the_replay(lot: ParkingLot) -> None:
    await lot.add_dead("unsure", "uncertain")
    status, _ = await lot.run("dead", "replay", "--all", "--force")
    assert status == 0
    assert (await lot.amqp.receive(lot.topology.requests)).headers["x-replay"] == "copy-of-unsure"


async def test_a_task_that_was_paid_for_stays_even_with_force(lot: ParkingLot) -> None:
    await lot.add_dead("paid", "internal", task_id="task-1")
    status, said = await lot.run("dead", "replay", "--all", "--force")
    assert status == 1
    assert "has a task id" in said
    assert await lot.ids(lot.topology.dead, 1) == ["paid"]


async def test_a_deadline_that_is_over_is_dropped_on_request(lot: ParkingLot) -> None:
    await lot.add_dead("late", "expired", deadline="2020-01-01T00:00:00Z")
    status, said = await lot.run("dead", "replay", "--all")
    assert status == 1
    assert "--drop-deadline" in said
    status, said = await lot.run("dead", "replay", "--all", "--drop-deadline")
    assert (status, said) == (0, "1 replayed.")
    assert "x-deadline" not in (await lot.amqp.receive(lot.topology.requests)).headers


async def test_a_dry_run_tells_and_changes_nothing(lot: ParkingLot) -> None:
    await lot.add_dead("sure")
    status, said = await lot.run("dead", "replay", "--all", "--dry-run")
    assert (status, said) == (0, "1 would be replayed.")
    assert await lot.amqp.count(lot.topology.requests) == 0
    assert await lot.ids(lot.topology.dead, 1) == ["sure"]


async def test_a_limit_ends_the_replay(lot: ParkingLot) -> None:
    for name in ("a", "b", "c"):
        await lot.add_dead(name)
    await lot.run("dead", "replay", "--all", "--limit", "2")
    assert await lot.ids(lot.topology.requests, 2) == ["a", "b"]
    assert await lot.ids(lot.topology.dead, 1) == ["c"]


async def test_what_was_not_meant_stays_in_order(lot: ParkingLot) -> None:
    for name, code in (("a", "rejected"), ("b", "expired"), ("c", "rejected"), ("d", "blocked")):
        await lot.add_dead(name, code)
    await lot.run("dead", "replay", "--code", "expired")
    assert await lot.ids(lot.topology.requests, 1) == ["b"]
    assert await lot.ids(lot.topology.dead, 3) == ["a", "c", "d"]


@pytest.mark.parametrize("command", ["replay", "discard"])
async def test_everything_is_never_meant_by_accident(command: str, lot: ParkingLot) -> None:
    status, said = await lot.run("dead", command, "--limit", "5")
    assert status == 2
    assert "--all for every message" in said


async def test_all_and_a_filter_contradict_each_other(lot: ParkingLot) -> None:
    status, said = await lot.run("dead", "discard", "--all", "--code", "expired")
    assert status == 2
    assert "either --all or filters" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [(("--older-than", "1x"), "no duration"), (("--rate", "0"), "above 0"), (("--rate", "nan"), "above 0")],
)
async def test_a_wrong_option_is_explained(options: tuple[str, ...], says: str, lot: ParkingLot) -> None:
    status, said = await lot.run("dead", "replay", *options)
    assert status == 2
    assert says in said


async def test_discarded_messages_are_gone_and_the_others_stay(lot: ParkingLot) -> None:
    for name, code in (("a", "rejected"), ("b", "expired"), ("c", "rejected")):
        await lot.add_dead(name, code)
    status, said = await lot.run("dead", "discard", "--code", "rejected", "--yes")
    assert (status, said) == (0, "2 discarded: 2 rejected.")
    assert await lot.ids(lot.topology.dead, 1) == ["b"]


async def test_without_an_answer_nothing_is_discarded(lot: ParkingLot) -> None:
    await lot.add_dead("mine", "internal", task_id="task-1")
    status, said = await lot.run("dead", "discard", "--all")
    assert status == 1
    assert "1 internal. 1 of them name a task that was paid for." in said
    assert await lot.ids(lot.topology.dead, 1) == ["mine"]


async def test_only_what_the_question_was_about_is_discarded(lot: ParkingLot) -> None:
    await lot.add_dead("old")
    async with lot.asked("dead", "discard", "--code", "rejected") as child:
        await lot.add_dead("new")
        said, _ = await child.communicate(b"y\n")
        assert child.returncode == 0
    assert said.decode().strip() == "1 discarded: 1 rejected."
    assert await lot.ids(lot.topology.dead, 1) == ["new"]


async def test_what_went_away_before_the_answer_is_said(lot: ParkingLot) -> None:
    for name in ("a", "b"):
        await lot.add_dead(name)
    async with lot.asked("dead", "discard", "--all") as child:
        await lot.amqp.receive(lot.topology.dead)
        said, _ = await child.communicate(b"y\n")
        assert child.returncode == 1
    assert said.decode().strip() == "1 discarded: 1 rejected."


async def test_a_queue_that_was_never_declared_is_named(amqp: Amqp, broker_url: str, prefix: str) -> None:
    status, said = await ParkingLot(amqp, broker_url, prefix).run("dead", "list")
    assert status == 1
    assert f"'{prefix}.dead' does not exist" in said


async def test_a_missing_queue_of_requests_is_named_before_anything_happens(lot: ParkingLot) -> None:
    await lot.add_dead("mine")
    await lot.amqp.channel.queue_delete(lot.topology.requests)
    status, said = await lot.run("dead", "replay", "--all")
    assert status == 1
    assert f"'{lot.topology.requests}' does not exist" in said
    assert await lot.ids(lot.topology.dead, 1) == ["mine"]


async def test_a_broker_that_is_away_is_said_without_a_traceback(amqp: Amqp) -> None:
    status, said = await ParkingLot(amqp, "amqp://127.0.0.1:9/", "x").run("dead", "list")
    assert status == 1
    assert "cannot be reached" in said


NAMES = [f"r{number}" for number in range(200)]


@pytest.fixture
async def full(lot: ParkingLot) -> ParkingLot:
    await asyncio.gather(*(lot.add_dead(name) for name in NAMES))
    return lot


@pytest.mark.parametrize("after", [1, 100])
async def test_a_replay_that_is_killed_leaves_each_request_in_one_queue_or_the_other(
    after: int, full: ParkingLot
) -> None:
    async with full.taking(full.topology.requests) as replayed:
        async with full.command("dead", "replay", "--all", "--rate", "300") as running:
            await replayed.until(lambda ids: len(ids) >= after)
            running.signal(signal.SIGKILL)
            assert await running.exits() == -signal.SIGKILL
        async with full.taking(full.topology.dead) as still_dead:
            await still_dead.until(lambda ids: {*replayed.ids, *ids} == set(NAMES))
    assert len(replayed.ids) < len(NAMES)
    # At most the one that was under way is in both.
    assert len(set(replayed.ids) & set(still_dead.ids)) <= 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_a_replay_that_is_interrupted_leaves_each_request_in_exactly_one_queue(
    number: signal.Signals, full: ParkingLot
) -> None:
    async with (
        full.taking(full.topology.requests) as replayed,
        # Slow enough that the signal comes before the end.
        full.command("dead", "replay", "--all", "--rate", "100") as running,
    ):
        await replayed.until(bool)
        running.signal(number)
        assert await running.exits() == 130
        left = [name for name in NAMES if name not in replayed.ids]
        assert await full.ids(full.topology.dead, len(left)) == left
    assert f"{len(replayed.ids)} replayed." in running.output
