"""Programs that tests run: the one on PATH, or one freshly installed where we may."""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from service.private_broker.broker import PassedOverError, Say
from service.private_broker.debian import POLICY, _run, _services_stay_down

SYSTEM_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"


def find_or_install(program: str, package: str, say: Say) -> str | None:
    """Find a program, or install its package as root on Debian and its kin; None where neither works.

    Safe for processes that want the same program at the same time: apt-get is not.
    """
    return _found(program) or _installed(program, package, say)


def _found(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATHS}")


def _installed(program: str, package: str, say: Say) -> str | None:
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return None
    with _alone():
        if (found := _found(program)) is not None:
            return found
        say(f"{program} is not installed: installing {package} with apt-get")
        try:
            # Whoever asks may be on an event loop, which cannot run another one.
            with _services_stay_down(POLICY), ThreadPoolExecutor(1) as thread:
                thread.submit(lambda: asyncio.run(_install(apt, package))).result()
        except PassedOverError as reason:
            say(f"{program}: apt-get passed over: {reason}")
    return _found(program)


@contextmanager
def _alone() -> Iterator[None]:
    with Path(tempfile.gettempdir(), "videogen-tests-install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def _install(apt: str, package: str) -> None:
    path = os.environ.get("PATH", os.defpath)
    await _run(apt, "update", path=path)
    await _run(apt, "install", "-y", "--no-install-recommends", package, path=path)
