import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pydantic import SecretStr

from service.adapters.ledger.errors import LedgerConfigurationError
from service.adapters.ledger.opening import OpenLedger, open_ledger
from service.core.ledger import Claimed, LedgerUnavailable, Permit
from service.private_broker.free_ports import free_ports
from service.settings import LedgerSettings
from tests.support.fakes import FakeClock

NOBODY = 65534
ANOTHER_PROGRAM = "CREATE TABLE songs (title TEXT)"


def opened(url: str) -> AbstractAsyncContextManager[OpenLedger]:
    settings = LedgerSettings(url=SecretStr(url))
    return open_ledger(settings, holder="a", lease=timedelta(minutes=1), prefix="p", clock=FakeClock())


async def refusal(path: Path) -> str:
    with pytest.raises(LedgerConfigurationError) as refused:
        async with opened(f"sqlite:///{path}"):
            pass
    text = str(refused.value)
    assert text.startswith("VIDEOGEN_LEDGER__URL: ")
    return text


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def database(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


async def test_none_is_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened("none") as ledger:
        assert await ledger.claim("r", 1, Permit()) == Claimed()
    async with opened("none") as ledger:
        assert await ledger.find("r") is None
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("absolute", ["", "/"])
async def test_a_file_is_made_where_the_url_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absolute: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"{tmp_path}/a b%20ü.db" if absolute else "a b%20ü.db"
    async with opened(f"sqlite:///{name}") as ledger:
        await ledger.claim("r", 1, Permit())
    assert names_in(tmp_path) == ["a b%20ü.db"]


async def test_a_file_that_was_closed_leaves_nothing_beside_it(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        await ledger.claim("r", 1, Permit())
    assert names_in(tmp_path) == ["ledger.db"]


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert f"the folder {tmp_path}/away does not exist" in await refusal(tmp_path / "away" / "ledger.db")


async def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "does not exist" in await refusal(tmp_path / "file" / "ledger.db")


async def test_a_folder_that_takes_no_files_is_refused() -> None:
    # Nobody can make a file there, not even root.
    assert "check that its folder exists and the worker may write there" in await refusal(Path("/proc/ledger.db"))


def set_modes(path: Path, of_file: int, of_folder: int) -> None:
    path.chmod(of_file)
    path.parent.chmod(of_folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the rights of root for a while; nothing else is bound by file modes."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("folder_mode", [0o777, 0o555])
async def test_a_file_that_may_only_be_read_is_refused(folder_mode: int) -> None:
    # Not below `tmp_path`, which nobody else may enter.
    with TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        async with opened(f"sqlite:///{path}"):
            pass
        set_modes(path, 0o444, folder_mode)
        with as_nobody():
            assert "cannot be written: give the worker the right" in await refusal(path)
        set_modes(path, 0o600, 0o700)


async def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be opened" in await refusal(tmp_path)


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk\n" * 100)
    assert "is no SQLite database" in await refusal(path)
    assert path.read_text().startswith("remember")


@pytest.mark.parametrize("version", [0, 1])
async def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path, version: int) -> None:
    path = database(tmp_path / "songs.db", ANOTHER_PROGRAM, f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    assert "is no ledger of this worker: name another file" in await refusal(path)
    assert path.read_bytes() == before


async def test_the_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(f"sqlite:///{path}"):
        pass
    database(path, "PRAGMA user_version = 2")
    assert "was written by a newer version of the worker (format 2, this one knows 1)" in await refusal(path)


async def test_a_redis_that_is_away_is_no_reason_not_to_start() -> None:
    (port,) = free_ports(1)
    async with opened(f"redis://user:secret@127.0.0.1:{port}/0") as ledger:
        with pytest.raises(LedgerUnavailable, match="no Redis listens there") as unavailable:
            await ledger.claim("r", 1, Permit())
        (warning,) = await ledger.durability_warnings()
    assert "make sure that maxmemory-policy is noeviction" in warning
    assert "secret" not in f"{unavailable.value} {warning}"
