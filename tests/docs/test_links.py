"""Links between pages, as a forge shows them: do their files and headings exist?"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from service.settings.names import KNOWN, PREFIX, TEST_PREFIX
from tests.docs.outside_pages import site_path
from tests.docs.pages import ROOT, markdown_files

PAGES = markdown_files()
# Kubernetes sets these by itself for a Service; docs/settings.md says that they are let pass.
FOREIGN = re.compile(rf"{PREFIX}WORKER_(SERVICE_|PORT_)\w*")


def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """List where a page links to, pictures included, addresses elsewhere left out."""
    inner = [child for token in tokens(page) for child in token.children or ()]
    found = [str(child.attrGet("href") or child.attrGet("src") or "") for child in inner]
    return [link for link in found if link and "://" not in link]


def anchors(page: Path) -> set[str]:
    """Name the headings of a page as forges and MkDocs do."""
    parsed = tokens(page)
    heads = [parsed[at + 1] for at, token in enumerate(parsed) if token.type == "heading_open"]
    return {anchor("".join(child.content for child in head.children or ())) for head in heads}


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, fragment = unquote(link).partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return False
    return not fragment or (target.suffix == ".md" and fragment in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not leads_somewhere(page, link)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z](?![A-Z_*.…])", page.read_text(encoding="utf-8")))
    ours = {name for name in named if not name.startswith(TEST_PREFIX) and not FOREIGN.fullmatch(name)}
    assert ours <= set(KNOWN)


def test_a_link_to_a_missing_file_or_heading_leads_nowhere() -> None:
    page = ROOT / "docs" / "messages.md"
    assert leads_somewhere(page, "settings.md#broker")
    assert not leads_somewhere(page, "settings.md#brokers")
    assert not leads_somewhere(page, "setting.md")


def test_the_navigation_of_the_site_has_every_page() -> None:
    given = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    places = {site_path(page.relative_to(ROOT).as_posix()) for page in PAGES}
    assert sorted(in_navigation(given["nav"])) == sorted(places), "put it into the nav of mkdocs.yml"


def in_navigation(entry: Any) -> list[str]:  # noqa: ANN401 - as YAML has it: names, lists, titles with either
    match entry:
        case str():
            return [entry]
        case dict():
            return [place for part in entry.values() for place in in_navigation(part)]
        case _:
            return [place for part in entry for place in in_navigation(part)]


def test_the_documentation_names_every_page() -> None:
    listed = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in links(ROOT / "docs" / "README.md")}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "decisions"}
    assert pages - listed == {ROOT / "docs" / "README.md"}
