"""The composition root: the only place that constructs the worker's parts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import CollectorRegistry

from service.adapters.admin import AdminServer
from service.adapters.api_key import KeySource, watch_key
from service.adapters.broker_setup import contract_step, topology_step
from service.adapters.call_cap import LeakyCap
from service.adapters.catalogue_file import load_catalogue
from service.adapters.endpoint import HttpxEndpoint
from service.adapters.first_tier import FirstTier
from service.adapters.ledger.opening import OpenLedger, open_ledger
from service.adapters.logs import LogObserver
from service.adapters.loop_lag import watch_loop_lag
from service.adapters.metrics import MetricsObserver
from service.adapters.rabbitmq.configured import link_options_of
from service.adapters.rabbitmq.connect import LinkOptions
from service.adapters.rabbitmq.consumer import RabbitConsumer
from service.adapters.rabbitmq.consumer_watch import watch_consumption
from service.adapters.rabbitmq.direct_replies import DirectReplies
from service.adapters.rabbitmq.link import Link, Session
from service.adapters.rabbitmq.publish_watch import watch_publishing
from service.adapters.rabbitmq.publisher import RabbitPublisher
from service.adapters.rabbitmq.tolerant_decoding import tolerate_odd_properties
from service.adapters.system import SystemClock, new_id, uniform
from service.adapters.tracing.instruments import Instruments
from service.adapters.tracing.opening import open_tracing
from service.core.admission import GatedAdmission
from service.core.bookkeeping import Bookkeeping
from service.core.broker_pauses import BrokerPauses
from service.core.drain import Drain
from service.core.endpoint_health import EndpointHealth
from service.core.facts import Advice, Fact, KeyChanged, LinkRole
from service.core.gate import Gate
from service.core.handling import Handler
from service.core.intake import Intake
from service.core.ledger_watch import watch_ledger
from service.core.paid_call import PaidCall
from service.core.pausing import Pausing
from service.core.ports import Clock, Endpoint, Ledger, Observer
from service.core.readiness import ReadinessObserver
from service.core.reading import RequestReader
from service.core.retry import OnUncertain
from service.core.settling import Settler
from service.core.turns import Turns
from service.following import follow_tasks
from service.policies import probe_policy_of, retry_policy_of, second_tier_policy_of
from service.settings import Settings


class Observers:
    """Tells every observer each fact, in order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = [*observers]

    def add(self, observer: Observer) -> None:
        """Let one more observer hear what follows."""
        self._observers.append(observer)

    def notify(self, fact: Fact) -> None:
        """Pass a fact on."""
        for observer in self._observers:
            observer.notify(fact)


@dataclass(frozen=True, slots=True)
class Worker:
    """The parts that `lifecycle` runs. `background` holds the work that goes on until the end, by name."""

    settings: Settings
    drain: Drain
    intake: Intake
    consumer: RabbitConsumer
    admin: AdminServer
    observer: Observer
    background: Mapping[str, Callable[[], Coroutine[object, object, None]]]


@dataclass(frozen=True, slots=True)
class _Common:
    """What nearly every part needs."""

    settings: Settings
    clock: Clock
    drain: Drain
    observer: Observer
    gate: Gate


@dataclass(frozen=True, slots=True)
class _Calling:
    """The parts between a message and the endpoint, and what they share with the background."""

    handler: Handler
    books: Bookkeeping
    health: EndpointHealth


@asynccontextmanager
async def assemble(
    settings: Settings, *listeners: Observer, learned_secret: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Worker]:
    """Construct the worker, with its endpoint client, its ledger and its admin port open. Nothing is consumed yet.

    `listeners` hear every fact besides metrics, readiness and log. `learned_secret` hears a key that was read anew.

    Raises:
        CatalogueError: the model catalogue cannot be read.
        CertificateError: a certificate file of the broker cannot be used.
        EndpointConfigurationError: no call to the endpoint can be made.
        LedgerConfigurationError: the ledger's file cannot be used.
        TracingConfigurationError: tracing is on and cannot work.
        AdminPortError: the admin port cannot be opened.
    """
    # Outermost: the spans of the last requests are sent when everything else is closed.
    async with (
        open_tracing(settings) as instruments,
        _assemble(settings, instruments, listeners, learned_secret) as worker,
    ):
        yield worker


