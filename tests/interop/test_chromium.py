import os
from pathlib import Path

import pytest

from tests.interop.chromium import NoBrowserError, browser


def test_an_installed_browser_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chrome = tmp_path / "google-chrome"
    chrome.write_text("#!/bin/sh\n")
    chrome.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert browser(print) == str(chrome)


def test_who_can_neither_find_nor_install_one_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(NoBrowserError, match="apt-get install chromium"):
        browser(print)
