"""The endpoint fails in every way that it can: each request ends as it must, and none is called once too often."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from service.simulator.mishaps import FAULTS
from tests.chaos.harness.scene import open_scene
from tests.chaos.harness.traffic import Request, request, requests
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.verdict import Doubt, Verdict
from tests.chaos.harness.waiting import until
from tests.chaos.harness.worker import WorkerProcess

pytestmark = pytest.mark.timeout(1800)

SCRIPTED: Mapping[str, tuple[str, str]] = {
    "refused": ("[sim: 400]", "rejected"),
    "inspected": ("[sim: 500 code=DataInspectionFailed]", "rejected"),
    "throttled": ("[sim: 429]", "rate_limited"),
    "broken": ("[sim: 503]", "unavailable"),
    "cut": ("[sim: accept-then-502]", "uncertain"),
}
"""Requests that end in one way whatever the random faults are: the prompt's directive and the error code."""

# A limit is kept to by all calls together, so a 429 says little of single requests. What tests/core has of it is not
# repeated here; a few show that the wait is heeded. As each long wait sends back all that are in flight, their number
# is not left to chance: how many deliveries may be interrupted depends on it. They are published last: with a long
# queue behind them, they would meet RETRY__MAX_AGE in it.
THROTTLED = {"429": 0.01}
HELD: Mapping[str, int] = {"[sim: 429 retry-after=1 then 200]": 700, "[sim: 429 retry-after=6 then 200]": 2_000}
"""Directives that name a wait, and among how many requests there is one of each."""
OTHERS = [fault for fault in FAULTS if not fault.startswith("429")]

UNCALLED = frozenset({"invalid_request", "malformed_message", "expired"})


async def test_every_request_ends_as_the_record_of_its_calls_demands(trial: Trial, broker_url: str) -> None:
    count = trial.size.of(2_000, 20_000)
    held = held_requests(count)
    expected, special = special_requests(count)
    expected |= {each.name: "submitted" for each in held}
    share = trial.random.uniform(0.2, 0.4)
    rates = dict.fromkeys(OTHERS, share / len(OTHERS)) | THROTTLED
    async with open_scene(trial, broker_url, "sqlite", latency=0.02, latency_spread=0.1, error_rates=rates) as scene:
        worker = await scene.worker(
            f"sqlite:///{trial.folder}/ledger.db",
            VIDEOGEN_WORKER__CONCURRENCY="64",
            VIDEOGEN_RETRY__MAX_AGE="20s",
            VIDEOGEN_RETRY__TIERS="1s,2s,4s",
        )
        everything = [*special, *requests(count - len(special) - len(held))]
        trial.random.shuffle(everything)
        again = [each for each in everything if each.name.startswith("twice")]
        await scene.traffic.publish([*everything, *again, *held])
        assert await scene.traffic.all_answered(silence=150)
        await until(lambda: all_is_settled(worker), "every delivery has its outcome")
        outcomes = await settled(worker)

        verdict = await scene.conclude(f"{share:.0%} of all calls")
    assert {name: verdict.failed.get(name, "submitted") for name in expected} == expected
    assert_the_record_agrees(verdict)
    assert_the_metrics_agree(outcomes, verdict, duplicates=len(again))


def held_requests(count: int) -> list[Request]:
    """Make the requests that are told to wait, for a run of `count`: after their wait each is submitted."""
    return [
        request(f"held-{among}-{number}", f"a cat {directive}")
        for directive, among in HELD.items()
        for number in range(count // among)
    ]


def special_requests(count: int) -> tuple[dict[str, str], list[Request]]:
    """Make requests of every kind whose end is certain, for a run of `count`; tell that end by request id."""
    past = {"x-deadline": "2026-01-01T00:00:00Z"}
    kinds: list[tuple[str, Request]] = []
    for number in range(count // 100):
        kinds += [
            (code, request(f"{kind}-{number}", f"a cat {directive}")) for kind, (directive, code) in SCRIPTED.items()
        ]
        kinds += [
            ("submitted", request(f"twice-{number}", "a cat [sim: 200]")),
            ("invalid_request", Request(f"invalid-{number}", json.dumps({"prompt": 5, "model": "?"}).encode())),
            ("malformed_message", Request(f"malformed-{number}", b"make me a video")),
            ("expired", replace(request(f"late-{number}"), headers=past)),
        ]
    return {each.name: end for end, each in kinds}, [each for _, each in kinds]


def assert_the_record_agrees(verdict: Verdict) -> None:
    for name, calls in verdict.calls.items():
        possible = [post for post in calls if post.could_be_accepted]
        match verdict.failed.get(name):
            case None:
                assert [post.label for post in possible] == ["accepted"], name
            case "uncertain":
                assert [post.doubtful for post in possible] == [True], name
            case _:
                assert possible == [], name
    assert set(verdict.uncertain.values()) == {Doubt.CUT}
    uncalled = {name for name, code in verdict.failed.items() if code in UNCALLED}
    assert not any(verdict.calls.get(name) for name in uncalled)


def assert_the_metrics_agree(outcomes: Mapping[str, float], verdict: Verdict, *, duplicates: int) -> None:
    ends = Counter(verdict.failed.values())
    ends["submitted"] = verdict.submitted
    ends["duplicate"] = duplicates
    # Whoever waits out a pause for as long as its budget goes to the end of the queue.
    moves = {"postponed", "interrupted"}
    assert {name: count for name, count in outcomes.items() if name not in moves and count} == dict(ends)
    assert outcomes["interrupted"] <= verdict.requests / 4


async def settled(worker: WorkerProcess) -> dict[str, float]:
    """Read how many deliveries came to which outcome."""
    names = ("submitted", "duplicate", "postponed", "interrupted", "malformed_message", "invalid_request", "expired")
    codes = ("rejected", "rate_limited", "unavailable", "blocked", "uncertain", "internal")
    series = {name: f'videogen_requests_settled_total{{outcome="{name}"}}' for name in (*names, *codes)}
    return {name: await worker.metric(each) for name, each in series.items()}


async def all_is_settled(worker: WorkerProcess) -> bool:
    received = [
        await worker.metric(f'videogen_requests_received_total{{redelivered="{f}"}}') for f in ("false", "true")
    ]
    return sum((await settled(worker)).values()) == sum(received)
