import json

import yaml

from service.schema.text import Form, written

SHARED = {"a": [1]}
DOCUMENT = {"z": SHARED, "b": SHARED, "blanks": " \u2028\u0085\u00d7", "no": "no"}


def test_both_forms_read_back_as_the_same_document() -> None:
    assert json.loads(written(DOCUMENT, Form.JSON)) == DOCUMENT
    assert yaml.safe_load(written(DOCUMENT, Form.YAML)) == DOCUMENT


def test_a_value_that_stands_twice_is_written_twice() -> None:
    assert "&" not in written(DOCUMENT, Form.YAML)
    assert written(DOCUMENT, Form.YAML).startswith("z:\n  a:\n  - 1\nb:\n  a:\n  - 1\n")


def test_no_blank_ends_a_line_of_json() -> None:
    assert len(written(DOCUMENT, Form.JSON).splitlines()) == written(DOCUMENT, Form.JSON).count("\n")
