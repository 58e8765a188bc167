"""A RabbitMQ that asks its clients for certificates, and the settings of a worker that shows one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from service.private_broker import Node, private_node
from service.private_broker.broker import Say
from service.private_broker.free_ports import free_ports
from tests.deploy.tls.papers import Pair, Papers
from tests.support.environment import environment


@dataclass(frozen=True, slots=True)
class SecureBroker:
    """`server` and `clients` are the files that the node reads: its certificate, and the authority of its clients."""

    node: Node
    port: int
    papers: Papers
    server: Pair
    clients: Path
    client: Pair

    def url(self, host: str = "localhost", scheme: str = "amqps") -> str:
        return f"{scheme}://guest:guest@{host}:{self.port}/"

    def settings(self, prefix: str, base_url: str, **changes: str | Path) -> dict[str, str]:
        """Give the settings of a worker that is let in; `changes` are those of the broker, such as `ca_file`."""
        given = {
            "url": self.url(),
            "ca_file": self.papers.our_ca,
            "cert_file": self.client.certificate,
            "key_file": self.client.key,
            "reconnect_cap": "300ms",
            **changes,
        }
        named = {f"VIDEOGEN_BROKER__{name.upper()}": str(value) for name, value in given.items()}
        return environment(self.url(), prefix, base_url) | {name: value for name, value in named.items() if value}

    async def forget_files(self) -> None:
        """Have the node read its files anew, from the next connection on; by itself it would within two minutes."""
        await self.node.run_ctl("eval", "ssl:clear_pem_cache().")


@asynccontextmanager
async def secure_broker(folder: Path, say: Say) -> AsyncIterator[SecureBroker]:
    papers = Papers(folder)
    (port,) = free_ports(1)
    server, clients = papers.issue("server", "localhost"), papers.write("clients.pem", papers.our_ca.read_bytes())
    configuration = {
        "listeners.ssl.1": f"127.0.0.1:{port}",
        "ssl_options.cacertfile": str(clients),
        "ssl_options.certfile": str(server.certificate),
        "ssl_options.keyfile": str(server.key),
        "ssl_options.verify": "verify_peer",
        "ssl_options.fail_if_no_peer_cert": "true",
    }
    async with private_node(say, configuration=configuration) as node:
        yield SecureBroker(node, port, papers, server, clients, papers.issue("client", "worker.example"))
