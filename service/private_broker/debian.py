"""Installs rabbitmq-server from the distribution, where we may: root on Debian, Ubuntu and their kin."""

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from service.private_broker.broker import PassedOverError, Say

POLICY = Path("/usr/sbin/policy-rc.d")
PACKAGE = "rabbitmq-server"


def require_apt(path: str) -> str:
    """Find apt-get.

    Raises:
        PassedOverError: this system has none, or we are not root.
    """
    apt = shutil.which("apt-get", path=path)
    if apt is None:
        raise PassedOverError("this system has no apt-get")
    if os.geteuid() != 0:
        raise PassedOverError(f"only root can install {PACKAGE} with apt-get")
    return apt


async def install_rabbitmq(path: str, say: Say) -> None:
    """Install RabbitMQ without starting the distribution's own service.

    Raises:
        PassedOverError: not possible here, or apt-get failed; with the end of what it printed.
    """
    apt = require_apt(path)
    say(f"{PACKAGE} is not installed: installing it with apt-get (a minute or two)")
    with _services_stay_down(POLICY):
        await _run(apt, "update", path=path)
        await _run(apt, "install", "-y", "--no-install-recommends", PACKAGE, path=path)


@contextmanager
def _services_stay_down(policy: Path) -> Iterator[None]:
    """Keep package scripts from starting services, by Debian's policy-rc.d.

    A policy that exists is left alone. Ours looks for this process: one that a SIGKILL leaves behind
    forbids nothing.
    """
    try:
        with policy.open("x") as script:
            script.write(f"#!/bin/sh\n# Temporary, by videogen-worker.\nkill -0 {os.getpid()} && exit 101\nexit 0\n")
    except FileExistsError:
        yield
        return
    try:
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink(missing_ok=True)


async def _run(apt: str, *arguments: str, path: str) -> None:
    process = await asyncio.create_subprocess_exec(
        apt,
        "-q",
        "-o",
        "DPkg::Lock::Timeout=120",
        *arguments,
        env=_environment(path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if process.returncode != 0:
        tail = "\n".join(output.decode(errors="replace").splitlines()[-5:])
        raise PassedOverError(f"apt-get {arguments[0]} failed:\n{tail}\n")


def _environment(path: str) -> Mapping[str, str]:
    return {**os.environ, "PATH": path, "DEBIAN_FRONTEND": "noninteractive"}
