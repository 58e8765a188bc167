from datetime import UTC, datetime

import pytest

from service.simulator.per_request import PerRequest
from service.simulator.post import Post

AT = datetime(2026, 1, 1, tzinfo=UTC)


def _answered(requests: PerRequest, sequence: int, *, could_be_accepted: bool, key: str | None = "a") -> None:
    requests.arrive(key, sequence)
    requests.end(key, could_be_accepted=could_be_accepted)


def _post(sequence: int, key: str | None = "a", *, could_be_accepted: bool = True) -> Post:
    return Post(sequence, AT, key, None, {}, 1, 1, could_be_accepted=could_be_accepted)


def test_a_post_after_a_refusal_is_no_call_too_many() -> None:
    requests = PerRequest()
    for sequence in (1, 2, 3):
        _answered(requests, sequence, could_be_accepted=sequence == 3)
    assert requests.called_again == {}
    assert requests.called_again_of("a") == 0


def test_each_post_after_one_that_could_be_accepted_is_one_too_many() -> None:
    requests = PerRequest()
    for sequence, could_be_accepted in enumerate((True, False, False)):
        _answered(requests, sequence, could_be_accepted=could_be_accepted)
    assert requests.called_again == {"a": 2}
    assert requests.called_again_of("a") == 2


def test_a_post_beside_one_without_an_answer_is_one_too_many() -> None:
    requests = PerRequest()
    requests.arrive("a", 1)
    _answered(requests, 2, could_be_accepted=False)
    assert requests.called_again == {"a": 1}


def test_requests_are_kept_apart() -> None:
    requests = PerRequest()
    for key in ("a", "b"):
        _answered(requests, 1, could_be_accepted=True, key=key)
        requests.accept(key)
    assert (list(requests), len(requests), requests.accepted) == (["a", "b"], 2, 2)
    assert (requests.called_again, requests.accepted_more_than_once) == ({}, {})


def test_charges_are_counted_for_each_request() -> None:
    requests = PerRequest()
    for _ in range(2):
        requests.accept("a")
    requests.accept("b")
    assert (requests.accepted, requests.accepted_more_than_once) == (2, {"a": 2})


def test_posts_without_a_key_belong_to_no_request() -> None:
    requests = PerRequest()
    for sequence in (1, 2):
        _answered(requests, sequence, could_be_accepted=True, key=None)
        requests.accept(None)
    requests.forget(_post(1, None))
    assert (len(requests), requests.accepted, requests.called_again) == (0, 0, {})


def test_with_its_last_post_a_request_is_forgotten() -> None:
    requests = PerRequest()
    for sequence in (1, 2):
        _answered(requests, sequence, could_be_accepted=True)
        requests.accept("a")
    requests.forget(_post(1))
    assert (list(requests.sequences("a")), requests.called_again) == ([2], {"a": 1})
    requests.forget(_post(2))
    assert (len(requests), requests.accepted, requests.called_again) == (0, 0, {})


@pytest.mark.parametrize(("first_could_be_accepted", "too_many"), [(True, 0), (False, 1)])
def test_a_forgotten_post_makes_no_later_one_too_many(*, first_could_be_accepted: bool, too_many: int) -> None:
    requests = PerRequest()
    _answered(requests, 1, could_be_accepted=first_could_be_accepted)
    _answered(requests, 2, could_be_accepted=not first_could_be_accepted)
    requests.forget(_post(1, could_be_accepted=first_could_be_accepted))
    before = requests.called_again_of("a")
    _answered(requests, 3, could_be_accepted=False)
    assert requests.called_again_of("a") - before == too_many


def test_what_was_cleared_is_gone() -> None:
    requests = PerRequest()
    _answered(requests, 1, could_be_accepted=True)
    requests.accept("a")
    requests.clear()
    _answered(requests, 2, could_be_accepted=True)
    assert (requests.accepted, requests.called_again, list(requests.sequences("a"))) == (0, {}, [2])
