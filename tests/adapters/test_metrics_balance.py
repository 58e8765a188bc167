"""What goes into the worker comes out of its counters, whatever goes wrong on the way."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from service.adapters.metrics import MetricsObserver
from service.core.call import Answer, RefusedForGood, Uncertain, UncertainReason
from service.core.facts import Fact, Received
from service.core.outgoing import PublishVerdict, Route
from service.core.placement import Finished, GivenBack, Obtained, Placed, RunningElsewhere, Withheld
from tests.support.intake_scene import ANSWERS, DEAD, TIERS, TOPOLOGY, IntakeScene
from tests.support.records import record
from tests.support.virtual_time import in_virtual_time

Step = Callable[[IntakeScene], object]

OTHERS, REQUESTS, WAIT = Route("", "others"), Route("", TOPOLOGY.requests), Route("", TOPOLOGY.retry_queue(TIERS[0]))
ROUTES = st.sampled_from([ANSWERS, OTHERS, DEAD, REQUESTS, WAIT])
DEFECT = ZeroDivisionError("a defect")

ARRIVALS: st.SearchStrategy[Step] = st.builds(
    lambda name, address, replay, body, redelivered: (
        lambda scene: scene.accept(name, reply_to=address, replay=replay, body=body, redelivered=redelivered)
    ),
    st.sampled_from(["r-1", "r-1", "r-2", None]),
    st.sampled_from(["answers", "others"]),
    st.sampled_from([None, None, "copy-1"]),
    st.sampled_from([b'{"prompt": "a cat", "model": "wan"}', b"no json"]),
    st.booleans(),
)
PUBLISHES: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        lambda route, answer: lambda scene: scene.publisher.refuse(route, answer),
        ROUTES,
        st.sampled_from([*PublishVerdict, DEFECT]),
    ),
    st.builds(lambda route: lambda scene: scene.publisher.go_away(route), ROUTES),
    st.just(lambda scene: scene.publisher.come_back()),
)
OTHER: st.SearchStrategy[Step] = st.sampled_from(
    [lambda scene: scene.caller.hold(), lambda scene: scene.caller.release(), lambda scene: scene.drain.begin()]
)
NOTHING: st.SearchStrategy[Step] = st.just(lambda _: None)
ROUNDS = st.sampled_from([0, 1, 3, 20])
# Each message is followed by a disturbance.
STEPS = st.lists(st.tuples(ARRIVALS, ROUNDS, st.one_of(NOTHING, OTHER, PUBLISHES), ROUNDS), min_size=1, max_size=8)
PLACED = st.lists(
    st.sampled_from(
        [
            Obtained(record("t-1")),
            Finished(RefusedForGood(Answer(400)), 1),
            Finished(Uncertain(UncertainReason.TIMEOUT, Answer()), 1),
            GivenBack(1),
            Withheld(0, doubt=False, last=None),
            RunningElsewhere(5.0),
            DEFECT,
        ]
    ),
    max_size=6,
)


async def _rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)  # one round of the event loop, no time


@dataclass(frozen=True)
class Life:
    """One life of a worker: what is out of order from the start, what comes, and how it ends."""

    answers: list[Placed | Exception]
    broken: set[Route]
    away: set[Route]
    hangs: bool
    steps: list[tuple[Step, int, Step, int]]
    abandons: bool


LIVES = st.builds(
    Life, PLACED, st.sets(ROUTES, max_size=3), st.sets(ROUTES, max_size=3), st.booleans(), STEPS, st.booleans()
)


async def _live(life: Life) -> list[Fact]:
    """Tell what the worker reported."""
    scene = IntakeScene(*life.answers)
    for route in life.broken:
        scene.publisher.refuse(route, DEFECT)
    scene.publisher.go_away(*life.away or {Route("", "nowhere")})
    if life.hangs:
        scene.caller.hold()
    for arrival, rounds_between, disturbance, rounds_after in life.steps:
        arrival(scene)
        await _rounds(rounds_between)
        disturbance(scene)
        await _rounds(rounds_after)
    if life.abandons:
        await scene.intake.abandon()
    else:
        scene.caller.release()
        scene.publisher.come_back()
        await scene.finished()
    return scene.observer.facts


@settings(max_examples=250, deadline=None)
@given(life=LIVES)
def test_every_message_that_arrived_is_settled_once_and_none_before_it_arrived(life: Life) -> None:
    registry = CollectorRegistry()
    metrics = MetricsObserver(registry, concurrency_limit=1, tiers=[tier.name for tier in TIERS])
    in_flight: list[float] = []
    facts = in_virtual_time(lambda: _live(life))
    for fact in facts:
        metrics.notify(fact)
        in_flight.append(registry.get_sample_value("videogen_requests_in_flight") or 0.0)

    settled = sum(
        sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "videogen_requests_settled_total"
    )
    assert min(in_flight, default=0.0) >= 0
    assert settled == sum(isinstance(fact, Received) for fact in facts)
    assert in_flight[-1:] in ([], [0.0])
