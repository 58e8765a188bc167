import pytest

from service.simulator.reaction import Reaction
from service.simulator.refusal import LARGEST_SEED, unauthorized, wrong_field, wrong_form
from tests.simulator.serving import BODY, CATALOGUE

WAN25 = {"model": "wan2.5-t2v-preview"}


def _told(reaction: Reaction | None) -> tuple[int, str | None] | None:
    return None if reaction is None else (reaction.status, reaction.code)


def _checked(**fields: object) -> tuple[int, str | None] | None:
    return _told(wrong_field({**BODY, **fields}, CATALOGUE, "*"))


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "some-key"])
def test_a_request_without_a_bearer_token_is_unauthorized(header: str | None) -> None:
    assert _told(unauthorized(header, None)) == (401, "invalid_api_key")


@pytest.mark.parametrize("header", ["Bearer any", "bearer any"])
def test_any_token_will_do_where_no_key_is_set(header: str) -> None:
    assert unauthorized(header, None) is None


@pytest.mark.parametrize(("token", "refused"), [("right", False), ("wrong", True), ("ключ", True)])
def test_the_token_must_be_the_key_that_is_set(token: str, *, refused: bool) -> None:
    assert (unauthorized(f"Bearer {token}", "right") is not None) is refused


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_a_json_object_has_the_right_form(content_type: str) -> None:
    assert wrong_form(content_type, b"{}", {}) is None


@pytest.mark.parametrize(
    ("content_type", "raw", "body", "told"),
    [
        ("", b"{}", {}, (415, "unsupported_media_type")),
        ("text/plain", b"{}", {}, (415, "unsupported_media_type")),
        ("application/json", None, None, (413, "request_too_large")),
        ("application/json", b"{", None, (400, "InvalidParameter")),
        ("application/json", b"[]", [], (400, "InvalidParameter")),
    ],
)
def test_a_wrong_form_is_refused(content_type: str, raw: bytes | None, body: object, told: tuple[int, str]) -> None:
    assert _told(wrong_form(content_type, raw, body)) == told


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": "wan2.1-t2v-turbo"},
        {"duration": 5},
        {**WAN25, "duration": 10},
        {"size": "832*480"},
        {"watermark": False, "prompt_extend": True},
        {"template": "flying", "negative_prompt": "n" * 600},
        {"seed": 0},
        {"seed": LARGEST_SEED},
        {**WAN25, "audio_url": "https://example.com/a.mp3"},
        {"prompt": "p" * 5000},
        {"unknown": 1},
    ],
)
def test_a_right_request_is_not_refused(fields: dict[str, object]) -> None:
    assert _checked(**fields) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": 1},
        {"prompt": None},
        {"prompt": " \n"},
        {"model": 1},
        {"model": ""},
        {"duration": "5"},
        {"duration": 5.0},
        {"duration": True},
        {"duration": 10},
        {"size": 832},
        {"watermark": "false"},
        {"watermark": 0},
        {"prompt_extend": "true"},
        {"template": 1},
        {"negative_prompt": ["blur"]},
        {"seed": -1},
        {"seed": LARGEST_SEED + 1},
        {"seed": 1.5},
        {"seed": True},
        {"audio_url": "https://example.com/a.mp3"},
        {**WAN25, "audio_url": 1},
    ],
)
def test_a_wrong_field_is_an_invalid_parameter(fields: dict[str, object]) -> None:
    assert _checked(**fields) == (400, "InvalidParameter")


@pytest.mark.parametrize("missing", ["prompt", "model"])
def test_a_required_field_must_not_be_missing(missing: str) -> None:
    reaction = wrong_field({name: value for name, value in BODY.items() if name != missing}, CATALOGUE, "*")
    assert reaction is not None
    assert (reaction.status, reaction.message) == (400, f"{missing} is required")


@pytest.mark.parametrize("url", ["ftp://example.com/a.mp3", "a.mp3", "http://", "http://[bad/a.mp3"])
def test_a_wrong_audio_address_is_an_invalid_url(url: str) -> None:
    assert _checked(**WAN25, audio_url=url) == (400, "InvalidURL")


@pytest.mark.parametrize("size", ["832x480", "480*832", "1920*1081", "480P", ""])
def test_a_wrong_size_is_told_behind_a_500(size: str) -> None:
    reaction = wrong_field({**BODY, "size": size}, CATALOGUE, "*")
    assert reaction is not None
    assert (reaction.status, reaction.code) == (500, "build_request_failed")
    assert reaction.message == f"invalid size: {size}"


def test_the_size_separator_is_an_option() -> None:
    assert wrong_field({**BODY, "size": "832x480"}, CATALOGUE, "x") is None


def test_an_unknown_model_of_the_vendors_family_is_not_found() -> None:
    assert _checked(model="wan9.9-t2v") == (404, "ModelNotFound")


def test_for_any_other_model_the_gateway_has_no_channel() -> None:
    assert _checked(model="sora") == (503, "model_not_found")
