"""Every setting with its unit, default and reason (spec section 6)."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ByteSize, ConfigDict, Field, FilePath, SecretStr

from service.core.retry import OnUncertain
from service.core.topology import Topology
from service.settings.durations import DAY, HOUR, MINUTE, Duration
from service.settings.value_types import (
    MAX_TTL,
    AnyCase,
    ApiKey,
    BaseUrl,
    BrokerUrl,
    LedgerUrl,
    ManagementUrl,
    Prefix,
    SizeSeparator,
    Tiers,
    parse_tiers,
)

KIB = 1024
MIB = 1024 * KIB


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class BrokerSettings(_Group):
    """RabbitMQ and the names of its objects."""

    url: BrokerUrl = Field(
        SecretStr("amqp://guest:guest@localhost:5672/"),
        description="where RabbitMQ is: amqp:// or amqps://, user, password, host, port, virtual host",
    )
    declare: bool = Field(True, description="declare the queues; false: only check that they are there")
    prefix: Prefix = Field("videogen", description="first part of the name of every exchange and queue")
    heartbeat: Annotated[Duration, Field(ge=1, le=3600, multiple_of=1)] = Field(
        10.0, description="time between signs of life on a connection; after three without one it counts as dead"
    )
    connect_timeout: Duration = Field(10.0, description="longest wait for a connection to be ready")
    publish_timeout: Duration = Field(30.0, description="longest wait for the broker to confirm one message")
    reconnect_cap: Duration = Field(15.0, description="longest wait between two tries to connect")
    consumer_timeout: Duration = Field(
        30 * MINUTE,
        description="`consumer_timeout` of the broker, which closes the channel of who holds a message longer",
    )
    dead_ttl: Annotated[Duration, Field(le=MAX_TTL)] = Field(
        7 * DAY, description="how long the queue of failed requests keeps a message"
    )
    management_url: ManagementUrl | None = Field(
        None,
        description="the broker's management API with a user who may read it, for what AMQP cannot tell at the start",
    )
    ca_file: FilePath | None = Field(None, description="PEM file of the authority that signed the broker's certificate")
    cert_file: FilePath | None = Field(None, description="PEM file of the client certificate")
    key_file: FilePath | None = Field(None, description="PEM file of the client certificate's key")


class EndpointSettings(_Group):
    """The paid endpoint."""

    base_url: BaseUrl = Field(description="where the endpoint is, such as https://api.example.com")
    api_key: ApiKey = Field(description="the key that the endpoint's operator issued")
    # Filled in by `loading` for a key in a secret file, too.
    api_key_file: Path | None = Field(None, description="the file that the key stands in; read again when it changes")
    timeout: Duration = Field(30.0, description="longest time for one call, connecting included")
    connect_timeout: Duration = Field(5.0, description="longest wait for a connection, within `timeout`")
    # Below the 5 s after which common servers drop an idle connection.
    keepalive: Duration = Field(4.0, description="how long an idle connection is kept; less than the server keeps it")
    ca_file: FilePath | None = Field(
        None, description="PEM file of the authorities that may sign the endpoint's certificate, in place of the usual"
    )
    on_uncertain: Annotated[OnUncertain, AnyCase] = Field(
        OnUncertain.PARK,
        description="a call that may have been accepted: `park` never sends it again, `resend` may pay twice",
    )
    down_after: int = Field(
        10, ge=1, le=10_000, description="calls in a row that got no connection, after which no more messages are taken"
    )
    doubt_after: int = Field(
        50,
        ge=1,
        le=10_000,
        description="uncertain calls in a row, after which no more messages are taken; each of them may be paid for",
    )
    # None: the endpoint's own refusals (429) are found and kept to without it.
    max_rps: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = Field(
        None, description="most calls that one worker starts in a second; none: as many as the endpoint takes"
    )
    size_separator: SizeSeparator = Field("*", description="what stands between width and height in `size`")
    response_limit: Annotated[ByteSize, Field(ge=KIB, le=64 * MIB)] = Field(
        ByteSize(MIB), description="longest answer that is read; a longer one is cut off"
    )


class WorkerSettings(_Group):
    """How much work at once, and how it ends."""

    concurrency: int = Field(64, ge=1, le=10_000, description="most calls in flight at once")
    drain_timeout: Duration = Field(60.0, description="how long calls under way may take after SIGTERM")
    patience: Duration = Field(
        30.0,
        description="how long a request in hand waits for a broker or ledger that went away, before it goes back",
    )
    probe_first: Duration = Field(
        5.0, description="first wait before one message tries whether a pause is over; it doubles from try to try"
    )
    probe_cap: Duration = Field(5 * MINUTE, description="upper bound of that wait")
    max_message_bytes: Annotated[ByteSize, Field(ge=KIB, le=16 * MIB)] = Field(
        ByteSize(256 * KIB), description="longest request message"
    )


class RetrySettings(_Group):
    """The first tier (in process) and the wait queues of the second."""

    attempts: int = Field(4, ge=1, le=100, description="most calls for one delivery of a request; 1: no retry")
    base: Duration = Field(0.5, description="upper bound of the first wait; it doubles from try to try")
    cap: Duration = Field(20.0, description="upper bound of every wait")
    budget: Duration = Field(
        60.0, description="longest time for all attempts at one delivery; a wait that would outlast it is not begun"
    )
    max_age: Annotated[Duration, Field(le=3650 * DAY)] = Field(
        6 * HOUR, description="how long after its first delivery a request may still be called again"
    )
    tiers: Tiers = Field(parse_tiers("10s,1m,5m,30m"), description="waits of the second tier; each makes a queue")


class Synchronous(StrEnum):
    """What a SQLite record survives: the end of the process, or a power loss too."""

    NORMAL = "normal"
    FULL = "full"


class LedgerSettings(_Group):
    """The record of calls that keeps a request from being paid for twice."""

    url: LedgerUrl = Field(
        SecretStr("sqlite:///videogen-ledger.db"),
        description="sqlite:///PATH (workers on one host), redis://HOST:PORT/NUMBER (many hosts), or none",
    )
    synchronous: Annotated[Synchronous, AnyCase] = Field(
        Synchronous.FULL,
        description="SQLite: `full` keeps a record through a power loss, `normal` through a crash of the worker alone",
    )
    retention: Annotated[Duration, Field(le=3650 * DAY)] = Field(
        7 * DAY, description="how long a request is remembered after its last record"
    )
    timeout: Duration = Field(5.0, description="longest wait for the ledger to take one record")
    ca_file: FilePath | None = Field(None, description="PEM file of the authority that signed Redis' certificate")
    cert_file: FilePath | None = Field(None, description="PEM file of the client certificate for Redis")
    key_file: FilePath | None = Field(None, description="PEM file of that client certificate's key")


class TrackingSettings(_Group):
    """Following tasks to their end."""

    enabled: bool = Field(False, description="follow each accepted task, and publish a message when it ends")
    max_rps: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] = Field(
        1.0, description="most queries for tasks that one worker starts in a second"
    )
    first: Duration = Field(5.0, description="from the acceptance of a task to the first query; no wait is shorter")
    cap: Duration = Field(MINUTE, description="upper bound of the wait between two queries for one task")
    # As long as the endpoint keeps tasks and their results.
    lost_after: Annotated[Duration, Field(le=3650 * DAY)] = Field(
        DAY, description="how long a task is followed; then it is told as lost"
    )


class AdminSettings(_Group):
    """The port of the probes and metrics."""

    host: str = Field("0.0.0.0", min_length=1, description="address to listen on")  # noqa: S104 - probes come from outside the container
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0: any free port")


class LogLevel(StrEnum):
    """The least severe level that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class LogFormat(StrEnum):
    """How a log line looks."""

    JSON = "json"
    CONSOLE = "console"


