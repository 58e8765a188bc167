from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.delivery import Delivery
from service.core.history import HEADERS, History, history_headers, history_of, without_history

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
EARLIER = datetime(2026, 1, 1, 9, tzinfo=UTC)
FULL = History(EARLIER, attempts=7, postponed=3, not_before=NOW, doubt=True, replay="copy-1")

INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - the strategy wants bounds without a zone
    lambda instant: instant.replace(microsecond=0)
)
# Categories that `str.isprintable` counts as printable, and the one blank that is.
REPLAYS = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=64)


def _read(**headers: object) -> History:
    return history_of(Delivery(b"", headers={name.replace("_", "-"): value for name, value in headers.items()}), NOW)


def test_a_message_without_a_past_is_seen_for_the_first_time_now() -> None:
    assert _read() == History(NOW)


def test_a_whole_history_is_written_and_read_back() -> None:
    headers = history_headers(FULL)

    assert headers == {
        "x-attempts": 7,
        "x-postponed": 3,
        "x-first-seen": "2026-01-01T09:00:00Z",
        "x-not-before": "2026-01-01T12:00:00Z",
        "x-doubt": True,
        "x-replay": "copy-1",
    }
    assert history_of(Delivery(b"", headers=headers), NOW) == FULL


def test_what_is_not_set_has_no_header() -> None:
    assert history_headers(History(EARLIER)) == {"x-attempts": 0, "x-first-seen": "2026-01-01T09:00:00Z"}


@given(
    st.builds(
        History,
        first_seen=INSTANTS,
        attempts=st.integers(0, 1_000_000),
        postponed=st.integers(0, 1_000_000),
        not_before=st.none() | INSTANTS,
        doubt=st.booleans(),
        replay=st.none() | REPLAYS,
    )
)
def test_every_history_survives_the_journey(history: History) -> None:
    assert history_of(Delivery(b"", headers=history_headers(history)), NOW) == history


@pytest.mark.parametrize("value", [-1, 1_000_001, True, "3", 2.0, None, b"3"])
def test_a_count_that_is_none_counts_as_zero(value: object) -> None:
    assert _read(x_attempts=value, x_postponed=value) == History(NOW)


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2026-01-01T09:00:00",
        17,
        None,
        b"\xff",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "",
    ],
)
def test_an_instant_that_cannot_be_read_counts_as_not_there(value: object) -> None:
    assert _read(x_first_seen=value, x_not_before=value) == History(NOW)


@pytest.mark.parametrize("value", ["2026-01-01T10:00:00+01:00", b"2026-01-01T09:00:00Z"])
def test_an_instant_is_read_as_utc(value: object) -> None:
    seen = _read(x_first_seen=value).first_seen

    assert (seen, seen.tzinfo) == (EARLIER, UTC)


@pytest.mark.parametrize(("ahead", "believed"), [(300, True), (301, False)])
def test_a_first_sight_in_the_future_is_believed_as_far_as_clocks_differ(ahead: int, *, believed: bool) -> None:
    seen = NOW + timedelta(seconds=ahead)

    assert _read(x_first_seen=seen.isoformat()).first_seen == (seen if believed else NOW)


@pytest.mark.parametrize("value", [1, "true", None, False])
def test_only_true_is_a_doubt(value: object) -> None:
    assert not _read(x_doubt=value).doubt


@pytest.mark.parametrize("value", ["", b"copy", 1, None, "c" * 65, "copy\n1", "copy\x00", "\ud800", "copy\u200b1"])
def test_only_a_short_printable_name_is_a_replay(value: object) -> None:
    assert _read(x_replay=value).replay is None


def test_a_replay_may_be_named_by_64_characters() -> None:
    assert _read(x_replay="c" * 64).replay == "c" * 64


def test_instants_of_other_zones_are_written_in_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=9)))

    assert history_headers(History(there))["x-first-seen"] == "2026-01-01T12:00:00Z"


def test_headers_without_the_history_keep_all_others() -> None:
    written = dict.fromkeys(HEADERS, 1) | dict(history_headers(FULL))

    assert without_history({**written, "mine": 1, "x-deadline": "later"}) == {"mine": 1, "x-deadline": "later"}
