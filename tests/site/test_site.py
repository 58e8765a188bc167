"""The site that `make docs` built: does it load nothing from elsewhere, and does every link lead somewhere?"""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from typing_extensions import override

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site"
# Made by AsyncAPI's own generator; tests/interop looks at it.
FOREIGN = {SITE / "asyncapi.html"}
PAGES = [page for page in sorted(SITE.rglob("*.html")) if page not in FOREIGN]

LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
# Text in these is shown as it is written.
LITERAL = {"code", "pre", "script", "style", "title"}


class ReadPage(HTMLParser):
    """What a page loads and links to, the names of its places, and its text outside of code."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()
        self.text: list[str] = []
        self._literal = 0
        self.feed(page.read_text(encoding="utf-8"))

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value is not None}
        if (loaded := given.get(LOADS.get(tag, ""))) is not None:
            self.loads.append(loaded)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.names |= {given[name] for name in ("id", "name") if name in given}
        self._literal += tag in LITERAL

    @override
    def handle_endtag(self, tag: str) -> None:
        self._literal -= tag in LITERAL

    @override
    def handle_data(self, data: str) -> None:
        if not self._literal:
            self.text.append(data)


READ = {page: ReadPage(page) for page in PAGES}


def test_the_site_was_built() -> None:
    assert len(PAGES) > 20, "nothing is there to be looked at; run make docs"


def test_a_page_that_the_navigation_lacks_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "mkdocs.yml").write_text(
        f"INHERIT: {ROOT}/mkdocs.yml\ndocs_dir: {ROOT}/docs\nsite_dir: {tmp_path}/site\n"
        f"hooks: [{ROOT}/tests/docs/outside_pages.py]\nwatch: []\nnav: [README.md]\n"
    )
    found = re.search(r"mkdocs (build.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert found is not None
    command = [sys.executable, "-m", "mkdocs", *found[1].split(), "--config-file", str(tmp_path / "mkdocs.yml")]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 1
    assert 'not included in the "nav" configuration' in built.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SITE)))
def test_a_page_loads_nothing_from_elsewhere(page: Path) -> None:
    foreign = [url for url in READ[page].loads if urlsplit(url).netloc]
    assert READ[page].loads
    assert foreign == []


def test_no_style_loads_anything_from_elsewhere() -> None:
    styles = list(SITE.rglob("*.css"))
    assert styles
    assert [style for style in styles if "url(http" in style.read_text() or "@import" in style.read_text()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SITE)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in READ[page].links if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    # The page for what is not found has links from the root of a server.
    path = unquote(parts.path)
    target = SITE / path.lstrip("/") if path.startswith("/") else page.parent / path
    target = target.resolve() if path else page
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return False
    return not parts.fragment or target not in READ or unquote(parts.fragment) in READ[target].names | {"__top"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SITE)))
def test_no_markdown_is_left_over(page: Path) -> None:
    text = "".join(READ[page].text)
    assert [sign for sign in ("```", "](", "|---", "<!--") if sign in text] == []
