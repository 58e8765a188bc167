"""What is done on each new session before it is used: declare or check, and once look closer."""

import asyncio
from collections.abc import Awaitable, Callable

from service.adapters.broker_check import MANAGEMENT_API, contract_findings
from service.adapters.rabbitmq.declare import check, declare
from service.adapters.rabbitmq.errors import LinkLost, MissingObjectError, TopologyError, link_errors
from service.adapters.rabbitmq.link import Session
from service.core.facts import Advice
from service.core.finding import Verdict
from service.core.ports import Observer
from service.settings import Settings

Step = Callable[[Session], Awaitable[None]]


def topology_step(settings: Settings) -> Step:
    """Make the step that declares the topology, or checks that it is there.

    The step raises `TopologyError` where the broker's objects cannot be used, and `LinkLost` where they may come back.
    """
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


def contract_step(settings: Settings, observer: Observer) -> Step:
    """Make the step that looks once, at the start, at what AMQP does not tell; a step that does nothing without a URL.

    The step raises `TopologyError` where the broker would not keep what the worker counts on.
    """
    looked = settings.broker.management_url is None

    async def holds(session: Session) -> None:
        nonlocal looked
        if looked:
            return
        findings = await contract_findings(settings, session.connection)
        wrong = [f"{finding.what}: {finding.said}" for finding in findings if finding.verdict is Verdict.WRONG]
        if wrong:
            raise TopologyError("; ".join(wrong))
        for finding in findings:
            if finding.verdict is Verdict.UNKNOWN and finding.what == MANAGEMENT_API:
                observer.notify(Advice(f"{finding.what}: {finding.said}"))
        looked = True

    return holds
