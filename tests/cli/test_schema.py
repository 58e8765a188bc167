import json
from pathlib import Path

import pytest
import yaml

from tests.support.process import Process, process

MODELS = '{"models": [{"name": "mine-t2v", "sizes": ["832*480"], "durations": [5]}]}'


def printed(ended: Process) -> str:
    return "\n".join(ended.output)


async def test_the_asyncapi_document_is_printed_as_yaml_without_any_setting(tmp_path: Path) -> None:
    async with process("schema", folder=tmp_path) as schema:
        assert await schema.exits() == 0

    document = yaml.safe_load(printed(schema))
    assert document["asyncapi"] == "3.0.0"
    assert document["channels"]["requestQueue"]["address"] == "videogen.requests"


async def test_it_is_printed_as_json_where_that_is_wanted(tmp_path: Path) -> None:
    async with process("schema", "asyncapi", "--format", "json", folder=tmp_path) as schema:
        assert await schema.exits() == 0

    assert json.loads(printed(schema))["asyncapi"] == "3.0.0"


@pytest.mark.parametrize(
    ("what", "title"),
    [("request", "Request"), ("result", "Result"), ("error", "ResultError"), ("completion", "Completion")],
)
async def test_each_schema_is_printed_as_json(what: str, title: str, tmp_path: Path) -> None:
    async with process("schema", what, folder=tmp_path) as schema:
        assert await schema.exits() == 0

    document = json.loads(printed(schema))
    assert document["title"] == title
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"


async def test_prefix_and_kept_time_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = {"VIDEOGEN_BROKER__PREFIX": "mine", "VIDEOGEN_BROKER__DEAD_TTL": "1h"}
    async with process("schema", environment=settings, folder=tmp_path) as schema:
        assert await schema.exits() == 0

    dead = yaml.safe_load(printed(schema))["channels"]["deadQueue"]
    assert dead["address"] == "mine.dead"
    assert dead["x-queue-arguments"]["x-message-ttl"] == 3_600_000


async def test_an_option_wins_over_the_prefix_of_the_settings(tmp_path: Path) -> None:
    settings = {"VIDEOGEN_BROKER__PREFIX": "mine"}
    async with process("schema", "--prefix", "yours", environment=settings, folder=tmp_path) as schema:
        assert await schema.exits() == 0

    assert yaml.safe_load(printed(schema))["channels"]["deadQueue"]["address"] == "yours.dead"


async def test_the_models_are_those_of_the_operators_file(tmp_path: Path) -> None:
    models = tmp_path / "models.json"
    models.write_text(MODELS)
    async with process("schema", "request", environment={"VIDEOGEN_MODELS_FILE": str(models)}) as schema:
        assert await schema.exits() == 0

    assert json.loads(printed(schema))["properties"]["model"]["enum"] == ["mine-t2v"]


@pytest.mark.parametrize(
    "settings", [{"VIDEOGEN_BROKER__PREFIX": "a b"}, {"VIDEOGEN_MODELS_FILE": "/nowhere/models.json"}]
)
async def test_a_wrong_setting_ends_it_with_status_2_and_its_name(settings: dict[str, str], tmp_path: Path) -> None:
    async with process("schema", environment=settings, folder=tmp_path) as schema:
        assert await schema.exits() == 2

    assert next(iter(settings)) in printed(schema)
    assert "Traceback" not in printed(schema)
