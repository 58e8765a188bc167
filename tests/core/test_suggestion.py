import pytest

from service.core.suggestion import close_names

FIELDS = ("prompt", "negative_prompt", "audio_url", "seed", "size")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("promt", "prompt"),
        ("Prompt", "prompt"),
        ("PROMPT", "prompt"),
        ("negativePrompt", "negative_prompt"),
        ("audio-url", "audio_url"),
        ("sizes", "size"),
    ],
)
def test_the_name_that_was_meant_is_found(written: str, meant: str) -> None:
    assert close_names(written, FIELDS, limit=1) == [meant]


@pytest.mark.parametrize("written", ["", "x", "resolution", "prompt" * 20_000])
def test_nothing_is_suggested_for_a_name_like_no_other(written: str) -> None:
    assert close_names(written, FIELDS, limit=1) == []


def test_the_closest_comes_first_and_the_limit_holds() -> None:
    assert close_names("wan-2", ["wan-21", "wan-2", "wan-2x", "other"], limit=2)[0] == "wan-2"
    assert len(close_names("wan-2", ["wan-21", "wan-2", "wan-2x", "other"], limit=2)) == 2
