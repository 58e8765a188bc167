import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.settings.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0.5", 0.5),
        ("250ms", 0.25),
        ("30s", 30.0),
        ("5m", 300.0),
        ("6h", 21600.0),
        ("7d", 604800.0),
        ("1.5h", 5400.0),
        (" 10s ", 10.0),
    ],
)
def test_a_number_with_or_without_a_unit_is_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "5 m", "5M", "-1", "+1", "1e3", "nan", "inf", "1m30s", ".5", "5.", "1,5", "٣s"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="250ms, 30s, 5m, 6h, 7d"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_formatted_duration_reads_back_as_the_same_milliseconds(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    if seconds == 0 or seconds >= 1e-3:
        assert parse_duration(format_duration(seconds)) == pytest.approx(seconds)
