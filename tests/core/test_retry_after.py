from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.retry_after import LONGEST, retry_after

NOW = datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC)


def asked(value: str) -> float | None:
    return retry_after({"Retry-After": value}, NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0.0), ("7", 7.0), ("1.5", 1.5), (".25", 0.25), ("3.", 3.0), (" 7 ", 7.0), ("007", 7.0)],
)
def test_a_number_is_seconds(value: str, seconds: float) -> None:
    assert asked(value) == seconds


@pytest.mark.parametrize(
    "value",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
    ids=["IMF-fixdate", "RFC 850", "asctime"],
)
def test_all_three_forms_of_a_date_are_read(value: str) -> None:
    assert asked(value) == 30.0


def test_a_past_date_asks_for_no_wait() -> None:
    assert asked("Sun, 06 Nov 1994 08:49:06 GMT") == 0.0


def test_a_leap_second_is_read() -> None:
    assert asked("Sun, 06 Nov 1994 08:49:60 GMT") == 52.0


@pytest.mark.parametrize(
    ("year", "wait"),
    [("76", LONGEST), ("77", 0.0), ("25", 0.0), ("27", LONGEST)],
)
def test_a_short_year_lies_at_most_fifty_years_ahead(year: str, wait: float) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after({"Retry-After": f"Sunday, 06-Nov-{year} 08:49:37 GMT"}, now) == wait


@pytest.mark.parametrize("value", ["86401", "9" * 400, "Sun, 06 Nov 2094 08:49:37 GMT"])
def test_a_huge_wait_is_kept_as_a_day(value: str) -> None:
    assert asked(value) == LONGEST


@pytest.mark.pain(17)
@pytest.mark.parametrize(
    "value",
    [
        "",
        "-1",
        "+1",
        "nan",
        "inf",
        "1e3",
        "0x10",
        "1_000",
        "٣",
        ".",
        "soon",
        "5, 10",
        "5 apples",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "1994-11-06T08:49:37Z",
    ],
)
def test_garbage_asks_for_nothing(value: str) -> None:
    assert asked(value) is None


def test_no_header_asks_for_nothing() -> None:
    assert retry_after({}, NOW) is None


def test_milliseconds_win_over_seconds() -> None:
    assert retry_after({"retry-after": "9", "retry-after-ms": "1500"}, NOW) == 1.5


@pytest.mark.parametrize("value", ["soon", "-5", ""])
def test_garbage_in_milliseconds_leaves_the_seconds(value: str) -> None:
    assert retry_after({"retry-after": "9", "retry-after-ms": value}, NOW) == 9.0


def test_names_are_read_in_any_case() -> None:
    assert retry_after({"RETRY-AFTER-MS": "250"}, NOW) == 0.25


@given(st.dictionaries(st.sampled_from(["Retry-After", "retry-after-ms"]), st.text(max_size=60)), st.datetimes())
def test_any_header_gives_a_sane_wait(headers: dict[str, str], now: datetime) -> None:
    wait = retry_after(headers, now.replace(tzinfo=UTC))
    assert wait is None or 0 <= wait <= LONGEST


@given(st.integers(min_value=0, max_value=int(LONGEST)))
def test_a_date_and_its_distance_ask_for_the_same(seconds: int) -> None:
    date = (NOW + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert asked(date) == asked(str(seconds)) == seconds
