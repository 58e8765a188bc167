"""The simulated endpoint as an HTTP server (spec section 1)."""

import asyncio
from collections.abc import Mapping
from random import Random
from types import TracebackType
from typing import Self

from aiohttp import web

from service.core.catalogue import Catalogue
from service.simulator.answer import build_answer
from service.simulator.control import Control
from service.simulator.fate import Fate
from service.simulator.hold import Gate
from service.simulator.mishaps import Mishaps
from service.simulator.options import SimulatorOptions
from service.simulator.post import Label, label_for
from service.simulator.reaction import SILENT_ENDINGS, Reaction, Shape
from service.simulator.reception import Arrival, Reception
from service.simulator.record import Record
from service.simulator.refusal import unauthorized
from service.simulator.switches import Switches
from service.simulator.tasks import Tasks
from service.simulator.timing import Timing
from service.simulator.wire import send

GENERATIONS = "/v2/videos/generations"
# Calls that are held or hang are cut when the simulator stops; nobody wants to wait for them.
_SHUTDOWN_SECONDS = 0.05


class Simulator:
    """An async context manager that listens while it is entered. It takes no signals.

    Entered again, it listens at the same port and remembers what was: between the two, connections are refused.

    Raises:
        ValueError: the options contradict themselves; from the constructor.
        OSError: the address cannot be listened on; on entering.
    """

    def __init__(self, options: SimulatorOptions, catalogue: Catalogue, timing: Timing | None = None) -> None:
        self.record = Record(options.record_limit)
        self.switches = Switches(options.api_key, Mishaps(options.error_rates))
        self._options = options
        self._catalogue = catalogue
        self._timing = timing or Timing()
        self._random = Random(options.seed)  # noqa: S311 - repeatable faults, no secrets
        self._reception = Reception(options, self.switches, catalogue, self._random.random)
        self._tasks = Tasks(options.task_seconds)
        self._gate = Gate()
        self._port = options.port
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """Where a client on this machine reaches the simulator, with the port that was really taken."""
        if self._runner is None:
            raise RuntimeError("the simulator does not listen yet; enter it with `async with` first")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._options.host, self._options.host)  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    def release(self, *, for_good: bool = False) -> int:
        """Answer the calls that are held now and tell how many; `for_good`: hold none from now on."""
        return self._gate.release(for_good=for_good)

    @property
    def queries(self) -> Mapping[str, int]:
        """How often each task was asked for. Queries that met an outage, or asked for no task of ours, do not count."""
        return self._tasks.queries

    def reset(self) -> None:
        """Forget posts, tasks and the places in scripts; `[sim: hold]` holds again. Switches stay as they are."""
        self.record.clear()
        self._reception.forget()
        self._tasks.forget()
        self._gate.shut()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=self._options.max_body)
        app.router.add_post(GENERATIONS, self._submit)
        app.router.add_get(GENERATIONS + "/{task_id}", self._query)
        app.add_routes(Control(self.record, self._gate, self.switches, self.reset).routes())
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._options.host, self._port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        arrival = await _receive(request)
        sequence = self.record.arrive(
            key=arrival.idempotency_key,
            traceparent=arrival.traceparent,
            body=arrival.body,
            at=self._timing.now(),
        )
        status, label, could_be_accepted = None, Label.ABANDONED, True
        try:
            now = self._timing.monotonic()
            reaction = self._reception.react(arrival, running=self._tasks.running(now), now=now)
            task_id = self._accept(arrival, sequence, now, reaction.fate) if reaction.accepts else None
            await self._hold_back(reaction)
            answer = build_answer(reaction, task_id, self._timing.now())
            status = None if reaction.ending in SILENT_ENDINGS else answer.status
            label, could_be_accepted = label_for(reaction), reaction.could_be_accepted
        finally:
            # Noted before the first byte leaves: a client with its answer in hand finds it in the record.
            self.record.end(sequence, status, label, could_be_accepted=could_be_accepted)
        return await send(request, answer, reaction.ending)

    def _accept(self, arrival: Arrival, sequence: int, now: float, fate: Fate) -> str:
        model = self._catalogue.find(arrival.model)
        limit = None if model is None else model.prompt_limit
        task = self._tasks.make(arrival.prompt[:limit], now, fate)
        self.record.accept(sequence, task.task_id)
        return task.task_id

    async def _hold_back(self, reaction: Reaction) -> None:
        latency = reaction.latency
        if latency is None:
            latency = self._options.latency + self._options.latency_spread * self._random.random()
        if reaction.hold:
            await self._gate.wait()
        if latency > 0:
            await self._timing.sleep(latency)
        if reaction.hang:
            await asyncio.get_running_loop().create_future()

    async def _query(self, request: web.Request) -> web.StreamResponse:
        refusal = unauthorized(request.headers.get("Authorization"), self.switches.api_key)
        refusal = refusal or self.switches.query_outage
        task_id = request.match_info["task_id"]
        status = None if refusal else self._tasks.status(task_id, self._timing.monotonic())
        if status is not None:
            return web.json_response(status)
        refusal = refusal or Reaction(404, "task_not_exist", f"no task {task_id}", Shape.FLAT)
        return await send(request, build_answer(refusal, None, self._timing.now()), refusal.ending)


async def _receive(request: web.Request) -> Arrival:
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raw = None
    headers = request.headers
    return Arrival(
        authorization=headers.get("Authorization"),
        content_type=headers.get("Content-Type", ""),
        idempotency_key=headers.get("Idempotency-Key") or None,
        traceparent=headers.get("traceparent"),
        raw=raw,
    )
