import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from service.adapters.api_key import KeySource, watch_key
from service.settings import EndpointSettings


@dataclass
class Heard:
    learned: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("sk-first\n")
    return file


@pytest.fixture
def source(file: Path, heard: Heard) -> KeySource:
    return KeySource(_settings(file), heard.learned.append, heard.unusable.append)


def _settings(file: Path | None) -> EndpointSettings:
    return EndpointSettings(base_url="https://host", api_key=SecretStr("sk-first"), api_key_file=file)


def _replace(file: Path, content: bytes) -> None:
    new = file.with_name("new")
    new.write_bytes(content)
    new.replace(file)


def test_a_key_without_a_file_never_changes() -> None:
    source = KeySource(_settings(None))
    assert (source.current(), source.earlier) == ("sk-first", ())


def test_a_file_that_did_not_change_tells_nothing(source: KeySource, heard: Heard) -> None:
    assert [source.current() for _ in range(3)] == ["sk-first"] * 3
    assert heard == Heard()


def test_a_file_that_did_not_change_is_not_read_again(
    source: KeySource, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.current()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", lambda *_, **__: pytest.fail("the file was read"))
        assert source.current() == "sk-first"


def test_a_key_that_changed_since_the_settings_were_read_is_taken(file: Path, heard: Heard) -> None:
    settings = _settings(file)
    _replace(file, b"sk-second\n")
    source = KeySource(settings, heard.learned.append)
    assert (source.current(), heard.learned) == ("sk-second", ["sk-second"])


def test_a_replaced_file_gives_the_new_key_and_remembers_the_old_one(
    source: KeySource, file: Path, heard: Heard
) -> None:
    source.current()
    _replace(file, b"sk-other\n")
    assert (source.current(), source.earlier, heard.learned) == ("sk-other", ("sk-first",), ["sk-other"])


def test_a_file_that_is_written_in_place_gives_the_new_key(source: KeySource, file: Path) -> None:
    source.current()
    file.write_text("sk-again\n")
    # Two writes within one tick of the clock of the file system would have one time.
    os.utime(file, ns=(1, 1))
    assert source.current() == "sk-again"


def test_a_swapped_link_gives_the_new_key(tmp_path: Path, heard: Heard) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(f"sk-{name}")
    (tmp_path / "..data").symlink_to("first")
    (tmp_path / "key").symlink_to("..data/key")
    source = KeySource(_settings(tmp_path / "key"), heard.learned.append)
    assert source.current() == "sk-first"
    (tmp_path / "swap").symlink_to("second")
    (tmp_path / "swap").rename(tmp_path / "..data")
    assert source.current() == "sk-second"


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"Bearer sk-second", b"two\nlines\n"])
def test_a_file_without_a_key_leaves_the_key_and_is_told_once(
    source: KeySource, file: Path, heard: Heard, content: bytes | None
) -> None:
    source.current()
    if content is None:
        file.unlink()
    else:
        _replace(file, content)
    assert [source.current() for _ in range(3)] == ["sk-first"] * 3
    (reason,) = heard.unusable
    assert reason.startswith(f"{file}: ")
    assert "sk-second" not in reason


def test_a_file_that_holds_a_key_again_is_taken(source: KeySource, file: Path, heard: Heard) -> None:
    for content in (b"", b"sk-second\n"):
        _replace(file, content)
        source.current()
    assert (source.current(), len(heard.unusable)) == ("sk-second", 1)


def test_a_key_that_comes_back_is_no_longer_an_earlier_one(source: KeySource, file: Path) -> None:
    for content in (b"sk-second", b"sk-first"):
        _replace(file, content)
        source.current()
    assert (source.current(), source.earlier) == ("sk-first", ("sk-second",))


async def test_a_watcher_hears_of_a_change_that_a_call_saw_first(source: KeySource, file: Path) -> None:
    changed, calls = asyncio.Event(), [0]

    def count() -> None:
        calls[0] += 1
        changed.set()

    watching = asyncio.create_task(watch_key(source, count, interval=0.0))
    await asyncio.sleep(0)
    _replace(file, b"sk-second\n")
    assert source.current() == "sk-second"
    await changed.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    watching.cancel()
    await asyncio.wait({watching})
    assert calls == [1]
