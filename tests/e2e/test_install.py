"""The package, installed by a stranger into an empty environment."""

import os
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but the package and what it asks for; gives its folder of commands."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    install = [str(BIN / "uv"), "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), str(ROOT)]
    subprocess.run(install, check=True)
    return folder / "bin"


@pytest.mark.timeout(300)
def test_it_has_a_working_help_in_under_a_second(installed: Path, tmp_path: Path) -> None:
    def seconds() -> float:
        began = time.perf_counter()
        told = subprocess.run([installed / "videogen-worker", "--help"], cwd=tmp_path, capture_output=True, check=True)
        assert b"Usage: videogen-worker" in told.stdout
        return time.perf_counter() - began

    # The best of a few: what the command takes, not what else the machine is doing.
    assert min(seconds() for _ in range(5)) < 1.0


@pytest.mark.parametrize("command", ["run", "check", "submit", "simulate", "demo", "schema"])
def test_every_command_has_a_help(command: str, installed: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [installed / "videogen-worker", command, "--help"], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    assert f"Usage: videogen-worker {command}" in told.stdout


def test_it_finds_its_own_model_catalogue(installed: Path, tmp_path: Path) -> None:
    code = "from service.adapters.catalogue_file import load_catalogue; print(len(load_catalogue(None).models))"
    told = subprocess.run([installed / "python", "-c", code], cwd=tmp_path, capture_output=True, check=True, text=True)
    assert told.stdout.strip() == "4"


def test_wrong_settings_are_said_without_a_traceback(installed: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIDEOGEN_")}
    told = subprocess.run(
        [installed / "videogen-worker", "run"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    assert told.returncode == 2
    assert "VIDEOGEN_ENDPOINT__API_KEY" in told.stderr
    assert "Traceback" not in told.stderr
