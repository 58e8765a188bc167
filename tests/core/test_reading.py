import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.core.catalogue import Catalogue, Model
from service.core.contract import VideoRequest
from service.core.delivery import Delivery
from service.core.outcome import Invalid, Malformed
from service.core.reading import Readable, Reading, RequestReader, Unreadable
from service.core.request_body import RequestBody

KIB = 1024
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
READER = RequestReader(
    Catalogue(models=(Model(name="wan-2", aliases=("wan",), sizes=((832, 480),), durations=(5,)),)),
    max_bytes=256 * KIB,
)
CAT = {"prompt": "a cat", "model": "wan-2"}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=10,
)
FIELD_NAMES = st.sampled_from(sorted(RequestBody.model_fields)) | st.text()
LIKELY_VALUES = st.sampled_from(["wan-2", "wan", "a cat", 5, "832*480", True, "http://example.org/a.mp3", ""])


def read(document: object) -> Reading:
    return READER.read(Delivery(json.dumps(document).encode()))


def invalid(reading: Reading) -> Invalid:
    assert isinstance(reading, Unreadable)
    assert isinstance(reading.outcome, Invalid)
    return reading.outcome


def test_a_good_message_becomes_a_request() -> None:
    assert read(CAT) == Readable(VideoRequest(prompt="a cat", model="wan-2"), warnings=(), deadline=None)


@pytest.mark.parametrize("content_type", [None, "application/json", "application/cloudevents+json", "text/plain"])
def test_the_content_type_is_not_looked_at(content_type: str | None) -> None:
    delivery = Delivery(json.dumps(CAT).encode(), content_type=content_type)

    assert isinstance(READER.read(delivery), Readable)


def test_a_cut_prompt_is_told_in_the_warnings() -> None:
    reading = read({**CAT, "prompt": "x" * 801, "negative_prompt": "y" * 501})

    assert isinstance(reading, Readable)
    assert reading.warnings == (
        "prompt had 801 characters; it was cut to the first 800",
        "negative_prompt had 501 characters; it was cut to the first 500",
    )


def test_warnings_are_told_beside_the_problems_too() -> None:
    reading = read({**CAT, "prompt": "x" * 801, "seed": -1})

    assert [problem.field for problem in invalid(reading).problems] == ["seed"]
    assert reading.warnings == ("prompt had 801 characters; it was cut to the first 800",)


def test_one_message_leaves_no_warning_to_the_next() -> None:
    read({**CAT, "prompt": "x" * 801})

    assert read(CAT).warnings == ()


def test_the_deadline_comes_along() -> None:
    delivery = Delivery(json.dumps(CAT).encode(), timestamp=NOON, expiration=timedelta(seconds=30))

    reading = READER.read(delivery)

    assert isinstance(reading, Readable)
    assert reading.deadline == NOON + timedelta(seconds=30)


def test_a_wrong_deadline_makes_a_good_body_invalid() -> None:
    delivery = Delivery(json.dumps(CAT).encode(), headers={"x-deadline": "soon"})

    problems = invalid(READER.read(delivery)).problems

    assert [problem.field for problem in problems] == ["headers.x-deadline"]


def test_a_wrong_deadline_is_told_together_with_the_wrong_fields() -> None:
    delivery = Delivery(
        json.dumps({**CAT, "seed": -1, "fps": 24}).encode(), headers={"x-deadline": "2026-01-31T12:00:00"}
    )

    problems = invalid(READER.read(delivery)).problems

    assert [problem.field for problem in problems] == ["seed", "fps", "headers.x-deadline"]


@pytest.mark.parametrize(
    ("body", "encoding", "outcome"),
    [
        (b'{"prompt": "\xff", "model": "wan-2"}', None, Malformed),
        (b"a cat", None, Malformed),
        (b'[{"prompt": "a cat", "model": "wan-2"}]', None, Malformed),
        (b"null", None, Malformed),
        (json.dumps({**CAT, "prompt": "x" * 300 * KIB}).encode(), None, Malformed),
        (b"", None, Malformed),
        (b'{"prompt": "a cat", "model": "wan-2", "seed": NaN}', None, Malformed),
        (b'{"prompt": "a cat", "model": "wan-2", "fps": -Infinity}', None, Malformed),
        (b'{"prompt": "a cat", "model": "wan-2", "model": "wan-2"}', None, Malformed),
        (b'{"prompt": "a cat", "model": "wan-2", "seed": -1, "seed": 1}', None, Malformed),
        (b'{"prompt": "a \\ud83d cat", "model": "wan-2"}', None, Malformed),
        (b"[" * 100_000, None, Malformed),
        (b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b', "model": "wan-2"}', None, Malformed),
        (json.dumps(CAT).encode(), "gzip", Malformed),
        (b"{}", None, Invalid),
        (b'{"prompt": 5, "model": "wan-2"}', None, Invalid),
        (b'{"prompt": "a cat", "model": "wan-2", "fps": 24}', None, Invalid),
        (b'{"prompt": "a cat", "model": "wan-2", "seed": 1e999}', None, Invalid),
        (b'{"prompt": "a cat", "model": "wan-3"}', None, Invalid),
    ],
)
def test_each_wrong_input_has_its_error_class(
    body: bytes, encoding: str | None, outcome: type[Malformed | Invalid]
) -> None:
    reading = READER.read(Delivery(body, content_encoding=encoding))

    assert isinstance(reading, Unreadable)
    assert type(reading.outcome) is outcome


def test_a_flood_of_unknown_fields_is_counted_not_listed() -> None:
    flood = {f"field{number}": number for number in range(10_000)}

    problems = invalid(read({**flood, **CAT, "seed": -1})).problems

    assert problems[0].field == "seed"
    assert problems[-1].field == "body"
    assert problems[-1].message == "has 9951 more unknown fields: remove them"
    assert len(problems) == 51


def test_a_long_field_name_is_not_echoed_whole() -> None:
    (problem,) = invalid(read({**CAT, "x" * 100_000: 1})).problems

    assert len(problem.field) <= 60
    assert len(problem.message) <= 200


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_readable_or_not_and_never_raise(body: bytes) -> None:
    assert isinstance(READER.read(Delivery(body)), Readable | Unreadable)


@given(st.dictionaries(FIELD_NAMES, LIKELY_VALUES | JSON_VALUES))
@example({"prompt": "\udfff", "model": "wan-2"})
@example({"seed": 10**4200})
@example({"seed": float("nan")})
def test_any_json_object_is_readable_or_not_and_never_raises(document: dict[str, object]) -> None:
    reading = read(document)

    if isinstance(reading, Readable):
        assert reading.request.model == "wan-2"
    elif isinstance(reading.outcome, Invalid):
        messages = [problem.message for problem in reading.outcome.problems]
        assert messages
        assert all(len(message) < 250 and "Input should" not in message for message in messages)
    else:
        assert reading.outcome.message
