"""A hook of MkDocs: takes pages from outside `docs/` into the site, where they are, and turns the links between them.

Where forges and MkDocs read Markdown differently, it writes what MkDocs reads.

A page keeps its path in the repository as its path in the site, without `docs/`. The README has another name there,
because `docs/README.md` is the first page.
"""

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
_DOCS = "docs/"
_RENAMED = {"README.md": "overview.md"}
_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
# Taken in as a whole: pages link to the files that they are about.
_FOLDER = "deploy"

_FENCE = re.compile(r"(^ *```.*?^ *```)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\|.*$", re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add what lies outside `docs/`."""
    # Of the dependency group `docs`, which is not there where links alone are turned.
    from mkdocs.structure.files import File  # noqa: PLC0415

    for path in outside():
        files.append(File.generated(config, site_path(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Turn the links of a page from the repository's paths to those of the site."""
    return with_plain_bars(turned(markdown, str(page.file.src_uri)))


def outside() -> list[str]:
    """List the files that are taken in, by their paths in the repository."""
    of_the_folder = (path for path in sorted((ROOT / _FOLDER).rglob("*")) if path.is_file())
    return [*_PAGES, *(path.relative_to(ROOT).as_posix() for path in of_the_folder)]


def site_path(path: str) -> str:
    """Name the place in the site of a path in the repository."""
    return _RENAMED.get(path, path.removeprefix(_DOCS))


def repository_path(place: str) -> str:
    """Name the path in the repository of a place in the site."""
    taken_in = {site_path(path): path for path in outside()}
    return taken_in.get(place, f"{_DOCS}{place}")


def turned(markdown: str, place: str) -> str:
    """Turn the links in the text of the page at `place`; what stands in a fenced block is left as it is."""
    here = posixpath.dirname(repository_path(place))
    parts = _FENCE.split(markdown)
    # Every second part is a fenced block.
    parts[::2] = [_LINK.sub(lambda link: _link(link, here, place), part) for part in parts[::2]]
    return "".join(parts)


def _link(link: re.Match[str], here: str, place: str) -> str:
    path, hash_, anchor = link["target"].partition("#")
    if not path or ":" in path or path.startswith("/"):
        return link[0]
    meant = posixpath.normpath(posixpath.join(here, path))
    if (ROOT / meant).is_dir():
        meant = f"{meant}/README.md"
        if not (ROOT / meant).is_file():
            # The site shows no folders.
            return link["text"]
    target = posixpath.relpath(site_path(meant), posixpath.dirname(place) or ".")
    return f"[{link['text']}]({target}{hash_}{anchor})"


def with_plain_bars(markdown: str) -> str:
    """Take the backslash from bars within code of a table: forges need it there, and MkDocs would show it."""
    return _ROW.sub(lambda row: _CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0]), markdown)
