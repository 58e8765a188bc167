import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.core.catalogue import Catalogue, Model
from service.core.contract import VideoRequest
from service.core.explanation import explained
from service.core.request_body import BodyContext, RequestBody

SILENT = Model(
    name="silent-t2v", aliases=("mute-t2v",), sizes=((832, 480), (480, 832)), durations=(5,), prompt_limit=10
)
TALKIE = Model(name="talkie-t2v", sizes=((1920, 1080),), durations=(5, 10), audio=True)
CATALOGUE = Catalogue(models=(SILENT, TALKIE))

SILENT_CAT = {"prompt": "a cat", "model": "silent-t2v"}
TALKING_CAT = {"prompt": "a cat", "model": "talkie-t2v"}
UNKNOWN_MODEL = {"prompt": "a cat", "model": "sora"}


def read(document: object, catalogue: Catalogue = CATALOGUE) -> tuple[VideoRequest, list[str]]:
    context = BodyContext(catalogue)
    body = RequestBody.model_validate_json(json.dumps(document), context=context)
    return body.request(), context.warnings


def problems(document: object, catalogue: Catalogue = CATALOGUE) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        read(document, catalogue)
    return {str(place[0]): message for place, message in explained(caught.value, RequestBody.model_fields)}


def test_every_field_is_taken_over() -> None:
    request, warnings = read(
        {
            "prompt": "a cat",
            "model": "talkie-t2v",
            "duration": 10,
            "size": "1920*1080",
            "watermark": False,
            "template": "flying",
            "negative_prompt": "dogs",
            "prompt_extend": True,
            "seed": 0,
            "audio_url": "https://example.org/voice.wav",
        }
    )

    assert warnings == []
    assert request == VideoRequest(
        prompt="a cat",
        model="talkie-t2v",
        duration=10,
        size=(1920, 1080),
        watermark=False,
        template="flying",
        negative_prompt="dogs",
        prompt_extend=True,
        seed=0,
        audio_url="https://example.org/voice.wav",
    )


OPTIONAL = sorted(RequestBody.model_fields.keys() - {"prompt", "model"})


@pytest.mark.parametrize("field", OPTIONAL)
def test_null_leaves_an_optional_field_unset(field: str) -> None:
    assert read({**SILENT_CAT, field: None}) == read(SILENT_CAT)


@pytest.mark.parametrize("field", ["prompt", "model"])
def test_null_is_wrong_for_a_required_field(field: str) -> None:
    assert problems({**SILENT_CAT, field: None})[field].endswith("not null")


@pytest.mark.parametrize("field", ["prompt", "model"])
def test_a_required_field_must_be_there(field: str) -> None:
    document = {name: value for name, value in SILENT_CAT.items() if name != field}

    assert problems(document)[field].startswith("is required")


@pytest.mark.parametrize("value", [True, 5.0, "5", [5], {}])
@pytest.mark.parametrize("field", ["duration", "seed"])
def test_only_a_whole_number_is_a_whole_number(field: str, value: object) -> None:
    assert problems({**TALKING_CAT, field: value}).keys() == {field}


@pytest.mark.parametrize("value", [0, 1, "true", [], {}])
@pytest.mark.parametrize("field", ["watermark", "prompt_extend"])
def test_only_true_and_false_are_true_and_false(field: str, value: object) -> None:
    assert problems({**TALKING_CAT, field: value}).keys() == {field}


@pytest.mark.parametrize("value", [True, 5, 0.5, [832, 480], {}])
@pytest.mark.parametrize("field", ["prompt", "model", "size", "template", "negative_prompt", "audio_url"])
def test_only_a_text_is_a_text(field: str, value: object) -> None:
    assert problems({**TALKING_CAT, field: value}).keys() == {field}


def test_an_alias_becomes_the_name_in_the_catalogue() -> None:
    request, _ = read({**SILENT_CAT, "model": "mute-t2v"})

    assert request.model == "silent-t2v"


@pytest.mark.parametrize("written", ["silent-tv2", "Silent-T2V", "silnt-t2v"])
def test_a_misspelt_model_is_told_the_close_one(written: str) -> None:
    assert "did you mean silent-t2v" in problems({**SILENT_CAT, "model": written})["model"]


@pytest.mark.parametrize("written", ["sora", "", "x" * 100_000])
def test_a_model_like_no_other_is_told_the_whole_list(written: str) -> None:
    message = problems({**SILENT_CAT, "model": written})["model"]

    assert message.endswith("use silent-t2v or talkie-t2v")
    assert len(message) < 200


@pytest.mark.parametrize("prompt", ["", " ", "\t\r\n", "\u3000\u2003\u00a0", " " * 10 + "a cat"])
def test_a_prompt_that_would_be_sent_blank_is_wrong(prompt: str) -> None:
    assert problems({**SILENT_CAT, "prompt": prompt})["prompt"].startswith("must not be blank")


@pytest.mark.parametrize("character", ["a", "语", "😀", "\u0301"])
def test_a_long_prompt_is_cut_to_the_limit_of_the_model_in_code_points(character: str) -> None:
    request, warnings = read({**SILENT_CAT, "prompt": "x" + character * 12})

    assert request.prompt == "x" + character * 9
    assert warnings == ["prompt had 13 characters; it was cut to the first 10"]


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text[:10].strip()))
def test_what_remains_of_a_prompt_is_its_beginning(prompt: str) -> None:
    request, warnings = read({**SILENT_CAT, "prompt": prompt})

    assert prompt.startswith(request.prompt)
    assert len(request.prompt) == min(len(prompt), 10)
    assert len(warnings) == (len(prompt) > 10)


