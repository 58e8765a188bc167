import time
import uuid

from service.client.request_id import new_request_id


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_request_id())
    after = time.time_ns() // 1_000_000

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after


def test_no_two_ids_are_the_same() -> None:
    assert len({new_request_id() for _ in range(10_000)}) == 10_000
