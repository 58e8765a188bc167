"""A disk that can be full: a small file system where we may mount one, else a limit on the size of files."""

import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

_SIZE = "16m"
_CHUNK = b"\0" * 4096


class Disk(Protocol):
    """Where the ledger's file is."""

    @property
    def kind(self) -> str: ...

    @property
    def folder(self) -> Path: ...

    def fill(self) -> None:
        """From now on the file of the ledger cannot grow."""

    def free(self) -> None: ...


class SmallFileSystem:
    """A mounted tmpfs; `fill` writes a file that takes what is left of it."""

    kind = "full disk"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        with suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(_CHUNK)

    def free(self) -> None:
        self._filler.unlink()


class SizeLimit:
    """Limits the files of one process to the present size of the largest one in `folder`."""

    kind = "file size limit"

    def __init__(self, folder: Path, pid: Callable[[], int]) -> None:
        self.folder = folder
        self._pid = pid

    def fill(self) -> None:
        self._limit(max(file.stat().st_size for file in self.folder.iterdir()))

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        resource.prlimit(self._pid(), resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def disk_that_can_be_full(folder: Path, pid: Callable[[], int]) -> Iterator[Disk]:
    """Prepare `folder`; `pid` names the process that writes there."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        yield SizeLimit(folder, pid)
        return
    try:
        yield SmallFileSystem(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
