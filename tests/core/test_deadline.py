import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.contract import FieldProblem
from service.core.deadline import deadline_of
from service.core.delivery import Delivery

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

OFFSETS = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)


def with_header(value: object) -> Delivery:
    return Delivery(b"{}", headers={"x-deadline": value})


def test_there_is_no_deadline_unless_one_is_named() -> None:
    assert deadline_of(Delivery(b"{}")) is None


@pytest.mark.parametrize(
    "delivery", [Delivery(b"{}", timestamp=NOON), Delivery(b"{}", expiration=MINUTE), with_header(None)]
)
def test_half_of_a_deadline_is_none(delivery: Delivery) -> None:
    assert deadline_of(delivery) is None


def test_the_deadline_is_timestamp_plus_expiration() -> None:
    assert deadline_of(Delivery(b"{}", timestamp=NOON, expiration=MINUTE)) == NOON + MINUTE


def test_the_header_wins_over_the_properties() -> None:
    delivery = Delivery(b"{}", timestamp=NOON, expiration=MINUTE, headers={"x-deadline": "2026-02-01T00:00:00Z"})

    assert deadline_of(delivery) == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "header",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31t12:00:00z",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00.000000000Z",
        "2026-01-31T13:30:00+01:30",
        "2026-01-31T12:00:00-00:00",
        b"2026-01-31T12:00:00Z",
        NOON,
        NOON.astimezone(timezone(timedelta(hours=-9))),
        NOON.replace(tzinfo=None),
    ],
)
def test_the_header_is_rfc_3339_or_an_amqp_timestamp(header: object) -> None:
    assert deadline_of(with_header(header)) == NOON


@pytest.mark.parametrize(
    "header",
    [
        "",
        "soon",
        "2026-01-31T12:00:00",
        "2026-01-31",
        "20260131T120000Z",
        "2026-W05-6T12:00:00Z",
        "2026-01-31T12:00Z",
        "2026-01-31T12:00:00,5Z",
        "2026-01-31T12:00:00+0100",
        "2026-02-30T12:00:00Z",
        "2026-01-31T25:00:00Z",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00Z\n",
        "٢٠٢٦-01-31T12:00:00Z",
        b"\xff\xfe",
        1769860800,
        True,
        ["2026-01-31T12:00:00Z"],
    ],
)
def test_a_header_that_cannot_be_read_is_a_problem(header: object) -> None:
    problem = deadline_of(with_header(header))

    assert isinstance(problem, FieldProblem)
    assert problem.field == "headers.x-deadline"
    assert "2026-01-31T12:00:00Z" in problem.message


def test_a_long_header_is_not_echoed_whole() -> None:
    problem = deadline_of(with_header("x" * 100_000))

    assert isinstance(problem, FieldProblem)
    assert len(problem.message) < 200


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "XYZ-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_from_utc")
def test_a_timestamp_without_a_zone_counts_as_utc() -> None:
    delivery = Delivery(b"{}", timestamp=NOON.replace(tzinfo=None), expiration=MINUTE)

    assert deadline_of(delivery) == NOON + MINUTE


def test_the_calendar_ends_in_the_year_9999() -> None:
    latest = datetime.max.replace(tzinfo=UTC)

    assert deadline_of(with_header("9999-12-31T23:59:59-01:00")) == latest
    assert deadline_of(Delivery(b"{}", timestamp=latest, expiration=MINUTE)) == latest


def test_the_calendar_begins_in_the_year_1() -> None:
    assert deadline_of(with_header("0001-01-01T00:00:00+01:00")) == datetime.min.replace(tzinfo=UTC)


@given(st.datetimes(timezones=OFFSETS), st.timedeltas(min_value=timedelta(0)))
def test_any_timestamp_and_expiration_give_an_instant_in_utc(start: datetime, span: timedelta) -> None:
    deadline = deadline_of(Delivery(b"{}", timestamp=start, expiration=span))

    assert isinstance(deadline, datetime)
    assert deadline.tzinfo is UTC


@given(st.text() | st.binary() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", fullmatch=True))
def test_any_header_gives_an_instant_or_a_problem(header: str | bytes) -> None:
    deadline = deadline_of(with_header(header))

    assert isinstance(deadline, FieldProblem) or (isinstance(deadline, datetime) and deadline.tzinfo is UTC)
