"""A private node's own folder and environment: nothing is shared with another RabbitMQ on the machine."""

import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.private_broker.free_ports import free_ports

_LOOPBACK_ONLY = "-kernel inet_dist_use_interface {127,0,0,1}"


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """Where a node lives. `amqp`, `distribution` and `epmd` are TCP ports on loopback."""

    folder: Path
    name: str
    amqp: int
    distribution: int
    epmd: int

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every program of this node."""
        foreign = ("RABBITMQ_", "ERL_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return inherited | {
            # Erlang keeps the cookie here.
            "HOME": str(self.folder),
            "ERL_CRASH_DUMP_SECONDS": "0",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.epmd),
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.amqp),
            "RABBITMQ_DIST_PORT": str(self.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _LOOPBACK_ONLY,
            "RABBITMQ_CTL_ERL_ARGS": _LOOPBACK_ONLY,
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(self.folder / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            "RABBITMQ_SCHEMA_DIR": str(self.folder / "schema"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
        }

    def log_excerpt(self, lines: int = 15) -> str:
        """Read what explains a failed start: from the first error on, or else the end of what was printed."""
        console = self.folder / "console.log"
        printed = console.read_text(errors="replace").splitlines() if console.exists() else []
        # Erlang names the cause first; long reports of what it took down follow.
        first_error = next((at for at, line in enumerate(printed) if "[error]" in line), None)
        excerpt = printed[-lines:] if first_error is None else printed[first_error:][:lines]
        return "\n".join(excerpt)


def create_node_files(plugins: Sequence[str], configuration: Mapping[str, str]) -> NodeFiles:
    """Make the folder, with an own cookie, plugin list and `rabbitmq.conf`.

    Raises:
        OSError: no free ports, or no room for temporary files.
    """
    amqp, distribution, epmd = free_ports(3)
    folder = Path(tempfile.mkdtemp(prefix="videogen-rabbitmq-"))
    name = f"videogen-{secrets.token_hex(4)}@localhost"
    cookie = folder / ".erlang.cookie"
    cookie.touch(0o600)
    cookie.write_text(secrets.token_hex(20))
    # Erlang refuses a cookie that others may read, and warns about one that can be written.
    cookie.chmod(0o400)
    (folder / "rabbitmq-env.conf").touch()
    (folder / "conf.d").mkdir()
    (folder / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
    settings = "".join(f"{key} = {value}\n" for key, value in configuration.items())
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{amqp}\n{settings}")
    return NodeFiles(folder, name, amqp, distribution, epmd)
