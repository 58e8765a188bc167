from pathlib import Path

import pytest

from service.adapters.catalogue_file import CatalogueError, load_catalogue

ONE_MODEL = '{"models": [{"name": "wan2.6-t2v", "sizes": ["1280*720"], "durations": [2, 15], "audio": true}]}'

P480 = {(832, 480), (480, 832), (624, 624)}
P720 = {(1280, 720), (720, 1280), (960, 960), (1088, 832), (832, 1088)}
P1080 = {(1920, 1080), (1080, 1920), (1440, 1440), (1632, 1248), (1248, 1632)}


def complaint(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(path)
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models.json"


@pytest.mark.parametrize(
    ("name", "alias", "sizes", "durations"),
    [
        ("wan2.2-t2v-plus", None, P480 | P1080, (5,)),
        ("wanx2.1-t2v-turbo", "wan2.1-t2v-turbo", P480 | P720, (5,)),
        ("wanx2.1-t2v-plus", "wan2.1-t2v-plus", P720, (5,)),
        ("wan2.5-t2v-preview", None, P480 | P720 | P1080, (5, 10)),
    ],
)
def test_the_shipped_catalogue_holds_the_models_of_the_endpoint(
    name: str, alias: str | None, sizes: set[tuple[int, int]], durations: tuple[int, ...]
) -> None:
    model = load_catalogue().find(alias or name)

    assert model is not None
    assert model.name == name
    assert set(model.sizes) == sizes
    assert (model.durations, model.prompt_limit) == (durations, 800)


def test_the_shipped_catalogue_holds_no_other_model() -> None:
    assert len(load_catalogue().models) == 4


def test_one_shipped_model_takes_audio() -> None:
    assert load_catalogue().audio_models == ("wan2.5-t2v-preview",)


def test_a_file_replaces_the_shipped_catalogue(path: Path) -> None:
    path.write_text(ONE_MODEL)

    catalogue = load_catalogue(path)

    assert catalogue.names == ("wan2.6-t2v",)
    assert catalogue.models[0].sizes == ((1280, 720),)


def test_a_missing_file_is_named_together_with_the_setting(path: Path) -> None:
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(path)

    assert str(path) in str(caught.value)
    assert "does not exist" in str(caught.value)
    assert "VIDEOGEN_MODELS_FILE" in str(caught.value)


def test_a_folder_is_no_catalogue(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read") as caught:
        load_catalogue(tmp_path)

    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", '{"models": [],}', b"\xff\xfe", "[" * 100_000])
def test_what_is_not_json_is_refused_with_its_place(path: Path, content: str | bytes) -> None:
    message = complaint(path, content)

    assert str(path) in message
    assert "not JSON" in message
    assert "line 1 column" in message


@pytest.mark.parametrize(
    ("old", "new", "flaw"),
    [
        (ONE_MODEL, "[]", "must be an object, not an array"),
        (ONE_MODEL, "{}", "models is required: give a list, each item a model"),
        (ONE_MODEL, '{"models": []}', "models must not be empty"),
        (ONE_MODEL, '{"models": [5]}', "models[0] must be a model, not 5"),
        ('"1280*720"', '"720P"', 'models[0].sizes[0] must be a size such as "832*480", not "720P"'),
        ('"1280*720"', "[1280, 0]", 'models[0].sizes[0][1] must be a size such as "832*480", not 0'),
        ("[2, 15]", "[]", "models[0].durations must not be empty"),
        ("15", '"15"', 'models[0].durations[1] must be a whole number of seconds above 0, not "15"'),
        ("true", '"yes"', 'models[0].audio must be true or false, not "yes"'),
        ('"name"', '"nmae"', "models[0].name is required"),
        ('"audio"', '"audios"', "models[0].audios is no known field: did you mean audio?"),
        ('"audio": true', '"aliases": ["wan2.6-t2v"]', "the name 'wan2.6-t2v' stands twice"),
    ],
)
def test_a_wrong_shape_is_refused_with_the_place_in_the_file(path: Path, old: str, new: str, flaw: str) -> None:
    message = complaint(path, ONE_MODEL.replace(old, new))

    assert str(path) in message
    assert f"Correct it: {flaw}" in message


def test_every_flaw_is_told_at_once(path: Path) -> None:
    message = complaint(path, ONE_MODEL.replace("15", "0").replace("true", "1"))

    assert "models[0].durations[1]" in message
    assert "models[0].audio" in message


def test_pydantic_is_not_quoted(path: Path) -> None:
    message = complaint(path, '{"models": [{"name": 1, "sizes": [[1]], "durations": {}, "more": 1}]}')

    assert "Input should" not in message
    assert "type=" not in message
    assert "https:" not in message