@asynccontextmanager
async def _assemble(
    settings: Settings,
    instruments: Instruments,
    listeners: Iterable[Observer],
    learned_secret: Callable[[str], None],
) -> AsyncIterator[Worker]:
    tolerate_odd_properties()
    catalogue = load_catalogue(settings.models_file)
    registry, readiness, drain, clock = CollectorRegistry(), ReadinessObserver(), Drain(), SystemClock()
    tiers = [tier.name for tier in settings.retry.tiers]
    metrics = MetricsObserver(
        registry, concurrency_limit=settings.worker.concurrency, tiers=tiers, exemplar=instruments.exemplar
    )
    observer = Observers(metrics, readiness, LogObserver(), *instruments.observers, *listeners)
    gate = Gate(drain, observer, settings.worker.patience)
    observer.add(BrokerPauses(gate))
    common = _Common(settings, clock, drain, observer, gate)
    key = KeySource(settings.endpoint, learned_secret, lambda why: observer.notify(Advice(why)))
    link_options = link_options_of(settings.broker)
    publish_link = Link(LinkRole.PUBLISH, link_options, topology_step(settings), observer, uniform)
    async with (
        _ledger(settings, clock) as ledger,
        DirectReplies(link_options) as direct_replies,
        HttpxEndpoint(settings.endpoint, clock, key, instruments.tell_status) as endpoint,
        AdminServer(settings.admin.host, settings.admin.port, registry, readiness) as admin,
    ):
        timeout = settings.broker.publish_timeout
        publisher = RabbitPublisher(publish_link, direct_replies, timeout, clock, observer, new_id)
        reader = RequestReader(catalogue, settings.worker.max_message_bytes)
        calling = _calling(common, ledger, instruments.endpoint(endpoint), reader)
        settler = Settler(instruments.publisher(publisher), settings.topology, clock, new_id)
        intake = Intake(calling.handler, settler, drain, clock, observer, new_id, instruments.tracing)
        consumer = RabbitConsumer(settings.topology.requests, settings.worker.concurrency, intake.accept, observer)
        consume_link = _consume_link(common, link_options, publish_link, consumer)
        pausing = Pausing(
            gate, consumer, intake.try_one, lambda: calling.health.calls, probe_policy_of(settings), observer
        )

        def key_changed() -> None:
            observer.notify(KeyChanged())
            pausing.hurry()

        background: dict[str, Callable[[], Coroutine[object, object, None]]] = {
            "publish link": publish_link.run,
            "consume link": consume_link.run,
            "pausing": pausing.run,
            "ledger": lambda: watch_ledger(ledger, gate, calling.books.settle_debts),
            "ledger advice": lambda: _advise(ledger, observer),
            "key file": lambda: watch_key(key, key_changed),
            "consumer watch": lambda: watch_consumption(consume_link, consumer),
            "publish watch": lambda: watch_publishing(publish_link, observer),
            "loop lag": lambda: watch_loop_lag(observer, clock),
        }
        if settings.tracking.enabled:
            background["tracking"] = lambda: follow_tasks(
                settings, key, ledger.tasks, publisher, gate=gate, drain=drain, clock=clock, observer=observer
            )
        yield Worker(settings, drain, intake, consumer, admin, observer, background)


def _calling(common: _Common, ledger: Ledger, endpoint: Endpoint, reader: RequestReader) -> _Calling:
    settings = common.settings
    patience = settings.worker.patience
    books = Bookkeeping(ledger, common.gate, common.observer, patience)
    health = EndpointHealth(common.gate, settings.endpoint.down_after, settings.endpoint.doubt_after)
    admission = GatedAdmission(_turns(common), common.gate)
    resend = settings.endpoint.on_uncertain is OnUncertain.RESEND
    tracking = settings.tracking
    paid_call = PaidCall(
        endpoint,
        books,
        admission,
        health,
        common.clock,
        common.observer,
        resend,
        patience=patience,
        follow_after=tracking.first if tracking.enabled else None,
    )
    caller = FirstTier(paid_call, admission, retry_policy_of(settings), common.clock, common.observer, uniform)
    handler = Handler(reader, caller, second_tier_policy_of(settings), common.clock, common.observer)
    return _Calling(handler, books, health)


def _turns(common: _Common) -> Turns:
    cap = common.settings.endpoint.max_rps
    return Turns(
        common.settings.worker.concurrency,
        common.gate,
        common.drain,
        common.observer,
        # Who waits longer than this for a turn leaves the line; a longer pause would move messages in circles.
        longest_pause=common.settings.retry.budget,
        cap=None if cap is None else LeakyCap(cap),
    )


def _consume_link(common: _Common, options: LinkOptions, publish_link: Link, consumer: RabbitConsumer) -> Link:
    topology_ready = topology_step(common.settings)
    contract_holds = contract_step(common.settings, common.observer)

    async def consuming(session: Session) -> None:
        # Each link declares for itself: a queue that was deleted ends one link and leaves the other up.
        await topology_ready(session)
        await contract_holds(session)
        # Without a way to publish a result no message may be taken.
        await publish_link.session()
        await consumer.start(session)

    return Link(LinkRole.CONSUME, options, consuming, common.observer, uniform)


def _ledger(settings: Settings, clock: Clock) -> AbstractAsyncContextManager[OpenLedger]:
    return open_ledger(
        settings.ledger,
        holder=new_id(),
        # A claim outlasts its call and the time that its record may take.
        lease=timedelta(seconds=settings.endpoint.timeout + settings.worker.patience),
        prefix=settings.broker.prefix,
        clock=clock,
    )


async def _advise(ledger: OpenLedger, observer: Observer) -> None:
    for text in await ledger.durability_warnings():
        observer.notify(Advice(text))
    await asyncio.Event().wait()
