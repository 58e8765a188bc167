"""Composes what follows tasks to their end, for a worker that is asked to."""

from service.adapters.api_key import KeySource
from service.adapters.call_cap import LeakyCap
from service.adapters.system import uniform
from service.adapters.task_query import HttpxTaskQuery
from service.core.drain import Drain
from service.core.gate import Gate
from service.core.ports import Clock, Observer, PendingTasks, Publisher
from service.core.tracking import Tracker, TrackingPorts
from service.policies import tracking_policy_of
from service.settings import Settings


async def follow_tasks(
    settings: Settings,
    key: KeySource,
    tasks: PendingTasks,
    publisher: Publisher,
    *,
    gate: Gate,
    drain: Drain,
    clock: Clock,
    observer: Observer,
) -> None:
    """Follow tasks until the drain begins, over connections and under a cap of their own."""
    async with HttpxTaskQuery(settings.endpoint, clock, key) as query:
        cap = LeakyCap(settings.tracking.max_rps)
        ports = TrackingPorts(tasks, query, publisher, cap, clock, observer, uniform)
        await Tracker(ports, tracking_policy_of(settings), settings.topology, gate, drain).run()