class LogSettings(_Group):
    """What the log shows, and how."""

    level: Annotated[LogLevel, AnyCase] = Field(LogLevel.INFO, description="least severe level that is written")
    format: Annotated[LogFormat, AnyCase] = Field(
        LogFormat.JSON, description="`json`: one object a line; `console`: for people"
    )


class TracingSettings(_Group):
    """OpenTelemetry. Where spans go, and which are kept, is for its own OTEL_ variables to say."""

    enabled: bool = Field(False, description="trace each request; needs the extra `videogen-worker[otel]`")


class Settings(_Group):
    """All settings. Constructing one reads nothing: `load_settings` reads the environment and the files."""

    broker: BrokerSettings = Field(default_factory=BrokerSettings)
    endpoint: EndpointSettings
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    retry: RetrySettings = Field(default_factory=RetrySettings)
    ledger: LedgerSettings = Field(default_factory=LedgerSettings)
    tracking: TrackingSettings = Field(default_factory=TrackingSettings)
    admin: AdminSettings = Field(default_factory=AdminSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    tracing: TracingSettings = Field(default_factory=TracingSettings)
    models_file: FilePath | None = Field(None, description="model catalogue that replaces the shipped one")

    @property
    def topology(self) -> Topology:
        """The broker objects that these settings ask for."""
        dead_ttl = timedelta(seconds=self.broker.dead_ttl)
        return Topology(self.broker.prefix, self.retry.tiers, dead_ttl, tracking=self.tracking.enabled)

    @property
    def longest_hold(self) -> float:
        """Seconds for which one delivery can stay unsettled.

        The first tier, with the waits for its turns, then two claims that each wait at the gate first, a last call, its
        record and one confirm.
        """
        claims = 2 * (self.worker.patience + self.ledger.timeout)
        recorded = self.endpoint.timeout + self.worker.patience
        return self.retry.budget + claims + recorded + self.broker.publish_timeout
