import json

import pytest

from service.adapters.redaction import Secrets, redact, traceback_without_messages
from tests.adapters.every_fact import PROMPT, failure


def redacted(value: object, *secrets: str) -> object:
    event = redact(Secrets(secrets), ours=False)(None, "info", {"value": value})
    assert isinstance(event, dict)
    return event["value"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("key hush-now!", "key ***!"),
        ({"a": ["hush-now", {"hush-now": 1}]}, {"a": ["***", {"***": 1}]}),
        (("hush-now", 1, 1.5, None, True), ["***", 1, 1.5, None, True]),
        (ValueError("hush-now"), "ValueError('***')"),
        (b"hush-now", "***"),
    ],
)
def test_a_secret_is_masked_wherever_it_stands(value: object, shown: object) -> None:
    assert redacted(value, "hush-now") == shown


def test_a_secret_that_is_learned_later_is_masked_by_the_same_processor() -> None:
    secrets = Secrets(["hush-now"])
    processor = redact(secrets, ours=False)
    secrets.learn("hush-later")
    assert processor(None, "info", {"value": "hush-now hush-later"}) == {"value": "*** ***"}


def test_a_secret_is_masked_as_a_url_carries_it_too() -> None:
    secrets = Secrets(["hush/now"])
    secrets.learn("hush/later")
    assert redact(secrets, ours=False)(None, "info", {"value": "hush%2Fnow hush%2Flater"}) == {"value": "*** ***"}


def test_a_short_text_is_not_learned() -> None:
    secrets = Secrets()
    secrets.learn("short")
    assert redact(secrets, ours=False)(None, "info", {"value": "short"}) == {"value": "short"}


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert redacted("hush-now-hush-now", "hush-now", "hush-now-hush-now") == "***"


def test_a_secret_is_taken_literally() -> None:
    assert redacted("a.c.e.g.i abcdefghi", "a.c.e.g.i") == "*** abcdefghi"


def test_a_text_too_short_to_be_told_from_a_word_is_left() -> None:
    assert redacted("seven12 eight123", "seven12", "eight123") == "seven12 ***"


def test_without_secrets_text_stays_as_it_is() -> None:
    assert redacted("nothing to hide", "") == "nothing to hide"


@pytest.mark.parametrize("body", [b"it's", b'say "no"', b"both ' and \"", b"line\nbreak", b"\\"])
def test_a_body_that_a_library_shows_is_masked(body: bytes) -> None:
    assert redacted(f"message body={body!r} dropped") == "message body=*** dropped"


def test_a_secret_with_quotes_does_not_break_the_json() -> None:
    assert json.loads(json.dumps(redacted('a"bcdefg\\h', '"bcdefg\\'))) == "a***h"


def test_a_traceback_shows_frames_types_and_causes_without_messages() -> None:
    text = traceback_without_messages(failure())
    assert PROMPT not in text
    assert text.index("builtins.KeyError") < text.index("which led to:") < text.index("builtins.ValueError")
    assert "in look_up" in text


def test_a_traceback_shows_the_members_of_a_group() -> None:
    text = traceback_without_messages(ExceptionGroup(PROMPT, [ValueError(PROMPT), KeyError(PROMPT)]))
    assert PROMPT not in text
    assert "builtins.ExceptionGroup" in text
    assert "builtins.KeyError" in text


def test_a_suppressed_context_is_left_out() -> None:
    error = failure()
    error.__suppress_context__ = True
    error.__cause__ = None
    assert "KeyError" not in traceback_without_messages(error)


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = ValueError(), KeyError()
    first.__context__, second.__context__ = second, first
    assert traceback_without_messages(first).count("builtins.ValueError") == 1
