"""Finds RabbitMQ's own start scripts on this machine."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.private_broker.broker import PassedOverError

USUAL_PLACES = (
    "/usr/lib/rabbitmq/bin",
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/opt/rabbitmq/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)
# An ordinary user of Debian has no sbin on the path.
SYSTEM_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Installation:
    """The programs that a private node needs."""

    server: Path
    control: Path
    epmd: Path


def find_installation(path: str, usual_places: Sequence[str] = USUAL_PLACES) -> Installation:
    """Look on the search path `path`, beside what is found there, and in the usual places.

    The scripts that distributions put on the path change to the user `rabbitmq` and use the system's own
    folders; the real ones have `rabbitmq-env` beside them and do neither.

    Raises:
        PassedOverError: RabbitMQ or Erlang is not installed.
    """
    folder = next((each for each in _candidates(path, usual_places) if _is_real(each)), None)
    if folder is None:
        raise PassedOverError("rabbitmq-server is not installed")
    epmd = shutil.which("epmd", path=path) or next(iter(_expand("/usr/lib/erlang/erts-*/bin/epmd")), None)
    if epmd is None:
        raise PassedOverError(f"rabbitmq-server is in {folder}, but Erlang's epmd is not on the path")
    return Installation(folder / "rabbitmq-server", folder / "rabbitmqctl", Path(epmd))


def _candidates(path: str, usual_places: Sequence[str]) -> list[Path]:
    on_path = shutil.which("rabbitmq-server", path=path)
    beside = [] if on_path is None else [Path(on_path).resolve().parent]
    return beside + [folder.resolve() for place in usual_places for folder in _expand(place)]


def _is_real(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("rabbitmq-env", "rabbitmq-server", "rabbitmqctl"))


def _expand(pattern: str) -> list[Path]:
    """List what an absolute glob pattern matches, newest version first."""
    return sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
