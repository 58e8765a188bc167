"""A process that owns a node's processes and its folder, and removes both when its owner is gone.

Runs as a script of its own (`python -I keeper.py FOLDER EPMD SERVER`), with the standard library alone.
Its owner writes one command a line to its standard input and reads one word back for each. The end of that
input is the signal to clean up: it comes when the owner closes it, and also when the owner dies of SIGKILL.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

STOP_LIMIT = 30.0
REAP_LIMIT = 5.0
_PR_SET_CHILD_SUBREAPER = 36


class Keeper:
    """One epmd for the whole time, and one server that starts and stops on demand."""

    def __init__(self, folder: Path, epmd: str, server: str) -> None:
        self._folder = folder
        self._server = server
        self._epmd = self._spawn(epmd, "epmd.log")
        self._node: subprocess.Popen[bytes] | None = None

    def obey(self, command: str) -> str:
        """Carry out `start`, `stop`, `kill` or `status`; tell whether the server runs."""
        match command:
            case "start" if not self._running:
                self._node = self._spawn(self._server, "console.log")
            case "stop":
                self._stop()
            case "kill":
                self._kill()
            case _:
                pass
        return "running" if self._running else "stopped"

    def clean_up(self) -> None:
        """End every process and remove the folder. What the node held is not needed any more: no goodbye."""
        self._kill()
        self._epmd.kill()
        self._epmd.wait()
        # Erlang's own child processes leave when their machine does.
        _reap(-1)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _running(self) -> bool:
        return self._node is not None and self._node.poll() is None

    def _spawn(self, program: str, log: str) -> subprocess.Popen[bytes]:
        with (self._folder / log).open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - the owner names the program
                [program],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                process_group=0,
            )

    def _stop(self) -> None:
        if self._node is None:
            return
        self._node.terminate()
        try:
            self._node.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._kill()

    def _kill(self) -> None:
        if self._node is None or not self._running:
            return
        # The server is a shell script and its Erlang machine: one process group.
        os.killpg(self._node.pid, signal.SIGKILL)
        self._node.wait()
        # The machine, adopted, still has the port until it is gone.
        _reap(-self._node.pid)


def _adopt_orphans() -> None:
    """Become the parent of grandchildren that lose theirs, where the system can do that (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap(which: int) -> None:
    """Wait, for a bounded time, until no adopted process is left; `which` is as `os.waitpid` takes it."""
    give_up = time.monotonic() + REAP_LIMIT
    while time.monotonic() < give_up:
        try:
            pid, _ = os.waitpid(which, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            time.sleep(0.01)


def _leave(_signal: int, _frame: object) -> NoReturn:
    sys.exit(0)


def main(folder: str, epmd: str, server: str) -> None:
    """Obey until the input ends."""
    signal.signal(signal.SIGTERM, _leave)
    _adopt_orphans()
    keeper = Keeper(Path(folder), epmd, server)
    try:
        for line in sys.stdin:
            print(keeper.obey(line.strip()), flush=True)  # noqa: T201 - the answer to the owner
    finally:
        keeper.clean_up()


if __name__ == "__main__":
    main(*sys.argv[1:])
