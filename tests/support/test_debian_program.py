import os
from pathlib import Path

import pytest

from tests.support import debian_program
from tests.support.debian_program import find_or_install

PROGRAM = "a-program-that-nobody-has"
# Installs by making the program, as a package would.
APT = """#!/bin/sh
[ "$1" = update ] || printf '#!/bin/sh\\n' > {program}
[ "$1" = update ] || chmod +x {program}
"""


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with an apt-get of our own, and a user who may install."""
    folder = tmp_path / "commands"
    folder.mkdir()
    apt = folder / "apt-get"
    apt.write_text(APT.format(program=folder / PROGRAM))
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(debian_program, "POLICY", tmp_path / "policy-rc.d")
    return folder


async def test_a_program_that_is_lacking_is_installed_while_an_event_loop_runs(commands: Path) -> None:
    said: list[str] = []
    assert find_or_install(PROGRAM, "its-package", said.append) == str(commands / PROGRAM)
    assert said == [f"{PROGRAM} is not installed: installing its-package with apt-get"]
    assert find_or_install(PROGRAM, "its-package", said.append) == str(commands / PROGRAM)
    assert len(said) == 1


def test_what_cannot_be_installed_is_told(commands: Path) -> None:
    (commands / "apt-get").write_text("#!/bin/sh\necho no such package\nexit 100\n")
    said: list[str] = []
    assert find_or_install(PROGRAM, "its-package", said.append) is None
    assert "no such package" in said[-1]
