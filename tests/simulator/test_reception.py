import json

import pytest

from service.simulator.mishaps import Mishaps
from service.simulator.options import SimulatorOptions
from service.simulator.reaction import ACCEPT
from service.simulator.reception import Arrival, Reception
from service.simulator.switches import Switches
from tests.simulator.serving import BODY, CATALOGUE

LIMITED = SimulatorOptions(rate_limit=2, burst=1)


def _arrival(prompt: str = "a cat", key: str | None = None, *, token: str = "k", **fields: object) -> Arrival:
    return Arrival(
        authorization=f"Bearer {token}",
        content_type="application/json",
        idempotency_key=key,
        traceparent=None,
        raw=json.dumps({**BODY, "prompt": prompt, **fields}).encode(),
    )


def _reception(options: SimulatorOptions | None = None, u: float = 0.0) -> Reception:
    options = options or SimulatorOptions()
    return Reception(options, _switches(options), CATALOGUE, lambda: u)


def _switches(options: SimulatorOptions) -> Switches:
    return Switches(options.api_key, Mishaps(options.error_rates))


def _status(reception: Reception, arrival: Arrival, *, running: int = 0, now: float = 0.0) -> int:
    return reception.react(arrival, running=running, now=now).status


def test_a_right_request_is_accepted() -> None:
    assert _reception().react(_arrival(), running=0, now=0) == ACCEPT


def test_an_outage_is_met_after_the_key_and_before_the_rate() -> None:
    switches = Switches(api_key="k")
    switches.begin_outage("quota")
    reception = Reception(LIMITED, switches, CATALOGUE, lambda: 0.0)
    statuses = [_status(reception, _arrival(token=token)) for token in ("wrong", "k", "k")]
    assert statuses == [401, 403, 403]
    switches.end_outage()
    assert _status(reception, _arrival()) == 200


def test_beyond_the_rate_limit_a_request_is_told_to_wait_whole_seconds() -> None:
    reception = _reception(LIMITED)
    assert _status(reception, _arrival()) == 200
    reaction = reception.react(_arrival(), running=0, now=0.1)
    assert (reaction.status, reaction.code, reaction.retry_after) == (429, "limit_requests", "1")
    assert _status(reception, _arrival(), now=0.5) == 200


def test_the_key_is_checked_before_the_rate() -> None:
    reception = _reception(LIMITED)
    assert [_status(reception, _arrival(token=" ")) for _ in range(2)] == [401, 401]
    assert _status(reception, _arrival()) == 200


def test_the_rate_is_checked_before_the_fields() -> None:
    reception = _reception(LIMITED)
    assert [_status(reception, _arrival(seed=-1)) for _ in range(2)] == [400, 429]


def test_a_request_over_the_rate_keeps_its_place_in_the_script() -> None:
    reception, arrival = _reception(LIMITED), _arrival("[sim: 503 then 401]")
    assert [_status(reception, arrival, now=now) for now in (0, 0, 1)] == [503, 429, 401]


def test_a_wrong_request_is_refused_whatever_its_script_says() -> None:
    assert _status(_reception(), _arrival("[sim: accept-then-502]", seed=-1)) == 400


def test_requests_are_told_apart_by_their_key() -> None:
    reception = _reception()
    statuses = [_status(reception, _arrival("[sim: 503 x1]", key)) for key in ("a", "b", "a", "b")]
    assert statuses == [503, 503, 200, 200]


def test_without_a_key_requests_are_told_apart_by_their_body() -> None:
    reception = _reception()
    statuses = [_status(reception, _arrival("[sim: 503 x1]", seed=seed)) for seed in (1, 2, 1, 2)]
    assert statuses == [503, 503, 200, 200]


def test_forgotten_scripts_begin_anew() -> None:
    reception, arrival = _reception(), _arrival("[sim: 503 x1]")
    assert _status(reception, arrival) == 503
    reception.forget()
    assert _status(reception, arrival) == 503


def test_a_directive_with_a_mistake_is_refused_with_its_name() -> None:
    reaction = _reception().react(_arrival("[sim: 4290]"), running=0, now=0)
    assert (reaction.status, reaction.code) == (400, "SimulatorDirective")
    assert "'4290' is not known" in str(reaction.message)


@pytest.mark.parametrize(("u", "status"), [(0.0, 503), (0.49, 503), (0.5, 200)])
def test_a_random_fault_meets_its_share_of_requests(u: float, status: int) -> None:
    assert _status(_reception(SimulatorOptions(error_rates={"503": 0.5}), u), _arrival()) == status


def test_a_scripted_request_meets_no_random_fault() -> None:
    reception = _reception(SimulatorOptions(error_rates={"503": 1.0}))
    assert _status(reception, _arrival("[sim: 200]")) == 200


@pytest.mark.parametrize(("prompt", "status"), [("a cat", 429), ("[sim: hold]", 429), ("[sim: 503]", 503)])
def test_no_task_is_made_beyond_the_most_that_may_run(prompt: str, status: int) -> None:
    assert _status(_reception(SimulatorOptions(max_running=2)), _arrival(prompt), running=2) == status


def test_there_is_room_for_the_last_task() -> None:
    assert _status(_reception(SimulatorOptions(max_running=2)), _arrival(), running=1) == 200
