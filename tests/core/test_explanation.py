import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.core.explanation import echo, explained, named

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Kennel(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    dogs: tuple[str, ...] = Field(description="a list, each item a name")
    open: bool = Field(default=True, description="true or false")


def explain(document: object) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        Kennel.model_validate_json(json.dumps(document))
    return list(explained(caught.value, Kennel.model_fields))


@pytest.mark.parametrize(
    ("document", "place", "sentence"),
    [
        ({}, ("dogs",), "is required: give a list, each item a name"),
        ({"dogs": 1}, ("dogs",), "must be a list, each item a name, not 1"),
        ({"dogs": ["Rex", 1]}, ("dogs", 1), "must be a name, not 1"),
        ({"dogs": [], "open": "yes"}, ("open",), 'must be true or false, not "yes"'),
        ({"dogs": [], "opne": True}, ("opne",), "is no known field: did you mean open?"),
        ({"dogs": [], "cats": 1}, ("cats",), "is no known field: remove it"),
        ([], (), "must be an object, not an array"),
    ],
)
def test_each_kind_of_error_says_what_to_do(document: object, place: tuple[object, ...], sentence: str) -> None:
    assert explain(document) == [(place, sentence)]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null"),
        (True, "true"),
        (5.0, "5.0"),
        ("a", '"a"'),
        ("语", '"语"'),
        ("a\nb", r'"a\nb"'),
        ("a\u2028b\u202ec", r'"a\u2028b\u202ec"'),
        ([1, 2], "an array"),
        ({"a": 1}, "an object"),
    ],
)
def test_a_value_is_echoed_as_json(value: object, written: str) -> None:
    assert echo(value) == written


@given(JSON_VALUES)
@example("\x85")
def test_an_echo_is_short_and_stays_on_one_line(value: object) -> None:
    assert len(echo(value)) <= 60
    assert len(echo(value).splitlines()) == 1


def test_a_long_value_ends_in_an_ellipsis() -> None:
    assert echo("x" * 1000) == '"' + "x" * 58 + "…"
    assert echo(10**1000) == "1" + "0" * 58 + "…"


@pytest.mark.parametrize(
    ("name", "written"), [("seed", "seed"), (3, "3"), ("a\r\nb", r"a\r\nb"), ("x" * 999, "x" * 58 + "…")]
)
def test_a_field_name_is_short_and_stays_on_one_line(name: int | str, written: str) -> None:
    assert named(name) == written
