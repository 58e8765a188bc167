"""What a test plays on: the queues of a broker, a simulated endpoint, requests and results, and worker processes."""

import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from service.core.topology import Topology
from service.settings.value_types import parse_tiers
from tests.chaos.harness.child import spawn
from tests.chaos.harness.endpoint import EndpointProcess, arguments_for
from tests.chaos.harness.figures import Figures
from tests.chaos.harness.queues import declared, leftovers
from tests.chaos.harness.traffic import Traffic, open_traffic
from tests.chaos.harness.trial import Trial
from tests.chaos.harness.verdict import Verdict, judge
from tests.chaos.harness.waiting import until
from tests.chaos.harness.worker import TIERS, WorkerProcess
from tests.support.broker import amqp_client
from tests.support.environment import environment


@dataclass(slots=True)
class Scene:
    """One stage for one test. `broker_url` is the direct way to the broker, for the producer and the judge."""

    trial: Trial
    broker_url: str
    broker_version: str
    topology: Topology
    endpoint: EndpointProcess
    traffic: Traffic
    ledger: str
    stack: AsyncExitStack
    workers: list[WorkerProcess] = field(default_factory=list)

    async def worker(
        self, ledger_url: str, *, broker_url: str | None = None, base_url: str | None = None, **settings: str
    ) -> WorkerProcess:
        """Start a worker and wait until it consumes. It is ended with the scene.

        Other addresses than the direct ones lead through a proxy; `settings` are `VIDEOGEN_…`.
        """
        worker = self.place(ledger_url, broker_url=broker_url, base_url=base_url, **settings)
        await worker.start()
        await worker.consuming()
        return worker

    def place(
        self, ledger_url: str, *, broker_url: str | None = None, base_url: str | None = None, **settings: str
    ) -> WorkerProcess:
        """Make a place for a worker, without starting it."""
        common = environment(
            broker_url or self.broker_url, self.topology.prefix, base_url or self.endpoint.base_url, **settings
        )
        common["VIDEOGEN_LEDGER__URL"] = ledger_url
        name = f"worker-{len(self.workers) + 1}"
        worker = WorkerProcess(name, common, self.trial.folder, self.trial.children.append)
        self.stack.push_async_callback(worker.leave)
        self.workers.append(worker)
        return worker

    async def conclude(
        self,
        faults: str,
        *,
        silence: float = 60.0,
        deaths_explain: int = 0,
        outlived: Collection[str] = (),
        more: Mapping[str, float] | None = None,
    ) -> Verdict:
        """Wait for all results, stop the workers, judge, note the figures, and fail where a promise was broken.

        The promises: a result for each request, none paid twice, none uncertain without cause, every worker that runs
        drains and exits with 0, and nothing is left in the queues but one copy at least of each failed request.
        """
        await self.settled(silence)
        failures = [f"{worker.name} died by itself" for worker in self.workers if worker.died]
        statuses = {worker.name: await worker.stop() for worker in self._running}
        verdict = judge(self.traffic.asked, self.traffic.told, await self.endpoint.posts())
        left = await leftovers(self.broker_url, self.topology)
        self.trial.rows.append(self._figures(verdict, faults, more or {}))
        failures += [f"{name} ended with exit status {status}" for name, status in statuses.items() if status]
        complaints = verdict.complaints(deaths_explain=deaths_explain, outlived=outlived)
        broken = [*complaints, *left.complaints(verdict), *failures]
        assert not broken, "\n".join(broken)
        return verdict

    async def settled(self, silence: float) -> bool:
        """Wait until every request has a result and none of its copies is left; tell whether it came to that.

        It did not where no result comes for `silence` seconds, or copies outlast the last result by as much.
        """
        if not await self.traffic.all_answered(silence):
            return False
        for worker in self._running:
            await worker.consuming()
        try:
            await until(self._quiet, "every copy of a request is settled", silence)
        except AssertionError:
            # The judge names what is left, and where.
            return False
        return True

    @property
    def _running(self) -> list[WorkerProcess]:
        return [worker for worker in self.workers if worker.running]

    async def _quiet(self) -> bool:
        """Whether no queue and no worker holds a request any more."""
        return await self._none_waits() and await self._none_in_flight() and await self._none_waits()

    async def _none_waits(self) -> bool:
        async with amqp_client(self.broker_url) as amqp:
            waiting = (self.topology.requests, *(self.topology.retry_queue(tier) for tier in self.topology.tiers))
            return not any([await amqp.count(queue) for queue in waiting])

    async def _none_in_flight(self) -> bool:
        return not any([await worker.in_flight() for worker in self._running])

    def _figures(self, verdict: Verdict, faults: str, more: Mapping[str, float]) -> Figures:
        return Figures(
            test=self.trial.name,
            ledger=self.ledger,
            broker=self.broker_version,
            requests=verdict.requests,
            faults=faults,
            lost=len(verdict.lost),
            paid_twice=len({*verdict.paid_twice, *verdict.called_again}),
            repeated=verdict.repeated,
            uncertain=len(verdict.uncertain),
            seconds=round(self.trial.seconds, 1),
            seed=self.trial.seed,
            more=more,
        )


@asynccontextmanager
async def open_scene(
    trial: Trial,
    broker_url: str,
    ledger: str,
    *,
    latency: float = 0.0,
    latency_spread: float = 0.0,
    error_rates: Mapping[str, float] | None = None,
) -> AsyncIterator[Scene]:
    """Set the scene, and clear it away with every process that was started on it.

    `ledger` is the name that the table shows. Latency is in seconds; `error_rates` are those of `simulate`.
    """
    topology = Topology(f"chaos-{uuid4().hex[:12]}", parse_tiers(TIERS), tracking=True)
    replies = f"{topology.prefix}.replies"
    arguments = arguments_for(
        latency=latency,
        latency_spread=latency_spread,
        seed=trial.random.randrange(1_000_000),
        error_rates=error_rates or {},
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(declared(broker_url, topology, replies))
        traffic = await stack.enter_async_context(open_traffic(broker_url, topology.requests, replies))
        child = await spawn("endpoint", *arguments, environment={}, folder=trial.folder)
        trial.children.append(child)
        stack.push_async_callback(child.kill)
        where = json.loads(await child.says('"base_url"'))
        endpoint = await stack.enter_async_context(EndpointProcess(child, where["base_url"]))
        version = await _broker_version(broker_url)
        yield Scene(trial, broker_url, version, topology, endpoint, traffic, ledger, stack)


async def _broker_version(url: str) -> str:
    async with amqp_client(url) as amqp:
        transport = amqp.connection.transport
        properties = transport.connection.server_properties if transport is not None else {}
        return str(properties.get("version", "unknown"))
