import shutil
from collections.abc import Iterator
from stat import S_IMODE

import pytest

from service.private_broker.node_files import NodeFiles, create_node_files


@pytest.fixture
def files() -> Iterator[NodeFiles]:
    files = create_node_files(["rabbitmq_management", "rabbitmq_shovel"], {"consumer_timeout": "20000"})
    yield files
    shutil.rmtree(files.folder)


def test_configuration_and_loopback_stand_in_its_own_file(files: NodeFiles) -> None:
    lines = (files.folder / "rabbitmq.conf").read_text().splitlines()
    assert lines == [f"listeners.tcp.1 = 127.0.0.1:{files.amqp}", "consumer_timeout = 20000"]


def test_plugins_stand_in_its_own_list(files: NodeFiles) -> None:
    assert (files.folder / "enabled_plugins").read_text() == "[rabbitmq_management,rabbitmq_shovel].\n"


def test_the_cookie_is_for_the_owner_alone(files: NodeFiles) -> None:
    assert S_IMODE((files.folder / ".erlang.cookie").stat().st_mode) == 0o400


def test_settings_of_another_rabbitmq_are_not_inherited(files: NodeFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RABBITMQ_USE_LONGNAME", "true")
    monkeypatch.setenv("ERL_FLAGS", "-heart")
    assert not {"RABBITMQ_USE_LONGNAME", "ERL_FLAGS"} & files.environment.keys()


def test_every_path_of_the_environment_lies_in_the_folder(files: NodeFiles) -> None:
    own = {name: value for name, value in files.environment.items() if name.startswith(("RABBITMQ_", "HOME"))}
    paths = [value for value in own.values() if value.startswith("/")]
    assert len(paths) == 10
    assert all(path.startswith(str(files.folder)) for path in paths)


def test_names_and_folders_are_unique(files: NodeFiles) -> None:
    other = create_node_files([], {})
    shutil.rmtree(other.folder)
    assert (other.name, other.folder) != (files.name, files.folder)


def test_the_log_excerpt_begins_at_the_first_error(files: NodeFiles) -> None:
    (files.folder / "console.log").write_text("fine\n[error] cause\n[error] consequence\ncrash\n")
    assert files.log_excerpt(2) == "[error] cause\n[error] consequence"


def test_the_excerpt_of_a_log_without_errors_is_its_end(files: NodeFiles) -> None:
    (files.folder / "console.log").write_text("one\ntwo\nthree\n")
    assert files.log_excerpt(2) == "two\nthree"


def test_a_node_that_printed_nothing_has_an_empty_excerpt(files: NodeFiles) -> None:
    assert files.log_excerpt() == ""
