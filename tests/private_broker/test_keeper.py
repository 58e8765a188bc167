import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.private_broker.installation import Installation
from service.private_broker.keeper_client import KeeperClient, keeping
from service.private_broker.node_files import create_node_files
from tests.private_broker.conftest import processes_of

EPMD = "#!/bin/sh\nexec tail -f /dev/null\n"
# As RabbitMQ's own start script does, a shell stands around the machine and ends it at SIGTERM. The machine is a
# subshell: a program that it would `exec` has no command line for a moment, and would not be found.
SERVER = """#!/bin/sh
trap 'kill $!; echo goodbye; exit 0' TERM
(echo up >"$HOME/up"; read -r _ <"$HOME/never") &
wait
"""
OWNER = """
import asyncio, os, sys
from pathlib import Path
from service.private_broker.keeper_client import keeping

async def main(*paths):
    async with keeping(*map(Path, paths), os.environ) as keeper:
        print(await keeper.ask("start"), flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "node"
    folder.mkdir()
    os.mkfifo(folder / "up")
    os.mkfifo(folder / "never")
    return folder


@pytest.fixture
def epmd(tmp_path: Path) -> Path:
    return script(tmp_path / "epmd", EPMD)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    return script(tmp_path / "server", SERVER)


@pytest.fixture
async def keeper(folder: Path, epmd: Path, server: Path) -> AsyncIterator[KeeperClient]:
    async with keeping(folder, epmd, server, {**os.environ, "HOME": str(folder)}) as keeper:
        await keeper.ask("status")
        yield keeper


def servers_of(folder: Path) -> list[int]:
    """Find the shell and its machine; each has the script in its command line."""
    found = processes_of(folder).items()
    return [pid for pid, command in found if "server" in command and "keeper.py" not in command]


def keeper_of(folder: Path) -> int:
    (pid,) = (pid for pid, command in processes_of(folder).items() if "keeper.py" in command)
    return pid


async def start(keeper: KeeperClient, folder: Path) -> None:
    assert await keeper.ask("start")
    # Reading a named pipe waits until the server has opened it to say that it is up.
    assert await asyncio.to_thread((folder / "up").read_text) == "up\n"


async def test_the_server_waits_for_the_command_to_start(keeper: KeeperClient, folder: Path) -> None:
    assert not await keeper.ask("status")
    await start(keeper, folder)
    assert await keeper.ask("status")


async def test_a_second_start_changes_nothing(keeper: KeeperClient, folder: Path) -> None:
    await start(keeper, folder)
    before = servers_of(folder)
    assert await keeper.ask("start")
    assert servers_of(folder) == before


async def test_stop_lets_the_server_end_in_good_order(keeper: KeeperClient, folder: Path) -> None:
    await start(keeper, folder)
    assert not await keeper.ask("stop")
    assert "goodbye" in (folder / "console.log").read_text()


async def test_kill_takes_the_whole_server_at_once(keeper: KeeperClient, folder: Path) -> None:
    await start(keeper, folder)
    assert len(servers_of(folder)) == 2
    assert not await keeper.ask("kill")
    assert servers_of(folder) == []
    assert "goodbye" not in (folder / "console.log").read_text()


async def test_a_stopped_server_starts_again(keeper: KeeperClient, folder: Path) -> None:
    await start(keeper, folder)
    await keeper.ask("stop")
    await start(keeper, folder)
    assert await keeper.ask("status")


async def test_a_terminals_ctrl_c_does_not_reach_the_keeper(keeper: KeeperClient, folder: Path) -> None:
    assert os.getsid(keeper_of(folder)) != os.getsid(0)


async def test_a_keeper_that_is_gone_is_an_error(keeper: KeeperClient, folder: Path) -> None:
    os.kill(keeper_of(folder), signal.SIGTERM)
    with pytest.raises(ConnectionError):
        await keeper.ask("status")


async def test_a_keeper_that_is_told_to_end_cleans_up(folder: Path, epmd: Path, server: Path) -> None:
    async with keeping(folder, epmd, server, {**os.environ, "HOME": str(folder)}) as keeper:
        await start(keeper, folder)
        os.kill(keeper_of(folder), signal.SIGTERM)
    assert_nothing_is_left(folder)


async def test_the_end_of_the_context_removes_processes_and_folder(folder: Path, epmd: Path, server: Path) -> None:
    async with keeping(folder, epmd, server, {**os.environ, "HOME": str(folder)}) as keeper:
        await start(keeper, folder)
    assert_nothing_is_left(folder)


def assert_nothing_is_left(folder: Path) -> None:
    assert processes_of(folder) == {}
    assert not folder.exists()


def end_owner(environment: dict[str, str], *paths: Path, by: signal.Signals) -> None:
    """Start a process that owns a keeper and a started server, end it, and wait for its keeper to end too."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, *map(str, paths)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "True\n"
        owner.send_signal(by)
        # The keeper has inherited the other end of the error output: it closes when both are gone.
        owner.communicate(timeout=30)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_survives_the_owner(folder: Path, epmd: Path, server: Path, by: signal.Signals) -> None:
    end_owner({**os.environ, "HOME": str(folder)}, folder, epmd, server, by=by)
    assert_nothing_is_left(folder)


def test_nothing_of_a_real_node_survives_its_killed_owner(installation: Installation) -> None:
    files = create_node_files([], {})
    paths = (files.folder, installation.epmd, installation.server)
    end_owner(files.environment, *paths, by=signal.SIGKILL)
    assert_nothing_is_left(files.folder)
