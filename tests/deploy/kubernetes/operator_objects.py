"""The objects of KEDA 2.16 and of the Prometheus operator 0.80: the documented fields that are used here, no others.

No package that fits has their schemas. Sources: keda.sh, "ScaledObject specification", "RabbitMQ Queue" and
"Authentication"; prometheus-operator.dev, "API reference".
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from tests.deploy.kubernetes.rendering import Manifest

Count = Annotated[int, Field(ge=0)]
Duration = Annotated[str, Field(pattern=r"^[0-9]+(ms|s|m|h)$")]
Labels = dict[str, str]


class _Part(BaseModel):
    """Unknown fields are refused: the API server would drop them without a word."""

    # These are read, never constructed.
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)  # type: ignore[pydantic-alias]


class _Metadata(_Part):
    name: str
    namespace: str | None = None
    labels: Labels = {}


class _Policy(_Part):
    type: Literal["Pods", "Percent"]
    value: Annotated[int, Field(ge=1)]
    period_seconds: Annotated[int, Field(ge=1, le=1800)]


class _Rules(_Part):
    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)]
    select_policy: Literal["Min", "Max", "Disabled"] = "Max"
    policies: Annotated[list[_Policy], Field(min_length=1)]


class _Behavior(_Part):
    scale_up: _Rules | None = None
    scale_down: _Rules | None = None


class _HorizontalPodAutoscaler(_Part):
    behavior: _Behavior


class _Advanced(_Part):
    horizontal_pod_autoscaler_config: _HorizontalPodAutoscaler
    restore_to_original_replica_count: bool = False


class _Target(_Part):
    api_version: str
    kind: str
    name: str


class _RabbitMqMetadata(_Part):
    """KEDA takes texts alone."""

    queue_name: str
    protocol: Literal["auto", "http", "amqp"]
    mode: Literal["QueueLength", "MessageRate"]
    value: Annotated[str, Field(pattern=r"^[0-9.]+$")]
    activation_value: Annotated[str, Field(pattern=r"^[0-9.]+$")] = "0"
    vhost_name: str | None = None
    exclude_unacknowledged: Literal["true", "false"] = "false"


class _Reference(_Part):
    name: str


class _Trigger(_Part):
    type: Literal["rabbitmq"]
    metadata: _RabbitMqMetadata
    authentication_ref: _Reference


class _ScaledObjectSpec(_Part):
    scale_target_ref: _Target
    polling_interval: Annotated[int, Field(ge=1)] = 30
    cooldown_period: Count = 300
    min_replica_count: Count = 0
    max_replica_count: Annotated[int, Field(ge=1)] = 100
    advanced: _Advanced | None = None
    triggers: Annotated[list[_Trigger], Field(min_length=1)]

    @model_validator(mode="after")
    def _min_below_max(self) -> "_ScaledObjectSpec":
        assert self.min_replica_count <= self.max_replica_count
        return self


class _ScaledObject(_Part):
    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["ScaledObject"]
    metadata: _Metadata
    spec: _ScaledObjectSpec


class _Parameter(_Part):
    """One of the authentication parameters of the RabbitMQ scaler."""

    parameter: Literal["host", "username", "password", "tls", "ca", "cert", "key"]
    name: str
    key: str


class _TriggerAuthenticationSpec(_Part):
    secret_target_ref: list[_Parameter] = []
    config_map_target_ref: list[_Parameter] = []


class _TriggerAuthentication(_Part):
    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["TriggerAuthentication"]
    metadata: _Metadata
    spec: _TriggerAuthenticationSpec


class _Selector(_Part):
    match_labels: Labels


class _PodMetricsEndpoint(_Part):
    port: str
    path: str = "/metrics"
    interval: Duration | None = None
    scrape_timeout: Duration | None = None


class _PodMonitorSpec(_Part):
    job_label: str | None = None
    selector: _Selector
    pod_metrics_endpoints: Annotated[list[_PodMetricsEndpoint], Field(min_length=1)]


class _PodMonitor(_Part):
    api_version: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PodMonitor"]
    metadata: _Metadata
    spec: _PodMonitorSpec


class _Rule(_Part):
    alert: str | None = None
    record: str | None = None
    expr: str | int
    labels: Labels = {}
    annotations: Labels = {}
    # Prometheus writes these two with underscores.
    for_: Duration | None = Field(None, alias="for")
    keep_firing_for: Duration | None = Field(None, alias="keep_firing_for")


class _RuleGroup(_Part):
    name: str
    interval: Duration | None = None
    rules: Annotated[list[_Rule], Field(min_length=1)]


class _PrometheusRuleSpec(_Part):
    groups: Annotated[list[_RuleGroup], Field(min_length=1)]


class _PrometheusRule(_Part):
    api_version: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PrometheusRule"]
    metadata: _Metadata
    spec: _PrometheusRuleSpec


_MODELS: dict[str, type[_Part]] = {
    "ScaledObject": _ScaledObject,
    "TriggerAuthentication": _TriggerAuthentication,
    "PodMonitor": _PodMonitor,
    "PrometheusRule": _PrometheusRule,
}


def is_of_an_operator(manifest: Manifest) -> bool:
    return manifest["kind"] in _MODELS


def operator_faults(manifest: dict[str, Any]) -> list[str]:
    """List the fields that are wrong or unknown."""
    try:
        _MODELS[manifest["kind"]].model_validate(manifest)
    except ValidationError as error:
        return [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    return []
