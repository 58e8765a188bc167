"""A folder of files as Kubernetes mounts a Secret: links through `..data`, which is swapped whole."""

import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path


class Mounted:
    """Files that are all replaced at one instant, as the kubelet does it (its "atomic writer")."""

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        self._folder = folder
        self._turns = count()
        folder.mkdir()
        self.swap(files)

    def path(self, name: str) -> Path:
        return self._folder / name

    def swap(self, files: Mapping[str, bytes]) -> None:
        """Put other contents in the place of all files."""
        data = self._folder / "..data"
        before = data.resolve() if data.is_symlink() else None
        version = self._folder / f"..version_{next(self._turns)}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content)
        link = self._folder / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(data)
        for name in files:
            if not (self._folder / name).is_symlink():
                (self._folder / name).symlink_to(Path("..data", name))
        if before is not None:
            shutil.rmtree(before)
