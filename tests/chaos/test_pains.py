"""What broke services like this one, and that each of these has a test of ours, here or elsewhere."""

import ast
from collections.abc import Iterator
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


def test_each_pain_has_a_test_that_is_marked_with_its_row() -> None:
    marked = {row for file in TESTS.rglob("test_*.py") for row in rows_marked_in(file)}

    assert marked == PAINS.keys()


def rows_marked_in(file: Path) -> Iterator[int]:
    """Read the rows from the decorators of tests, without running anything."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for decorator in node.decorator_list:
                match decorator:
                    case ast.Call(func=ast.Attribute(attr="pain"), args=[ast.Constant(value=int(row))]):
                        yield row
                    case _:
                        pass
