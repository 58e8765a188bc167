"""A real browser: an installed Chromium or Chrome, or Debian's package where we may install it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from service.private_broker.broker import Say
from tests.support.debian_program import find_or_install

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
PACKAGE = "chromium"
INSTALL_LIMIT = 600.0

_FLAGS = (
    # Its own sandbox refuses root.
    "--no-sandbox",
    "--disable-gpu",
    # A closed network: it must look for nothing.
    *("--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-first-run", "--disable-dev-shm-usage"),
)


class NoBrowserError(Exception):
    """There is no browser to be had; the message says what to install."""


class BrowserPage:
    """A page, and everything that it complained of or asked the network for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda said: self._heard(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def _heard(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(f"{kind}: {text}")


@contextmanager
def browser_page(say: Say) -> Iterator[BrowserPage]:
    """Open an empty page in a headless browser of our own.

    Raises:
        NoBrowserError: none is installed, and none can be.
    """
    program = browser(say)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield BrowserPage(started.new_page())
        finally:
            started.close()


def browser(say: Say) -> str:
    """Find a browser, or install Debian's.

    Raises:
        NoBrowserError: as above.
    """
    installed = next(filter(None, map(shutil.which, PROGRAMS)), None)
    program = installed or find_or_install(PACKAGE, PACKAGE, say)
    if program is None:
        raise NoBrowserError(
            "No Chromium is installed, and it cannot be installed from here. Install it (Debian, Ubuntu: "
            "sudo apt-get install chromium), or Google Chrome, so that it is on the PATH."
        )
    return program
