from pathlib import Path

import pytest

from service.private_broker.broker import PassedOverError
from service.private_broker.installation import find_installation


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o755)
    return path


def real_scripts(folder: Path) -> Path:
    for name in ("rabbitmq-env", "rabbitmq-server", "rabbitmqctl"):
        program(folder / name)
    return folder


@pytest.fixture
def epmd(tmp_path: Path) -> Path:
    return program(tmp_path / "bin" / "epmd")


def test_scripts_on_the_path_are_found(tmp_path: Path, epmd: Path) -> None:
    folder = real_scripts(epmd.parent)
    found = find_installation(str(folder), [])
    assert (found.server, found.control, found.epmd) == (
        folder / "rabbitmq-server",
        folder / "rabbitmqctl",
        epmd,
    )


def test_a_link_on_the_path_is_followed(tmp_path: Path, epmd: Path) -> None:
    folder = real_scripts(tmp_path / "rabbitmq_server-4.1.0" / "sbin")
    (epmd.parent / "rabbitmq-server").symlink_to(folder / "rabbitmq-server")
    assert find_installation(str(epmd.parent), []).server == folder / "rabbitmq-server"


def test_the_real_script_beside_debians_wrapper_is_taken(tmp_path: Path, epmd: Path) -> None:
    folder = real_scripts(tmp_path / "lib" / "rabbitmq" / "bin")
    wrapper = program(folder / "rabbitmq-script-wrapper")
    (epmd.parent / "rabbitmq-server").symlink_to(wrapper)
    assert find_installation(str(epmd.parent), []).server == folder / "rabbitmq-server"


def test_a_copied_wrapper_is_passed_by_for_a_usual_place(tmp_path: Path, epmd: Path) -> None:
    for name in ("rabbitmq-server", "rabbitmqctl"):
        program(epmd.parent / name)
    folder = real_scripts(tmp_path / "lib" / "rabbitmq_server-3.13.7" / "sbin")
    found = find_installation(str(epmd.parent), [f"{tmp_path}/lib/rabbitmq_server-*/sbin"])
    assert found.server == folder / "rabbitmq-server"


def test_nothing_installed_is_a_reason_to_pass_over(tmp_path: Path) -> None:
    with pytest.raises(PassedOverError, match="rabbitmq-server is not installed"):
        find_installation(str(tmp_path), [f"{tmp_path}/*"])
