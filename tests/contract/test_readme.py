"""The bodies that README.md and the pages of docs/ show are what the checked-in schemas allow."""

import ast
import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((ROOT / f"docs/schemas/{name}.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("status", ["submitted", "failed"])
def test_the_result_of_each_status_that_the_readme_shows_passes(status: str) -> None:
    (shown,) = [body for body in RESULTS if body["status"] == status]

    schema("result").validate(shown)


def test_the_error_that_the_readme_shows_passes() -> None:
    (error,) = [body["error"] for body in RESULTS if "error" in body]

    schema("error").validate(error)


def test_the_request_of_the_readmes_program_passes() -> None:
    found = re.search(r"^ +request = (\{.*\})$", README, re.MULTILINE)
    assert found is not None

    schema("request").validate(ast.literal_eval(found[1]))


def test_each_completion_that_its_page_shows_passes() -> None:
    page = (ROOT / "docs/completion.md").read_text(encoding="utf-8")
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]

    assert {body["status"] for body in shown} == {"succeeded", "failed"}
    assert all(schema("completion").is_valid(body) for body in shown)


def test_the_table_of_fields_is_that_of_the_schema() -> None:
    text = (ROOT / "docs/messages.md").read_text(encoding="utf-8")
    table = text.split("| field | type | rule |", 1)[1].split("\n\n", 1)[0]
    request = json.loads((ROOT / "docs/schemas/request.json").read_text(encoding="utf-8"))

    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(request["properties"])


def test_the_table_of_error_codes_is_that_of_the_schema() -> None:
    text = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    table = text.split("| `error.code` | when |", 1)[1].split("\n\n", 1)[0]
    error = json.loads((ROOT / "docs/schemas/error.json").read_text(encoding="utf-8"))

    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == error["properties"]["code"]["enum"]
