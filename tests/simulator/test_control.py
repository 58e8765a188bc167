import json

import pytest

from service.simulator.switches import OUTAGES
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
            "could_be_accepted": False,
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


async def test_each_request_is_told_as_a_json_line(endpoint: Endpoint) -> None:
    await endpoint.statuses("[sim: 503, 429, accept-then-502, 200]", calls=4, key="a")
    await endpoint.post(key="b")
    lines = (await endpoint.client.get("/_sim/requests")).text.splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "idempotency_key": "a",
            "posts": 4,
            "accepted": 2,
            "called_again": 1,
            "answers": ["503 broken", "429 throttled", "502 broken", "200 accepted"],
        },
        {"idempotency_key": "b", "posts": 1, "accepted": 1, "called_again": 0, "answers": ["200 accepted"]},
    ]


async def test_one_request_can_be_asked_for(endpoint: Endpoint) -> None:
    for key in ("a", "b"):
        await endpoint.post(key=key)
    (line,) = (await endpoint.client.get("/_sim/requests?idempotency_key=b")).text.splitlines()
    assert json.loads(line)["idempotency_key"] == "b"


async def test_another_key_can_be_asked_for_while_it_runs(endpoint: Endpoint) -> None:
    assert (await endpoint.client.put("/_sim/key", content="rotated")).status_code == 204
    refused = await endpoint.post()
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert (await endpoint.client.get("/v2/videos/generations/any")).status_code == 401
    endpoint.client.headers["Authorization"] = "Bearer rotated"
    assert (await endpoint.post()).status_code == 200


async def test_any_key_can_be_taken_again(endpoint: Endpoint) -> None:
    endpoint.simulator.switches.accept_key("other")
    assert (await endpoint.client.delete("/_sim/key")).status_code == 204
    assert (await endpoint.post()).status_code == 200


@pytest.mark.parametrize(
    ("outage", "status", "code"),
    [
        ("quota", 403, "insufficient_user_quota"),
        ("arrears", 400, "Arrearage"),
        ("down", 503, "ModelServingError"),
        ("429 retry-after=60", 429, "Throttling.RateQuota"),
    ],
)
async def test_an_outage_meets_every_call_until_it_ends(
    endpoint: Endpoint, outage: str, status: int, code: str
) -> None:
    assert (await endpoint.client.put("/_sim/outage", content=outage)).status_code == 204
    refused = [await endpoint.post("[sim: 504 x1]", key="a") for _ in range(2)]
    assert [response.status_code for response in refused] == [status] * 2
    assert code in refused[0].text
    assert (await endpoint.client.delete("/_sim/outage")).status_code == 204
    assert await endpoint.statuses("[sim: 504 x1]", calls=2, key="a") == [504, 200]


async def test_a_query_outage_meets_queries_alone_until_it_ends(endpoint: Endpoint) -> None:
    task_id = (await endpoint.post()).json()["task_id"]
    assert (await endpoint.client.put("/_sim/query-outage", content="429 retry-after=7")).status_code == 204
    refused = await endpoint.client.get(f"/v2/videos/generations/{task_id}")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert (await endpoint.post()).status_code == 200
    assert not endpoint.simulator.queries
    assert (await endpoint.client.delete("/_sim/query-outage")).status_code == 204
    assert (await endpoint.client.get(f"/v2/videos/generations/{task_id}")).status_code == 200


async def test_random_faults_can_begin_and_end_while_it_runs(endpoint: Endpoint) -> None:
    assert (await endpoint.client.put("/_sim/error-rates", json={"503": 1})).status_code == 204
    assert (await endpoint.post()).status_code == 503
    assert (await endpoint.client.delete("/_sim/error-rates")).status_code == 204
    assert (await endpoint.post()).status_code == 200


async def test_a_deleted_record_leaves_the_switches(endpoint: Endpoint) -> None:
    endpoint.simulator.switches.begin_outage("down")
    await endpoint.client.delete("/_sim/record")
    assert (await endpoint.post()).status_code == 503


@pytest.mark.parametrize(
    ("switch", "content", "said"),
    [
        ("key", " key", "must not be empty, nor begin"),
        ("outage", "", "a step is empty"),
        ("outage", "quotas", "is not known"),
        ("outage", "503 x2", "one step without a count"),
        ("outage", "accept-then-502", "it accepts calls"),
        ("query-outage", "200", "a refusal or a cut"),
        ("query-outage", "quotas", "is not known"),
        ("error-rates", "{", "Expecting"),
        ("error-rates", "[]", "a JSON object of faults and shares"),
        ("error-rates", '{"503": "a"}', "a JSON object of faults and shares"),
        ("error-rates", '{"503": 2}', "shares from 0 to 1"),
    ],
)
async def test_a_mistaken_switch_is_answered_with_what_is_wrong(
    endpoint: Endpoint, switch: str, content: str, said: str
) -> None:
    response = await endpoint.client.put(f"/_sim/{switch}", content=content)
    assert response.status_code == 400
    assert said in response.text
    assert (await endpoint.post()).status_code == 200


@pytest.mark.parametrize("outage", OUTAGES)
def test_the_named_outages_can_begin(endpoint: Endpoint, outage: str) -> None:
    endpoint.simulator.switches.begin_outage(outage)
    assert endpoint.simulator.switches.outage is not None
