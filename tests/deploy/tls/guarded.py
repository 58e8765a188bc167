"""Everything that a worker logs in to, each with a password of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from service.private_broker import Node, private_node
from service.private_broker.broker import Say
from service.private_broker.free_ports import free_ports
from tests.deploy.tls.leaks import Secret
from tests.deploy.tls.papers import Pair, Papers
from tests.deploy.tls.secure_redis import SecureRedis, secure_redis
from tests.support.broker import entered
from tests.support.environment import environment

KEY = Secret("key", "sk-S3cretKey/%41+aa==bb")
OLD_KEY = Secret("old key", "sk-Retired/%42+cc==dd")
AMQP = Secret("password of the broker", 'amqp-S3cret/@:%41 "q\\z', "worker")
MANAGEMENT = Secret("password of the management API", "watch-S3cret/@:%41 #z", "watcher")
REDIS = Secret("password of Redis", "redis-S3cret/@:%41#z")
PROXY = Secret("password of the proxy", "proxy-S3cret/@:%41 +z", "gate")
WRONG = Secret("wrong password", "wrong-S3cret/@:%41 'z", "worker")
SECRETS = (KEY, OLD_KEY, AMQP, MANAGEMENT, REDIS, PROXY, WRONG)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A broker with its management API, and a Redis."""

    node: Node
    management_port: int
    redis: SecureRedis
    papers: Papers
    client: Pair

    def broker_url(self, login: Secret = AMQP) -> str:
        return f"amqp://{login.user}:{login.encoded}@127.0.0.1:{urlsplit(self.node.url).port}/"

    def settings(self, prefix: str, base_url: str, proxy_port: int, key_file: Path) -> dict[str, str]:
        """Give the settings of a worker that is let in everywhere, and logs all that it can."""
        given = environment(self.broker_url(), prefix, base_url)
        del given["VIDEOGEN_ENDPOINT__API_KEY"]
        return {
            **given,
            "HTTPS_PROXY": f"http://{PROXY.login}@127.0.0.1:{proxy_port}",
            "VIDEOGEN_BROKER__MANAGEMENT_URL": f"http://{MANAGEMENT.login}@127.0.0.1:{self.management_port}",
            "VIDEOGEN_BROKER__RECONNECT_CAP": "1s",
            "VIDEOGEN_ENDPOINT__API_KEY_FILE": str(key_file),
            "VIDEOGEN_ENDPOINT__CA_FILE": str(self.papers.our_ca),
            "VIDEOGEN_LEDGER__URL": self.redis.url(),
            "VIDEOGEN_LEDGER__CA_FILE": str(self.papers.our_ca),
            "VIDEOGEN_LEDGER__CERT_FILE": str(self.client.certificate),
            "VIDEOGEN_LEDGER__KEY_FILE": str(self.client.key),
            "VIDEOGEN_LOG__LEVEL": "debug",
            "VIDEOGEN_WORKER__PROBE_FIRST": "200ms",
            "VIDEOGEN_WORKER__PROBE_CAP": "200ms",
        }

    async def let_in(self, login: Secret, tags: str = "") -> None:
        """Make a user of the broker."""
        everything = dict.fromkeys(("configure", "write", "read"), ".*")
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.management_port}/api", auth=("guest", "guest"), trust_env=False
        ) as api:
            made = await api.put(f"users/{login.user}", json={"password": login.text, "tags": tags})
            allowed = await api.put(f"permissions/%2F/{login.user}", json=everything)
        assert (made.status_code, allowed.status_code) == (201, 201)


@contextmanager
def guarded(folder: Path, say: Say) -> Iterator[Guarded]:
    papers = Papers(folder)
    (port,) = free_ports(1)
    configuration = {"management.tcp.ip": "127.0.0.1", "management.tcp.port": str(port)}
    with (
        secure_redis(folder, say, REDIS.text) as redis,
        entered(private_node(say, plugins=["rabbitmq_management"], configuration=configuration)) as node,
    ):
        redis.start(papers.issue("redis", "localhost"), papers.our_ca)
        yield Guarded(node, port, redis, papers, papers.issue("client", "worker.example"))
