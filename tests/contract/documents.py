"""The documents in `docs/` that are made from the code; `python -m tests.contract.documents` makes them anew."""

import tempfile
from hashlib import sha256
from pathlib import Path

from service.adapters.catalogue_file import load_catalogue
from service.adapters.version import installed_version
from service.core.topology import Topology
from service.schema import asyncapi_document, completion_schema, error_schema, request_schema, result_schema
from service.schema.text import Form, written

DOCS = Path(__file__).parents[2] / "docs"
ASYNCAPI = DOCS / "asyncapi.yaml"
PAGE = DOCS / "asyncapi.html"
RENEWAL = "make contract"


def documents() -> dict[Path, str]:
    """Build each document for the default names, the shipped catalogue and this release."""
    catalogue = load_catalogue(None)
    return {
        ASYNCAPI: written(asyncapi_document(Topology(), catalogue, installed_version()), Form.YAML),
        DOCS / "schemas/request.json": written(request_schema(catalogue), Form.JSON),
        DOCS / "schemas/result.json": written(result_schema(), Form.JSON),
        DOCS / "schemas/completion.json": written(completion_schema(), Form.JSON),
        DOCS / "schemas/error.json": written(error_schema(), Form.JSON),
    }


def page_mark(document: bytes) -> str:
    """Name the document that a page was made from, in the words of its head."""
    return f'<meta name="made-from" content="asyncapi.yaml, sha256 {sha256(document).hexdigest()}">'


def page() -> str:
    """Make the page of the checked-in AsyncAPI document: one file that loads nothing from elsewhere."""
    # Of the dependency group `interop`, which is not there where only the documents are compared.
    from tests.interop.node_tools import asyncapi  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        asyncapi(
            *("generate", "fromTemplate", str(ASYNCAPI), "@asyncapi/html-template"),
            *("--no-interactive", "--force-write", "--output", folder),
            *("--param", "singleFile=true", "--param", f"outFilename={PAGE.name}"),
        )
        made = (Path(folder) / PAGE.name).read_text(encoding="utf-8")
    return made.replace("<head>", f"<head>\n      {page_mark(ASYNCAPI.read_bytes())}", 1)


def renew() -> None:
    """Write every document, and the page where its document changed."""
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
    mark = page_mark(ASYNCAPI.read_bytes())
    if not PAGE.exists() or mark not in PAGE.read_text(encoding="utf-8"):
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    renew()
