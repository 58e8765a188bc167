import json

import pytest
from pydantic import BaseModel, ValidationError

from service.core.delivery import Delivery
from service.core.well_formed import IllFormedError, body_text, refuse_ill_formed, refuse_irregular


class Pair(BaseModel):
    left: int
    right: int


def failure_of(text: str) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Pair.model_validate_json(text)
    return caught.value


@pytest.mark.parametrize("encoding", [None, "", "identity", "Identity", "utf-8", "UTF-8", " utf-8 "])
def test_a_plain_content_encoding_is_accepted(encoding: str | None) -> None:
    assert body_text(Delivery(b"{}", content_encoding=encoding), max_bytes=2) == "{}"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "latin-1", "utf-16", "gzip, identity"])
def test_another_content_encoding_is_refused_by_name(encoding: str) -> None:
    with pytest.raises(IllFormedError, match="uncompressed") as caught:
        body_text(Delivery(b"{}", content_encoding=encoding), max_bytes=2)

    assert f'"{encoding}"' in str(caught.value)


def test_the_limit_itself_is_allowed() -> None:
    assert body_text(Delivery(b"x" * 100), max_bytes=100) == "x" * 100


def test_a_larger_body_is_refused_with_both_figures() -> None:
    with pytest.raises(IllFormedError, match="101 bytes, 100 are allowed"):
        body_text(Delivery(b"x" * 101), max_bytes=100)


@pytest.mark.parametrize("body", [b"", b" \r\n\t", b"\xef\xbb\xbf"])
def test_an_empty_body_is_refused(body: bytes) -> None:
    with pytest.raises(IllFormedError, match="empty"):
        body_text(Delivery(body), max_bytes=100)


@pytest.mark.parametrize("body", [b'{"a":"\xff"}', '{"a":"é"}'.encode("latin-1"), '{"a":"é"}'.encode("utf-16")])
def test_what_is_not_utf_8_is_refused(body: bytes) -> None:
    with pytest.raises(IllFormedError, match="not UTF-8 at byte"):
        body_text(Delivery(body), max_bytes=100)


def test_a_byte_order_mark_is_dropped() -> None:
    assert body_text(Delivery(b"\xef\xbb\xbf{}"), max_bytes=100) == "{}"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", "an array"),
        ("null", "null"),
        ("5", "5"),
        ("true", "true"),
        ('"a cat"', '"a cat"'),
        (json.dumps("x" * 1000), '"xxx'),
    ],
)
def test_json_of_another_kind_is_told_what_it_is(text: str, what: str) -> None:
    with pytest.raises(IllFormedError, match="not a JSON object") as caught:
        refuse_ill_formed(failure_of(text))

    assert f"The body is {what}" in str(caught.value)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", "line 1 column 1"),
        ('{"left": 1,}', "line 1 column 12"),
        ('{"left": 1,\n"right" 2}', "line 2 column 9"),
        ("{} {}", "line 1 column 4"),
        ("{'left': 1}", "line 1 column 2"),
        (r'{"left": "\ud800"}', "line 1 column 17"),
        ('{"left": "\x00"}', "line 1 column 11"),
        ('{"left": ' + "9" * 5000 + "}", "line 1 column"),
    ],
)
def test_what_is_not_json_is_told_where(text: str, place: str) -> None:
    with pytest.raises(IllFormedError, match="cannot be read as JSON") as caught:
        refuse_ill_formed(failure_of(text))

    assert place in str(caught.value)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000])
def test_deep_nesting_is_called_that(text: str) -> None:
    with pytest.raises(IllFormedError, match="nested too deeply"):
        refuse_ill_formed(failure_of(text))


@pytest.mark.parametrize("text", ["{}", '{"left": 1}', '{"left": 1, "right": "x"}'])
def test_wrong_fields_are_not_its_business(text: str) -> None:
    refuse_ill_formed(failure_of(text))


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_number_is_refused(literal: str) -> None:
    with pytest.raises(IllFormedError, match=f"{literal} is no JSON number"):
        refuse_irregular(f'{{"left": [{literal}]}}')


@pytest.mark.parametrize("text", ['{"a": 1, "b": 2, "a": 1}', '{"a": 1, "\\u0061": 2}', '{"b": {"a": 1, "a": 2}}'])
def test_a_field_that_stands_twice_is_refused(text: str) -> None:
    with pytest.raises(IllFormedError, match="The field a stands twice"):
        refuse_irregular(text)


@pytest.mark.parametrize("text", ['{"a": "NaN"}', '{"a": {"b": 1}, "b": 1}', '{"a": 1e999}', '[{"a": 1}, {"a": 1}]'])
def test_regular_json_passes(text: str) -> None:
    refuse_irregular(text)
