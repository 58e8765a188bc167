"""Looks at the broker before the first message is taken: is it what the worker's promises rest on?"""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from aio_pika.abc import AbstractConnection
from pydantic import SecretStr

from service.adapters.consumer_timeout import default_consumer_timeout
from service.adapters.management import ManagementApi, ManagementUnavailable, management_api
from service.adapters.rabbitmq.configured import broker_certificates
from service.adapters.rabbitmq.errors import LinkLost
from service.core.broker_contract import BrokerState, topology_findings
from service.core.broker_version import broker_version, version_finding
from service.core.finding import Finding, Verdict
from service.core.hold_time import allowed_hold, hold_finding, lists_timeouts
from service.settings import BrokerSettings, Settings

MANAGEMENT_API = "management API"
"""`Finding.what` of what the management API itself came to."""

# Seconds for all that is read. It answers within milliseconds, and the worker waits for it at its start.
_TIME_LIMIT = 5.0
# Consumers are listed once in 5 s.
_PATIENCE = 7.0


async def contract_findings(
    settings: Settings, connection: AbstractConnection, *, patient: bool = False
) -> tuple[Finding, ...]:
    """Check the broker behind `connection`, on which the topology has been declared or found.

    Without VIDEOGEN_BROKER__MANAGEMENT_URL nothing is fetched. A management API that tells nothing makes findings
    unknown, never wrong. With `patient`, some seconds are spent to find out a consumer timeout that nobody has set on
    the queue.

    Raises:
        CertificateError: a certificate file of the broker cannot be used.
    """
    product, version, cluster = _server(connection)
    known = broker_version(product, version)
    said, state = await _management(settings, cluster)
    requests = None if state is None else state.queues.get(settings.topology.requests)
    if patient and requests is not None and lists_timeouts(known) and allowed_hold(requests) is None:
        requests = replace(requests, consumer_timeout=await _default_timeout(settings, connection))
    return (
        version_finding(product, version),
        said,
        *(() if state is None else topology_findings(settings.topology, state)),
        hold_finding(settings.longest_hold, settings.broker.consumer_timeout, known, requests),
    )


async def _management(settings: Settings, cluster: str) -> tuple[Finding, BrokerState | None]:
    url = settings.broker.management_url
    if url is None:
        said = (
            "policies, limits and bindings cannot be seen over AMQP; "
            "set VIDEOGEN_BROKER__MANAGEMENT_URL to have them checked"
        )
        return Finding(MANAGEMENT_API, Verdict.UNKNOWN, said), None
    try:
        state = await _read(url, settings, cluster)
    except ManagementUnavailable as unavailable:
        return Finding(MANAGEMENT_API, Verdict.UNKNOWN, str(unavailable)), None
    return Finding(MANAGEMENT_API, Verdict.OK, f"answers for cluster {cluster}"), state


async def _read(url: SecretStr, settings: Settings, cluster: str) -> BrokerState:
    async with _api(url, settings.broker, _TIME_LIMIT) as api:
        theirs = await api.cluster_name()
        if cluster and theirs != cluster:
            # Else objects that are missing there would be held against this broker.
            raise ManagementUnavailable(
                f"the management API is that of cluster {theirs!r}, and AMQP leads to {cluster!r}; "
                "make VIDEOGEN_BROKER__MANAGEMENT_URL and VIDEOGEN_BROKER__URL name one broker; "
                "in a cluster, set cluster_name"
            )
        return await api.state(settings.topology)


async def _default_timeout(settings: Settings, connection: AbstractConnection) -> int | None:
    url = settings.broker.management_url
    if url is None:
        return None
    try:
        async with _api(url, settings.broker, _PATIENCE) as api:
            return await default_consumer_timeout(connection, api, settings.broker.prefix)
    except (LinkLost, ManagementUnavailable):
        # Then it stays unknown, which is what the caller says.
        return None


def _api(url: SecretStr, broker: BrokerSettings, time_limit: float) -> AbstractAsyncContextManager[ManagementApi]:
    tls = broker_certificates(broker).context()
    return management_api(url, _vhost(broker), tls, time_limit)


def _server(connection: AbstractConnection) -> tuple[str, str, str]:
    """Tell product, version and cluster name, as the broker introduced itself."""
    transport = connection.transport
    properties = {} if transport is None else transport.connection.server_properties
    product, version, cluster = (str(properties.get(name, "")) for name in ("product", "version", "cluster_name"))
    return product, version, cluster


def _vhost(broker: BrokerSettings) -> str:
    return unquote(urlsplit(broker.url.get_secret_value()).path[1:]) or "/"