@pytest.mark.parametrize("length", [0, 1, 500])
def test_a_negative_prompt_of_500_characters_stays_whole(length: int) -> None:
    request, warnings = read({**SILENT_CAT, "negative_prompt": "😀" * length})

    assert request.negative_prompt == "😀" * length
    assert warnings == []


def test_a_longer_negative_prompt_is_cut_to_500_characters() -> None:
    request, warnings = read({**SILENT_CAT, "negative_prompt": "😀" * 501})

    assert request.negative_prompt == "😀" * 500
    assert warnings == ["negative_prompt had 501 characters; it was cut to the first 500"]


@pytest.mark.parametrize(
    ("document", "duration", "allowed"),
    [
        (SILENT_CAT, 10, "must be 5 seconds for silent-t2v, not 10"),
        (TALKING_CAT, 6, "must be 5 or 10 seconds for talkie-t2v, not 6"),
        (TALKING_CAT, 0, "must be a whole number of seconds above 0, not 0"),
        (TALKING_CAT, -5, "must be a whole number of seconds above 0, not -5"),
        (UNKNOWN_MODEL, 0, "must be a whole number of seconds above 0, not 0"),
    ],
)
def test_a_duration_must_be_one_of_the_model(document: dict[str, str], duration: int, allowed: str) -> None:
    assert problems({**document, "duration": duration})["duration"] == allowed


@pytest.mark.parametrize("size", ["832*480", "832x480", "832X480", "832\u00d7480"])
def test_a_size_is_taken_with_each_separator(size: str) -> None:
    request, _ = read({**SILENT_CAT, "size": size})

    assert request.size == (832, 480)


@pytest.mark.parametrize("document", [SILENT_CAT, UNKNOWN_MODEL])
@pytest.mark.parametrize("size", ["", "832 * 480", "0832*480", "0*480", "480P", 5])
def test_a_size_of_another_form_is_wrong_whatever_the_model(document: dict[str, str], size: object) -> None:
    assert problems({**document, "size": size})["size"].startswith('must be a string such as "832*480", not ')


def test_a_size_that_the_model_lacks_is_told_those_it_has() -> None:
    message = problems({**SILENT_CAT, "size": "1920x1080"})["size"]

    assert message == 'must be 832*480 or 480*832 for silent-t2v, not "1920x1080"'


@pytest.mark.parametrize("seed", [0, 2147483647])
def test_a_seed_within_its_bounds_passes(seed: int) -> None:
    request, _ = read({**SILENT_CAT, "seed": seed})

    assert request.seed == seed


@pytest.mark.parametrize("seed", [-1, 2147483648, 10**30, -(10**4000)])
def test_a_seed_beyond_its_bounds_is_wrong(seed: int) -> None:
    message = problems({**SILENT_CAT, "seed": seed})["seed"]

    assert message.startswith("must be a whole number from 0 to 2147483647, not ")
    assert len(message) < 150


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a.mp3",
        "HTTPS://example.org",
        "https://user@example.org:8443/a?b=c#d",
        "http://[::1]/a.wav",
    ],
)
def test_a_web_url_passes_as_it_was_written(url: str) -> None:
    request, _ = read({**TALKING_CAT, "audio_url": url})

    assert request.audio_url == url


@pytest.mark.parametrize("document", [TALKING_CAT, UNKNOWN_MODEL])
@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/a.mp3",
        "/a.mp3",
        "ftp://example.org/a.mp3",
        "file:///etc/passwd",
        "http://",
        "http:///a.mp3",
        "http://:80/a.mp3",
        "http://user@/a.mp3",
        "http://[::1/a.mp3",
        "http://example.org:99999/a.mp3",
        "http://exa mple.org/a.mp3",
        "http://example.org/a\r\nb.mp3",
        " http://example.org/a.mp3",
    ],
)
def test_what_is_no_web_url_is_wrong(document: dict[str, str], url: str) -> None:
    message = problems({**document, "audio_url": url})["audio_url"]

    assert message.startswith("must be an http or https URL with a host, not ")


def test_audio_for_a_silent_model_is_told_which_models_take_it() -> None:
    message = problems({**SILENT_CAT, "audio_url": "https://example.org/a.mp3"})["audio_url"]

    assert message == "is not taken by silent-t2v: leave it out or use talkie-t2v"


def test_audio_is_told_when_no_model_takes_it() -> None:
    document = {**SILENT_CAT, "audio_url": "https://example.org/a.mp3"}

    message = problems(document, Catalogue(models=(SILENT,)))["audio_url"]

    assert message == "is not taken by silent-t2v: no model takes it, leave it out"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("promt", "did you mean prompt?"),
        ("Seed", "did you mean seed?"),
        ("negativePrompt", "did you mean negative_prompt?"),
        ("fps", "remove it"),
        ("", "remove it"),
    ],
)
def test_an_unknown_field_is_named_with_the_one_that_was_meant(name: str, advice: str) -> None:
    assert problems({**SILENT_CAT, name: 1})[name] == f"is no known field: {advice}"


def test_a_wrong_field_hides_no_other() -> None:
    document = {
        "fps": 24,
        "audio_url": "https://example.org/a.mp3",
        "seed": -1,
        "size": "1920*1080",
        "duration": 10,
        "prompt": " ",
        "model": "silent-t2v",
        "watermark": "yes",
    }

    assert list(problems(document)) == [
        "prompt",
        "duration",
        "size",
        "watermark",
        "seed",
        "audio_url",
        "fps",
    ]


def test_the_rules_need_a_context() -> None:
    with pytest.raises(TypeError, match="BodyContext"):
        RequestBody.model_validate_json(json.dumps(SILENT_CAT))
