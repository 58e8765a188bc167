import pytest
from pydantic import ValidationError

from service.core.catalogue import Catalogue, Model, parse_size, size_name

SILENT = Model(name="silent", aliases=("mute",), sizes=((832, 480),), durations=(5,))
TALKIE = Model(name="talkie", sizes=((832, 480),), durations=(5, 10), audio=True, prompt_limit=1500)


def catalogue_json(sizes: str) -> str:
    return f'{{"models": [{{"name": "m", "sizes": {sizes}, "durations": [5]}}]}}'


@pytest.mark.parametrize("text", ["832*480", "832x480", "832X480", "832\u00d7480"])
def test_a_size_is_read_with_each_separator(text: str) -> None:
    assert parse_size(text) == (832, 480)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "832",
        "832*",
        "832 * 480",
        " 832*480",
        "832*480\n",
        "0832*480",
        "832*0480",
        "0*480",
        "832*0",
        "-832*480",
        "832.0*480",
        "832**480",
        "832*480*1",
        "480P",
        "٨٣٢*480",
        "1000000*480",
        "9" * 10_000 + "*480",
    ],
)
def test_what_is_no_size_is_not_read(text: str) -> None:
    assert parse_size(text) is None


def test_a_size_is_written_with_a_star() -> None:
    assert size_name((832, 480)) == "832*480"


@pytest.mark.parametrize("sizes", ['["832*480"]', '["832x480"]', "[[832, 480]]"])
def test_sizes_may_be_texts_or_pairs(sizes: str) -> None:
    catalogue = Catalogue.model_validate_json(catalogue_json(sizes), strict=True)

    assert catalogue.models[0].sizes == ((832, 480),)


@pytest.mark.parametrize("sizes", ["[]", '["480P"]', "[[832]]", "[[832, 0]]", "[832]", '"832*480"', "[null]"])
def test_wrong_sizes_are_refused(sizes: str) -> None:
    with pytest.raises(ValidationError):
        Catalogue.model_validate_json(catalogue_json(sizes), strict=True)


def test_a_model_is_found_by_its_name_and_its_aliases() -> None:
    catalogue = Catalogue(models=(SILENT, TALKIE))

    assert catalogue.find("silent") is SILENT
    assert catalogue.find("mute") is SILENT
    assert catalogue.find("SILENT") is None


def test_the_names_include_the_aliases() -> None:
    assert Catalogue(models=(SILENT, TALKIE)).names == ("silent", "mute", "talkie")


def test_the_models_that_take_audio_are_listed() -> None:
    assert Catalogue(models=(SILENT, TALKIE)).audio_models == ("talkie",)


@pytest.mark.parametrize("twin", [SILENT, TALKIE.model_copy(update={"aliases": ("mute",)})])
def test_a_name_that_stands_twice_is_refused(twin: Model) -> None:
    with pytest.raises(ValidationError, match="stands twice"):
        Catalogue(models=(SILENT, twin))


def test_a_catalogue_without_models_is_refused() -> None:
    with pytest.raises(ValidationError, match="must not be empty"):
        Catalogue(models=())
