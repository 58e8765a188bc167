"""The kinds of objects that the stand-in keeps: those that our manifests and pages use."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind, by its place in the API."""

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """The path below which objects of its group and version are."""
        return f"apis/{self.api_version}" if self.group else f"api/{self.version}"


NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
SECRET = Kind("", "v1", "secrets", "Secret")
CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap")
SERVICE = Kind("", "v1", "services", "Service")
SERVICE_ACCOUNT = Kind("", "v1", "serviceaccounts", "ServiceAccount")
VOLUME_CLAIM = Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
POD = Kind("", "v1", "pods", "Pod")
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
REPLICA_SET = Kind("apps", "v1", "replicasets", "ReplicaSet")

KINDS = (
    *(NAMESPACE, SECRET, CONFIG_MAP, SERVICE, SERVICE_ACCOUNT, VOLUME_CLAIM, POD, DEPLOYMENT, REPLICA_SET),
    Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    Kind("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False),
    # Of operators that a cluster for us has installed.
    Kind("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject"),
    Kind("keda.sh", "v1alpha1", "triggerauthentications", "TriggerAuthentication"),
    Kind("monitoring.coreos.com", "v1", "podmonitors", "PodMonitor"),
    Kind("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule"),
    Kind("rabbitmq.com", "v1beta1", "rabbitmqclusters", "RabbitmqCluster"),
    Kind("rabbitmq.com", "v1beta1", "exchanges", "Exchange"),
    Kind("rabbitmq.com", "v1beta1", "queues", "Queue"),
    Kind("rabbitmq.com", "v1beta1", "bindings", "Binding"),
    Kind("rabbitmq.com", "v1beta1", "users", "User"),
    Kind("rabbitmq.com", "v1beta1", "permissions", "Permission"),
    Kind("rabbitmq.com", "v1beta1", "topicpermissions", "TopicPermission"),
)
ROOTS = tuple(dict.fromkeys(kind.root for kind in KINDS))


def kind_at(root: str, plural: str) -> Kind | None:
    """Find a kind by the path of its group and version, and its own name there."""
    return next((kind for kind in KINDS if (kind.root, kind.plural) == (root, plural)), None)
