import json

import pytest

from tests.simulator.serving import BODY, Endpoint


async def _record(endpoint: Endpoint, query: str = "") -> list[dict[str, object]]:
    response = await endpoint.client.get(f"/_sim/record{query}", headers={"Authorization": ""})
    assert response.headers["Content-Type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


async def test_the_record_is_json_lines(endpoint: Endpoint) -> None:
    await endpoint.post("[sim: 503]", key="request-1")
    assert await _record(endpoint) == [
        {
            "sequence": 1,
            "time": "2026-01-01T00:16:40+00:00",
            "idempotency_key": "request-1",
            "accepted": False,
            "status": 503,
            "label": "broken",
            "in_flight": 1,
            "peak": 1,
            "task_id": None,
            "traceparent": None,
            "body": {**BODY, "prompt": "a cat [sim: 503]"},
        }
    ]


async def test_the_record_can_be_asked_for_one_request(endpoint: Endpoint) -> None:
    for key in ("a", "b", "a"):
        await endpoint.post(key=key)
    assert [post["sequence"] for post in await _record(endpoint, "?idempotency_key=a")] == [1, 3]
    assert await _record(endpoint, "?idempotency_key=c") == []


async def test_the_record_can_be_deleted(endpoint: Endpoint) -> None:
    assert await endpoint.statuses("[sim: 503 x1]", calls=2) == [503, 200]
    assert (await endpoint.client.delete("/_sim/record")).status_code == 204
    assert await _record(endpoint) == []
    assert await endpoint.statuses("[sim: 503 x1]", calls=1) == [503]


async def test_the_summary_is_told(endpoint: Endpoint) -> None:
    await endpoint.statuses("[sim: accept-then-502 x1]", calls=2)
    told = (await endpoint.client.get("/_sim/summary")).json()
    assert told == endpoint.simulator.record.summary()
    assert (told["posts"], told["accepted_more_than_once"]) == (2, {"request-1": 2})


async def test_held_calls_are_released_over_http(endpoint: Endpoint) -> None:
    held = endpoint.post_soon("[sim: hold]")
    await endpoint.simulator.record.wait_in_flight(1)
    assert (await endpoint.client.post("/_sim/release")).json() == {"released": 1}
    assert (await held).status_code == 200


async def test_a_release_for_good_holds_nobody_any_more(endpoint: Endpoint) -> None:
    assert (await endpoint.client.post("/_sim/release?for_good=true")).json() == {"released": 0}
    assert (await endpoint.post("[sim: hold]")).status_code == 200


@pytest.mark.parametrize("value", ["yes", "1", ""])
async def test_a_release_takes_only_true_and_false(endpoint: Endpoint, value: str) -> None:
    response = await endpoint.client.post(f"/_sim/release?for_good={value}")
    assert (response.status_code, "true or false" in response.text) == (400, True)
