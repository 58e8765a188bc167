"""Stand-ins for what somebody has to put into Secrets and ConfigMaps before the worker starts."""

from collections.abc import Mapping

from tests.deploy.kubernetes.compositions import Composition
from tests.deploy.kubernetes.worker_pod import Key

BROKER_URL = Key("secret", "videogen-worker", "VIDEOGEN_BROKER__URL")
MANAGEMENT_URL = Key("secret", "videogen-worker", "VIDEOGEN_BROKER__MANAGEMENT_URL")
API_KEY = Key("secret", "videogen-worker", "VIDEOGEN_ENDPOINT__API_KEY")
LEDGER_URL = Key("secret", "videogen-worker", "VIDEOGEN_LEDGER__URL")
CERTIFICATES = tuple(Key("secret", "videogen-worker-broker-tls", name) for name in ("ca.crt", "tls.crt", "tls.key"))
REDIS_CA = Key("configMap", "videogen-worker-redis-ca", "ca.crt")
ENDPOINT_CA = Key("configMap", "videogen-worker-endpoint-ca", "ca.crt")


def values_for(composition: Composition) -> Mapping[Key, str]:
    """Give every value that a composition could ask for; what needs TLS gets an address with TLS."""
    broker_tls = composition.overlay == "production" or "tls" in composition.components
    redis_tls = "redis-tls" in composition.components
    return {
        BROKER_URL: "amqps://worker:s3cret@broker.example.com/"
        if broker_tls
        else "amqp://worker:s3cret@broker.example.com/",
        MANAGEMENT_URL: "https://watcher:s3cret@broker.example.com:15671"
        if broker_tls
        else "http://watcher:s3cret@broker.example.com:15672",
        API_KEY: "k3y",
        LEDGER_URL: f"{'rediss' if redis_tls else 'redis'}://worker:s3cret@redis.example.com:6379/0",
        **dict.fromkeys((*CERTIFICATES, REDIS_CA, ENDPOINT_CA), "a certificate"),
    }
