"""The endpoint's key, read again when its file changes, so that a rotated key needs no restart."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from service.settings import EndpointSettings, SecretFileError, read_api_key

_Stamp = tuple[int, ...] | None


class KeySource:
    """The key of `settings`. One that came from a file follows the file; any other never changes.

    A file that is gone, unreadable or holds no key leaves the key as it was.

    Args:
        settings: the key as it was at the start, and its file.
        learned: hears each new key before it is used, so that log lines can mask it.
        unusable: hears why a changed file gave no key, once for each change; the text holds no secret.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        learned: Callable[[str], None] = lambda _: None,
        unusable: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._key = settings.api_key.get_secret_value()
        self._earlier: dict[str, None] = {}
        self._file = settings.api_key_file
        self._learned = learned
        self._unusable = unusable
        # The file may have changed since the settings were read, so the first look always reads.
        self._stamp: _Stamp = ()

    @property
    def earlier(self) -> tuple[str, ...]:
        """The keys that were in use before, which stay secret."""
        return tuple(self._earlier)

    def current(self) -> str:
        """Tell the key to use now. Looks at the file, and reads it only if it changed. Never raises."""
        if self._file is not None:
            stamp = _stamp(self._file)
            if stamp != self._stamp:
                self._stamp = stamp
                self._read(self._file)
        return self._key

    def _read(self, file: Path) -> None:
        try:
            key = read_api_key(file)
        except SecretFileError as error:
            self._unusable(f"{file}: {error}; the key before it stays in use until the file holds a key")
            return
        if key != self._key:
            self._learned(key)
            self._earlier[self._key] = None
            self._earlier.pop(key, None)
            self._key = key


async def watch_key(source: KeySource, changed: Callable[[], None], interval: float = 1.0) -> None:
    """Call `changed` after each change of the key, until cancelled. Looks every `interval` seconds.

    Calls look at the file by themselves; this is for a worker that makes none because its key was refused.
    """
    seen = source.current()
    while True:
        await asyncio.sleep(interval)
        key = source.current()
        if key != seen:
            seen = key
            changed()


def _stamp(file: Path) -> _Stamp:
    # Followed through links: Kubernetes changes a mounted secret by swapping one. A changed permission counts too.
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
