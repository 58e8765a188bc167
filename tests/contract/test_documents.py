from pathlib import Path

import pytest

from tests.contract.documents import ASYNCAPI, DOCS, PAGE, RENEWAL, documents, page_mark

BUILT = documents()


@pytest.mark.parametrize("path", sorted(BUILT), ids=lambda path: path.name)
def test_each_document_says_what_the_code_says(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == BUILT[path], f"{path.name} is out of date. Renew it: {RENEWAL}"


def test_no_schema_is_left_over() -> None:
    assert {path for path in BUILT if path.parent.name == "schemas"} == set((DOCS / "schemas").iterdir())


def test_the_page_is_made_from_the_document() -> None:
    made_from = page_mark(ASYNCAPI.read_bytes()) in PAGE.read_text(encoding="utf-8")

    assert made_from, f"{PAGE.name} is out of date. Renew it: {RENEWAL}"
