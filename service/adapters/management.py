"""Reads the broker's objects through the management API of RabbitMQ, which shows what AMQP does not."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar
from urllib.parse import quote, unquote, urlsplit

import httpx
from pydantic import BaseModel, BeforeValidator, SecretStr, TypeAdapter, ValidationError

from service.adapters.tls_failure import TlsServer, tls_failure
from service.adapters.unreached import causes
from service.core.broker_contract import BrokerState, ExchangeState
from service.core.queue_state import Policies, QueueState
from service.core.topology import Binding, Topology

_URL = "VIDEOGEN_BROKER__MANAGEMENT_URL"
_LATE = f"the management API did not answer in time; check {_URL}, and firewalls between"
_SERVER = TlsServer(
    name="the management API",
    address=_URL,
    schemes="http:// or https://",
    authority="VIDEOGEN_BROKER__CA_FILE (with amqps://) or SSL_CERT_FILE",
    certificate="VIDEOGEN_BROKER__CERT_FILE and VIDEOGEN_BROKER__KEY_FILE (with amqps://)",
)
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404

A = TypeVar("A")


class ManagementUnavailable(Exception):  # noqa: N818 - a finding, not a defect
    """The management API told nothing we could use. The message says why and what to check, and holds no password."""


def _object(value: object) -> object:
    # Erlang cannot tell an empty object from an empty list, and some versions write the latter.
    return {} if value == [] else value


_Object = Annotated[dict[str, object], BeforeValidator(_object)]


class _Overview(BaseModel):
    rabbitmq_version: str
    cluster_name: str


class _Exchange(BaseModel):
    type: str
    durable: bool


class _Consumer(BaseModel):
    # Absent before RabbitMQ 3.12; the text "undefined" where the broker sets no limit.
    consumer_timeout: int | str | None = None


class _Queue(BaseModel):
    type: str
    durable: bool
    arguments: _Object
    policy: str | None = None
    operator_policy: str | None = None
    # Absent for the first seconds of a queue, and for good where the broker collects no statistics.
    effective_policy_definition: _Object | None = None
    consumer_details: tuple[_Consumer, ...] = ()


class _Binding(BaseModel):
    destination: str
    destination_type: str
    routing_key: str


class ManagementApi:
    """The API of one broker, for one virtual host."""

    def __init__(self, client: httpx.AsyncClient, vhost: str) -> None:
        self._client = client
        self._vhost = quote(vhost, safe="")

    async def cluster_name(self) -> str:
        """Tell the name of the cluster, which a client learns over AMQP too.

        Raises:
            ManagementUnavailable: no answer, or not one of RabbitMQ.
        """
        return (await self._need("overview", TypeAdapter(_Overview))).cluster_name

    async def state(self, topology: Topology) -> BrokerState:
        """Read what there is of `topology`.

        Raises:
            ManagementUnavailable: as above.
        """
        exchange = await self._ask(self._path("exchanges", topology.exchange), TypeAdapter(_Exchange))
        queues = {spec.name: await self._queue(spec.name) for spec in topology.queues}
        return BrokerState(
            exchange=None if exchange is None else ExchangeState(exchange.type, exchange.durable),
            queues={name: state for name, state in queues.items() if state is not None},
            bindings=await self._bindings(topology.exchange),
        )

    async def consumer_timeout(self, queue: str) -> int | None:
        """Tell how many milliseconds a consumer of `queue` may hold a message; None where none is listed.

        Raises:
            ManagementUnavailable: as above.
        """
        state = await self._queue(queue)
        return None if state is None else state.consumer_timeout

    async def _queue(self, name: str) -> QueueState | None:
        queue = await self._ask(self._path("queues", name), TypeAdapter(_Queue))
        if queue is None:
            return None
        names = tuple(name for name in (queue.policy, queue.operator_policy) if name)
        definition = queue.effective_policy_definition
        listed = [each.consumer_timeout for each in queue.consumer_details if isinstance(each.consumer_timeout, int)]
        return QueueState(
            kind=queue.type,
            durable=queue.durable,
            arguments=queue.arguments,
            policies=None if definition is None else Policies(names, definition),
            consumer_timeout=min(listed, default=None),
        )

    async def _bindings(self, exchange: str) -> frozenset[Binding]:
        path = f"{self._path('exchanges', exchange)}/bindings/source"
        bindings = await self._ask(path, TypeAdapter(tuple[_Binding, ...])) or ()
        return frozenset(
            Binding(binding.destination, binding.routing_key)
            for binding in bindings
            if binding.destination_type == "queue"
        )

    def _path(self, kind: str, name: str) -> str:
        return f"{kind}/{self._vhost}/{quote(name, safe='')}"

    async def _need(self, path: str, shape: TypeAdapter[A]) -> A:
        answer = await self._ask(path, shape)
        if answer is None:
            raise ManagementUnavailable(f"what answers there is no management API of RabbitMQ; check {_URL}")
        return answer

    async def _ask(self, path: str, shape: TypeAdapter[A]) -> A | None:
        """GET one thing; None where it does not exist."""
        try:
            response = await self._client.get(path)
        except httpx.TimeoutException as error:
            raise ManagementUnavailable(_LATE) from error
        # An alert of TLS that comes late is raised bare.
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise ManagementUnavailable(_no_answer(error)) from error
        if response.status_code == _NOT_FOUND:
            return None
        _refuse_failure(response.status_code)
        try:
            return shape.validate_json(response.content)
        except ValidationError as error:
            raise ManagementUnavailable(
                f"what answers there is no management API of RabbitMQ, or one of an unknown kind; check {_URL}"
            ) from error


@asynccontextmanager
async def management_api(
    url: SecretStr, vhost: str, tls: ssl.SSLContext | None, time_limit: float
) -> AsyncIterator[ManagementApi]:
    """Hold a client for the API at `url`, with the user that it names; no proxy is used, as none is for AMQP.

    Args:
        url: http(s)://USER:PASSWORD@HOST:PORT, with a path where the API has a prefix.
        vhost: the virtual host, decoded.
        tls: whom to trust; None: the usual authorities.
        time_limit: seconds for all that is done while the client is held.

    Raises:
        ManagementUnavailable: the time is over, or what the body of the context raised.
    """
    parts = urlsplit(url.get_secret_value())
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/api/"
    user = httpx.BasicAuth(unquote(parts.username or ""), unquote(parts.password or "")) if parts.username else None
    try:
        async with (
            asyncio.timeout(time_limit),
            httpx.AsyncClient(
                base_url=address, auth=user, verify=tls or _usual_trust(), timeout=time_limit, trust_env=False
            ) as client,
        ):
            yield ManagementApi(client, vhost)
    except TimeoutError as error:
        raise ManagementUnavailable(_LATE) from error
    except httpx.InvalidURL as error:
        raise ManagementUnavailable(f"{_URL} cannot be used; give http://USER:PASSWORD@HOST:15672") from error


def _no_answer(error: Exception) -> str:
    tls = next((cause for cause in causes(error) if isinstance(cause, ssl.SSLError)), None)
    if tls is not None:
        return tls_failure(tls, _SERVER)
    said = str(error) or type(error).__name__
    return (
        f"the management API does not answer ({said}); check {_URL}, and that the plugin rabbitmq_management is enabled"
    )


def _usual_trust() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise ManagementUnavailable(
            "SSL_CERT_FILE cannot be used; name a PEM file of authorities, or unset it"
        ) from error


def _refuse_failure(status: int) -> None:
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        raise ManagementUnavailable(
            f"the management API refused the login (HTTP {status}); check user and password in {_URL}, that the user "
            "has the tag `monitoring`, and that it may use the virtual host"
        )
    if status != _OK:
        raise ManagementUnavailable(
            f"the management API answered HTTP {status}; check {_URL}, and the log of the broker"
        )
