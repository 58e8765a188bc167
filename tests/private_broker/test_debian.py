import asyncio
import os
import subprocess
from pathlib import Path
from stat import S_IMODE

import pytest

from service.private_broker import debian
from service.private_broker.broker import PassedOverError, Say
from service.private_broker.debian import install_rabbitmq

# Instead of installing anything: notes what it was asked for, and what a package script would be told.
APT = """#!/bin/sh
echo "$DEBIAN_FRONTEND: $*" >>"$APT_LOG"
{policy} rabbitmq-server start; echo "policy: $?" >>"$APT_LOG"
{end}
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(debian, "POLICY", path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return path


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "apt.log"
    monkeypatch.setenv("APT_LOG", str(path))
    return path


def install(path: str, say: Say = print) -> None:
    asyncio.run(install_rabbitmq(path, say))


def search_path(tmp_path: Path, policy: Path, end: str = "exit 0") -> str:
    apt = tmp_path / "apt-get"
    apt.write_text(APT.format(policy=policy, end=end))
    apt.chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


def test_the_package_is_installed_without_questions(tmp_path: Path, policy: Path, log: Path) -> None:
    install(search_path(tmp_path, policy))
    asked = [line for line in log.read_text().splitlines() if line.startswith("noninteractive")]
    assert asked[0].endswith(" update")
    assert asked[1].endswith(" install -y --no-install-recommends rabbitmq-server")


def test_an_installation_is_announced(tmp_path: Path, policy: Path, log: Path) -> None:
    lines: list[str] = []
    install(search_path(tmp_path, policy), lines.append)
    assert lines == ["rabbitmq-server is not installed: installing it with apt-get (a minute or two)"]


def test_the_distributions_service_is_not_started(tmp_path: Path, policy: Path, log: Path) -> None:
    install(search_path(tmp_path, policy))
    assert log.read_text().count("policy: 101") == 2
    assert not policy.exists()


def test_a_policy_that_was_there_stays(tmp_path: Path, policy: Path, log: Path) -> None:
    policy.write_text("#!/bin/sh\nexit 104\n")
    policy.chmod(0o700)
    install(search_path(tmp_path, policy))
    assert policy.read_text() == "#!/bin/sh\nexit 104\n"
    assert S_IMODE(policy.stat().st_mode) == 0o700


def test_a_policy_left_behind_by_a_dead_process_forbids_nothing(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with monkeypatch.context() as as_another:
        as_another.setattr(os, "getpid", lambda: gone.pid)
        with debian._services_stay_down(policy):
            assert subprocess.run([policy, "any", "start"], check=False).returncode == 0


def test_a_failed_installation_closes_the_way_and_tells_why(tmp_path: Path, policy: Path, log: Path) -> None:
    path = search_path(tmp_path, policy, "echo 'E: no network'; exit 100")
    with pytest.raises(PassedOverError, match="apt-get update failed:\nE: no network"):
        install(path)
    assert not policy.exists()


def test_an_ordinary_user_cannot_install(tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PassedOverError, match="only root can install rabbitmq-server"):
        install(search_path(tmp_path, policy))


def test_a_system_without_apt_cannot_install(tmp_path: Path) -> None:
    with pytest.raises(PassedOverError, match="this system has no apt-get"):
        install(str(tmp_path))
