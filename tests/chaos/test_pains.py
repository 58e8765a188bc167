"""What broke services like this one, and that each of these has a test of ours, here or elsewhere."""

import re
from pathlib import Path

PAINS = {
    1: "a paid call that is repeated because its answer was lost",
    2: "work that is cut because its channel or connection closed",
    3: "a message held past the broker's consumer timeout, given out again for ever",
    4: "a consumer that the broker cancelled, while the worker looks healthy",
    5: "no consumer after a restart of the broker or a stuck link",
    6: "deliveries of a dead channel that are handed out and acked",
    7: "a shutdown that sends work in flight to the dead-letter queue",
    8: "a result that vanishes because its reply queue is gone",
    9: "two publishes with one message id that swap their confirms",
    10: "a memory alarm in which publishes and acks hang",
    11: "a cancelled call that takes its place in the connection pool along",
    12: "poison that goes round and round",
    13: "a crash loop whose message is dropped, or comes for ever",
    14: "an autoscaler that kills busy workers",
    15: "probes that lie, or restart every worker for a fault of the broker",
    16: "a prefetch that is unlimited, or reset by a reconnect",
    17: "a Retry-After that is ignored, stale or unreadable",
    18: "a queue with other arguments, and a reconnect loop over it",
    19: "a blocked event loop that misses heartbeats",
    20: "leaks over reconnects; a broker that is away at the start",
    21: "a kept connection that the server closes as the call goes out",
    22: "a transport whose errors say that nothing was sent when it was",
}

TESTS = Path(__file__).parents[1]
# A mark, further decorators, and the test. Looked ahead, so that each of several marks on one test is found.
MARKED = re.compile(
    r"(?=^@pytest\.mark\.pain\((?P<row>\d+)\)\n(?:[@) \t].*\n)*(?:async )?def test_)",
    re.MULTILINE,
)


def test_each_pain_has_a_test_that_is_marked_with_its_row() -> None:
    marked = {row for file in TESTS.rglob("test_*.py") for row in rows_marked_in(file.read_text())}

    assert marked == PAINS.keys()


def test_a_mark_that_no_test_follows_does_not_count() -> None:
    test, other = "def test_it() -> None:", "def helper() -> None:"

    assert rows_marked_in(f"@pytest.mark.pain(1)\n@other(\n    2\n)\nasync {test}") == {1}
    assert rows_marked_in(f"@pytest.mark.pain(1)\n@pytest.mark.pain(2)\n{test}") == {1, 2}
    assert rows_marked_in(f"@pytest.mark.pain(1)\n{other}\n    pass\n\n\n{test}") == set()


def rows_marked_in(source: str) -> set[int]:
    """Read the rows from the decorators of tests, without running anything.

    Not with `ast`: CPython 3.11 now and then fails to build a tree in a long-lived process (its issue 106905).
    """
    return {int(match["row"]) for match in MARKED.finditer(source)}
