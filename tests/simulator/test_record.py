import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from service.simulator.post import Label
from service.simulator.record import Record

AT = datetime(2026, 1, 1, tzinfo=UTC)


def _arrive(record: Record, key: str | None = None) -> int:
    return record.arrive(key=key, traceparent=None, body={"prompt": "a cat"}, at=AT)


def _answered(record: Record, key: str | None = None) -> int:
    sequence = _arrive(record, key)
    record.end(sequence, 200, Label.ACCEPTED, could_be_accepted=True)
    return sequence


def test_a_post_is_pending_until_it_ends() -> None:
    record = Record(limit=10)
    sequence = _arrive(record)
    assert (record.posts[0].status, record.posts[0].label) == (None, Label.PENDING)
    record.end(sequence, 503, Label.BROKEN, could_be_accepted=True)
    assert (record.posts[0].status, record.posts[0].label) == (503, Label.BROKEN)


def test_an_accepted_post_knows_its_task() -> None:
    record = Record(limit=10)
    record.accept(_arrive(record), "task-1")
    assert (record.posts[0].accepted, record.posts[0].task_id, record.accepted) == (True, "task-1", 1)


def test_each_post_notes_how_many_calls_were_in_flight() -> None:
    record = Record(limit=10)
    for sequence in (_arrive(record), _arrive(record)):
        record.end(sequence, 200, Label.ACCEPTED, could_be_accepted=True)
    _arrive(record)
    assert [post.in_flight for post in record.posts] == [1, 2, 1]
    assert [post.peak for post in record.posts] == [1, 2, 2]
    assert (record.in_flight, record.peak) == (1, 2)


def test_posts_of_one_request_are_found_by_their_key() -> None:
    record = Record(limit=10)
    sequences = [_answered(record, key) for key in ("a", "b", None, "a")]
    assert [post.sequence for post in record.posts_for("a")] == [sequences[0], sequences[3]]
    assert record.posts_for("c") == ()


def test_beyond_the_limit_the_oldest_is_forgotten_but_counted() -> None:
    record = Record(limit=2)
    sequences = [_answered(record, key) for key in ("a", "b", "a")]
    assert [post.sequence for post in record.posts] == sequences[1:]
    assert [post.sequence for post in record.posts_for("a")] == sequences[2:]
    assert (record.count, record.summary()["forgotten"]) == (3, 1)


def test_a_request_whose_posts_are_forgotten_takes_no_memory() -> None:
    record = Record(limit=1)
    for key in ("a", "b"):
        _answered(record, key)
    assert [request["idempotency_key"] for request in record.requests()] == ["b"]


def test_a_forgotten_post_still_ends() -> None:
    record = Record(limit=1)
    forgotten, _ = _arrive(record), _arrive(record)
    record.accept(forgotten, "task-1")
    record.end(forgotten, 200, Label.ACCEPTED, could_be_accepted=True)
    assert (record.in_flight, record.accepted, record.summary()["statuses"]) == (1, 1, {"200": 1})


def test_the_summary_counts() -> None:
    record = Record(limit=10)
    for key in ("a", "a", "b"):
        sequence = _arrive(record, key)
        record.accept(sequence, f"task-{sequence}")
        status, label = (None, Label.CUT) if key == "a" else (200, Label.ACCEPTED)
        record.end(sequence, status, label, could_be_accepted=True)
    _arrive(record)
    assert record.summary() == {
        "posts": 4,
        "accepted": 3,
        "in_flight": 1,
        "peak_in_flight": 1,
        "labels": {
            "pending": 1,
            "accepted": 1,
            "throttled": 0,
            "refused": 0,
            "broken": 0,
            "cut": 2,
            "abandoned": 0,
        },
        "statuses": {"none": 2, "200": 1},
        "requests": {"seen": 2, "accepted": 2, "accepted_more_than_once": 1, "called_again": 1},
        "accepted_more_than_once": {"a": 2},
        "called_again": {"a": 1},
        "forgotten": 0,
    }


def test_a_summary_stays_short_however_many_requests_there_were() -> None:
    record = Record(limit=10_000)
    for number in range(2000):
        for _ in range(2):
            record.accept(_answered(record, f"request-{number}"), "task")
    summary = record.summary()
    assert summary["requests"] == {
        "seen": 2000,
        "accepted": 2000,
        "accepted_more_than_once": 2000,
        "called_again": 2000,
    }
    assert len(json.dumps(summary)) < 10_000


def test_a_request_tells_its_last_answers() -> None:
    record = Record(limit=100)
    for _ in range(30):
        record.end(_arrive(record, "a"), 429, Label.THROTTLED, could_be_accepted=False)
    told = record.request("a")
    assert (told["posts"], told["accepted"], told["called_again"]) == (30, 0, 0)
    assert told["answers"] == ["429 throttled"] * 20


def test_a_cleared_record_starts_anew_but_keeps_what_is_in_flight() -> None:
    record = Record(limit=10)
    _answered(record, "a")
    running = _arrive(record, "a")
    record.clear()
    assert (record.posts, record.posts_for("a"), record.count, record.in_flight, record.peak) == (
        (),
        (),
        0,
        1,
        1,
    )
    record.end(running, 200, Label.ACCEPTED, could_be_accepted=True)
    assert (record.in_flight, record.summary()["statuses"]) == (0, {})


def test_sequence_numbers_are_never_used_again() -> None:
    record = Record(limit=10)
    before = _arrive(record)
    record.clear()
    assert _arrive(record) > before


def _one_more(record: Record) -> None:
    _arrive(record)


def _end_first(record: Record) -> None:
    record.end(record.posts[0].sequence, 200, Label.ACCEPTED, could_be_accepted=True)


@pytest.mark.parametrize(
    ("wait", "step"),
    [
        (lambda record: record.wait_for(2), _one_more),
        (lambda record: record.wait_in_flight(2), _one_more),
        (lambda record: record.wait_idle(), _end_first),
        (lambda record: record.wait_until(lambda now: now.count == 2), _one_more),
    ],
)
async def test_a_wait_ends_when_its_moment_comes(
    wait: Callable[[Record], Coroutine[Any, Any, None]], step: Callable[[Record], None]
) -> None:
    record = Record(limit=10)
    _arrive(record)
    waiting = asyncio.create_task(wait(record))
    await asyncio.sleep(0)
    assert not waiting.done()
    step(record)
    await waiting


async def test_a_wait_for_what_is_already_there_ends_at_once() -> None:
    record = Record(limit=10)
    _arrive(record)
    await record.wait_for(1)
    await record.wait_in_flight(1)


async def test_a_moment_that_has_passed_again_is_not_missed() -> None:
    record = Record(limit=10)
    waiting = asyncio.create_task(record.wait_in_flight(2))
    await asyncio.sleep(0)
    for sequence in (_arrive(record), _arrive(record)):
        record.end(sequence, 200, Label.ACCEPTED, could_be_accepted=True)
    assert record.in_flight == 0
    await waiting


async def test_a_wait_that_was_given_up_is_forgotten() -> None:
    record = Record(limit=10)
    waiting = asyncio.create_task(record.wait_for(1))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert record._waits == []
