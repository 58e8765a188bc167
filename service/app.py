"""The composition root: the only place that constructs the worker's parts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from service.adapters.admin import AdminServer
from service.adapters.catalogue_file import load_catalogue
from service.adapters.endpoint import HttpxEndpoint
from service.adapters.first_tier import FirstTier
from service.adapters.logs import LogObserver
from service.adapters.metrics import MetricsObserver
from service.adapters.rabbitmq.connect import link_options_of
from service.adapters.rabbitmq.consumer import RabbitConsumer
from service.adapters.rabbitmq.declare import check, declare
from service.adapters.rabbitmq.direct_replies import DirectReplies
from service.adapters.rabbitmq.errors import LinkLost, MissingObjectError, link_errors
from service.adapters.rabbitmq.link import Link, Session
from service.adapters.rabbitmq.publisher import RabbitPublisher
from service.adapters.rabbitmq.tolerant_decoding import tolerate_odd_properties
from service.adapters.system import SystemClock, new_id, uniform
from service.core.admission import ConcurrencyLimit
from service.core.drain import Drain
from service.core.facts import Fact, LinkRole
from service.core.forbidden import ForbiddenStreak
from service.core.handling import Handler
from service.core.intake import Intake
from service.core.ports import Clock, Endpoint, Observer
from service.core.readiness import ReadinessObserver
from service.core.reading import RequestReader
from service.core.retry import RetryPolicy
from service.core.settling import Settler
from service.settings import Settings


class Observers:
    """Tells every observer each fact, in order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def notify(self, fact: Fact) -> None:
        """Pass a fact on."""
        for observer in self._observers:
            observer.notify(fact)


@dataclass(frozen=True, slots=True)
class Worker:
    """The parts that `lifecycle` runs."""

    settings: Settings
    drain: Drain
    intake: Intake
    consumer: RabbitConsumer
    publish_link: Link
    consume_link: Link
    admin: AdminServer
    observer: Observer
    clock: Clock


def retry_policy_of(settings: Settings) -> RetryPolicy:
    """Tell how the first tier retries."""
    retry = settings.retry
    return RetryPolicy(retry.attempts, retry.base, retry.cap, retry.budget, settings.endpoint.on_uncertain)


@asynccontextmanager
async def assemble(settings: Settings, *listeners: Observer) -> AsyncIterator[Worker]:
    """Construct the worker, with its endpoint client and its admin port open. Nothing is consumed yet.

    `listeners` hear every fact besides metrics, readiness and log.

    Raises:
        CatalogueError: the model catalogue cannot be read.
        CertificateError: a certificate file of the broker cannot be used.
        EndpointConfigurationError: no call to the endpoint can be made.
        AdminPortError: the admin port cannot be opened.
    """
    tolerate_odd_properties()
    catalogue = load_catalogue(settings.models_file)
    clock = SystemClock()
    drain = Drain()
    registry = CollectorRegistry()
    readiness = ReadinessObserver()
    metrics = MetricsObserver(registry, concurrency_limit=settings.worker.concurrency)
    observer = Observers(metrics, readiness, LogObserver(), *listeners)

    topology_ready = _topology_step(settings)
    link_options = link_options_of(settings.broker)
    publish_link = Link(LinkRole.PUBLISH, link_options, topology_ready, observer, uniform)
    async with (
        DirectReplies(link_options) as direct_replies,
        HttpxEndpoint(settings.endpoint, settings.worker.concurrency, clock) as endpoint,
        AdminServer(settings.admin.host, settings.admin.port, registry, readiness) as admin,
    ):
        timeout = settings.broker.publish_timeout
        publisher = RabbitPublisher(publish_link, direct_replies, timeout, clock, observer, new_id)
        caller = _first_tier(settings, endpoint, drain, clock, observer)
        handler = Handler(RequestReader(catalogue, settings.worker.max_message_bytes), caller, clock, observer)
        intake = Intake(handler, Settler(publisher, settings.topology, clock), drain, clock, observer, new_id)
        consumer = RabbitConsumer(settings.topology.requests, settings.worker.concurrency, intake.accept, observer)

        async def consuming(session: Session) -> None:
            # Each link declares for itself: a queue that was deleted ends one link and leaves the other up.
            await topology_ready(session)
            # Without a way to publish a result no message may be taken.
            await publish_link.session()
            await consumer.start(session)

        consume_link = Link(LinkRole.CONSUME, link_options, consuming, observer, uniform)
        yield Worker(settings, drain, intake, consumer, publish_link, consume_link, admin, observer, clock)


def _topology_step(settings: Settings) -> Callable[[Session], Awaitable[None]]:
    was_ready = False

    async def ready(session: Session) -> None:
        nonlocal was_ready
        step = declare if settings.broker.declare else check
        try:
            with link_errors():
                async with asyncio.timeout(settings.broker.publish_timeout):
                    await step(session.channel, settings.topology)
        except MissingObjectError as missing:
            if not was_ready:
                raise
            # Whoever deleted it may make it again; until then the link keeps trying and says so.
            raise LinkLost(str(missing)) from missing
        was_ready = True

    return ready


def _first_tier(settings: Settings, endpoint: Endpoint, drain: Drain, clock: Clock, observer: Observer) -> FirstTier:
    return FirstTier(
        endpoint=endpoint,
        admission=ConcurrencyLimit(settings.worker.concurrency, drain),
        drain=drain,
        policy=retry_policy_of(settings),
        clock=clock,
        observer=observer,
        uniform=uniform,
        streak=ForbiddenStreak(),
    )
