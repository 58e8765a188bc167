import asyncio

import httpx
import pytest

from service.simulator.options import SimulatorOptions
from service.simulator.post import Label
from service.simulator.server import GENERATIONS, Simulator
from tests.simulator.serving import AUTHORIZED, BODY, CATALOGUE, Endpoint, serving


async def test_an_accepted_request_gets_a_task_id(endpoint: Endpoint) -> None:
    response = await endpoint.post()
    (post,) = endpoint.simulator.record.posts
    assert (response.status_code, response.json()) == (200, {"task_id": post.task_id})
    assert (post.accepted, post.status, post.label) == (True, 200, Label.ACCEPTED)


async def test_a_post_is_recorded_with_what_came_along(endpoint: Endpoint) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"Idempotency-Key": "request-1", "traceparent": trace}
    await endpoint.client.post(GENERATIONS, json=BODY, headers=headers)
    (post,) = endpoint.simulator.record.posts_for("request-1")
    assert (post.idempotency_key, post.traceparent, post.body) == ("request-1", trace, BODY)
    assert post.at.isoformat() == "2026-01-01T00:16:40+00:00"


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{}", {}, 400),
        (b"{", {}, 400),
        (b"\xff", {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b" " * 2000, {}, 413),
        (b"{}", {"Authorization": "Bearer wrong"}, 401),
        (b'{"model": "sora", "prompt": "a cat"}', {}, 503),
        (b'{"model": "wan9", "prompt": "a cat"}', {}, 404),
        (b'{"model": "wan2.2-t2v-plus", "prompt": "a cat", "size": "1*1"}', {}, 500),
    ],
)
async def test_a_refused_request_makes_no_task(content: bytes, headers: dict[str, str], status: int) -> None:
    limit = 200_000 if len(content) > 2000 else 1000
    async with serving(SimulatorOptions(api_key="some-key", max_body=limit)) as endpoint:
        headers = {"Content-Type": "application/json", **headers}
        response = await endpoint.client.post(GENERATIONS, content=content, headers=headers)
        (post,) = endpoint.simulator.record.posts
        assert (response.status_code, post.status, post.accepted) == (status, status, False)
        assert "error" in response.json() or "code" in response.json()


@pytest.mark.parametrize(
    ("directive", "statuses"),
    [
        ("[sim: 429 x2]", [429, 429, 200, 200]),
        ("[sim: 503 x2 then 200]", [503, 503, 200, 200]),
        ("[sim: 503, 429, 401]", [503, 429, 401, 401]),
        ("[sim: 401]", [401, 401, 401, 401]),
        ("[sim: accept-then-502 then 200]", [502, 200, 200, 200]),
        ("[sim: 4290]", [400, 400, 400, 400]),
    ],
)
async def test_a_script_is_played_call_by_call(endpoint: Endpoint, directive: str, statuses: list[int]) -> None:
    assert await endpoint.statuses(directive, calls=4) == statuses


@pytest.mark.parametrize(
    ("directive", "status", "accepted", "label"),
    [
        ("[sim: 429]", 429, False, Label.THROTTLED),
        ("[sim: 400 code=DataInspectionFailed]", 400, False, Label.REFUSED),
        ("[sim: html 502]", 502, False, Label.BROKEN),
        ("[sim: accept-then-502]", 502, True, Label.BROKEN),
        ("[sim: 200 no-task-id]", 200, True, Label.BROKEN),
        ("[sim: truncated]", 200, True, Label.BROKEN),
        ("[sim: big]", 200, True, Label.ACCEPTED),
        ("[sim: 200 code=InternalError]", 200, False, Label.BROKEN),
        ("[sim: task-id-under=data]", 200, True, Label.ACCEPTED),
    ],
)
async def test_a_whole_answer_is_recorded_with_its_status(
    endpoint: Endpoint, directive: str, status: int, *, accepted: bool, label: Label
) -> None:
    response = await endpoint.post(directive)
    (post,) = endpoint.simulator.record.posts
    assert (response.status_code, post.status, post.accepted, post.label) == (status, status, accepted, label)


async def test_a_scripted_wait_reaches_the_client(endpoint: Endpoint) -> None:
    response = await endpoint.post("[sim: 429 retry-after=1.5]")
    assert response.headers["Retry-After"] == "1.5"


async def test_the_general_latency_and_its_spread_are_waited() -> None:
    async with serving(SimulatorOptions(latency=2, latency_spread=1, seed=7)) as endpoint:
        for _ in range(3):
            await endpoint.post()
        assert all(2 <= seconds < 3 for seconds in endpoint.time.slept)
        assert len(set(endpoint.time.slept)) == 3


async def test_a_seed_makes_faults_and_latency_repeatable() -> None:
    options = SimulatorOptions(latency_spread=1, error_rates={"503": 0.5}, seed=7)
    runs = []
    for _ in range(2):
        async with serving(options) as endpoint:
            runs.append((await endpoint.statuses("", calls=20), endpoint.time.slept))
    assert runs[0] == runs[1]
    assert set(runs[0][0]) == {200, 503}


async def test_a_scripted_latency_replaces_the_general_one() -> None:
    async with serving(SimulatorOptions(latency=2)) as endpoint:
        await endpoint.post("[sim: latency=0.5]")
        assert endpoint.time.slept == [0.5]


async def test_the_rate_limit_refills_with_time() -> None:
    async with serving(SimulatorOptions(rate_limit=1, burst=2)) as endpoint:
        refused = [await endpoint.post() for _ in range(3)][-1]
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        endpoint.time.seconds += 1
        assert await endpoint.statuses("", calls=2) == [200, 429]


async def test_finished_tasks_make_room_for_new_ones() -> None:
    async with serving(SimulatorOptions(max_running=1, task_seconds=10)) as endpoint:
        assert await endpoint.statuses("", calls=2) == [200, 429]
        endpoint.time.seconds += 10
        assert await endpoint.statuses("", calls=1) == [200]


async def test_a_task_can_be_asked_for() -> None:
    async with serving(SimulatorOptions(task_seconds=10)) as endpoint:
        task_id = (await endpoint.post(prompt="p" * 900)).json()["task_id"]
        endpoint.time.seconds += 10
        told = (await endpoint.client.get(f"{GENERATIONS}/{task_id}")).json()
        assert (told["task_id"], told["status"], told["progress"]) == (task_id, "SUCCESS", "100%")
        assert told["data"]["orig_prompt"] == "p" * 800


async def test_every_task_id_can_be_asked_for(endpoint: Endpoint) -> None:
    task_ids = [(await endpoint.post()).json()["task_id"] for _ in range(4)]
    answers = [await endpoint.client.get(f"{GENERATIONS}/{task_id}") for task_id in task_ids]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200]


@pytest.mark.parametrize(
    ("directive", "status", "task_status"),
    [
        ("[sim: task-seconds=1]", 200, "SUCCESS"),
        ("[sim: task-fails task-seconds=1]", 200, "FAILURE"),
        ("[sim: task-stuck]", 200, "NOT_START"),
        ("[sim: task-missing]", 404, None),
    ],
)
async def test_a_directive_decides_how_a_task_ends(
    endpoint: Endpoint, directive: str, status: int, task_status: str | None
) -> None:
    task_id = (await endpoint.post(directive)).json()["task_id"]
    endpoint.time.seconds += 1
    told = await endpoint.client.get(f"{GENERATIONS}/{task_id}")
    assert told.status_code == status
    assert told.json().get("status") == task_status
    assert endpoint.simulator.queries == {task_id: 1}


async def test_an_unknown_task_is_not_found(endpoint: Endpoint) -> None:
    response = await endpoint.client.get(f"{GENERATIONS}/nothing")
    assert (response.status_code, response.json()["code"]) == (404, "task_not_exist")


async def test_asking_for_a_task_needs_the_key(endpoint: Endpoint) -> None:
    task_id = (await endpoint.post()).json()["task_id"]
    response = await endpoint.client.get(f"{GENERATIONS}/{task_id}", headers={"Authorization": ""})
    assert response.status_code == 401


async def test_held_calls_are_answered_on_release(endpoint: Endpoint) -> None:
    held = [endpoint.post_soon("[sim: hold]") for _ in range(5)]
    await endpoint.simulator.record.wait_in_flight(5)
    assert all(post.accepted and post.label is Label.PENDING for post in endpoint.simulator.record.posts)
    assert endpoint.simulator.release() == 5
    assert {(await call).status_code for call in held} == {200}
    assert (endpoint.simulator.record.in_flight, endpoint.simulator.record.peak) == (0, 5)


async def test_a_call_can_be_held_before_any_fault(endpoint: Endpoint) -> None:
    held = endpoint.post_soon("[sim: hold 503]")
    await endpoint.simulator.record.wait_in_flight(1)
    endpoint.simulator.release()
    assert (await held).status_code == 503


async def test_a_call_that_hangs_ends_when_its_client_leaves(endpoint: Endpoint) -> None:
    hanging = endpoint.post_soon("[sim: hang]")
    await endpoint.simulator.record.wait_in_flight(1)
    hanging.cancel()
    await endpoint.simulator.record.wait_idle()
    (post,) = endpoint.simulator.record.posts
    assert (post.accepted, post.status, post.label) == (True, None, Label.ABANDONED)
    assert post.could_be_accepted


async def test_a_simulator_that_is_entered_again_has_its_port_and_its_record() -> None:
    simulator = Simulator(SimulatorOptions(), CATALOGUE)
    async with httpx.AsyncClient(headers=AUTHORIZED) as client:
        async with simulator:
            url = simulator.base_url + GENERATIONS
            await client.post(url, json=BODY)
        with pytest.raises(httpx.ConnectError):
            await client.post(url, json=BODY)
        async with simulator:
            assert (await client.post(url, json=BODY)).status_code == 200
    assert simulator.record.accepted == 2


async def test_a_simulator_that_stops_cuts_calls_that_hang() -> None:
    async with (
        httpx.AsyncClient(headers=AUTHORIZED) as client,
        Simulator(SimulatorOptions(), CATALOGUE) as simulator,
    ):
        body = {**BODY, "prompt": "[sim: hang]"}
        hanging = asyncio.create_task(client.post(simulator.base_url + GENERATIONS, json=body))
        await simulator.record.wait_in_flight(1)
        await simulator.__aexit__(None, None, None)
        with pytest.raises(httpx.RemoteProtocolError):
            await hanging
        assert simulator.record.in_flight == 0


async def test_a_reset_forgets_posts_scripts_and_tasks(endpoint: Endpoint) -> None:
    assert await endpoint.statuses("[sim: 503 x1]", calls=2) == [503, 200]
    task_id = endpoint.simulator.record.posts[-1].task_id
    endpoint.simulator.reset()
    assert endpoint.simulator.record.count == 0
    assert (await endpoint.client.get(f"{GENERATIONS}/{task_id}")).status_code == 404
    assert await endpoint.statuses("[sim: 503 x1]", calls=2) == [503, 200]


async def test_a_reset_makes_hold_hold_again(endpoint: Endpoint) -> None:
    endpoint.simulator.release(for_good=True)
    assert (await endpoint.post("[sim: hold]")).status_code == 200
    endpoint.simulator.reset()
    held = endpoint.post_soon("[sim: hold]")
    await endpoint.simulator.record.wait_in_flight(1)
    assert endpoint.simulator.release() == 1
    await held


async def test_an_address_in_use_is_an_os_error(endpoint: Endpoint) -> None:
    port = httpx.URL(endpoint.simulator.base_url).port
    assert port is not None
    with pytest.raises(OSError, match="address already in use"):
        await Simulator(SimulatorOptions(port=port), CATALOGUE).__aenter__()


def test_a_simulator_that_does_not_listen_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = Simulator(SimulatorOptions(), CATALOGUE).base_url


async def test_a_wildcard_address_is_reached_by_loopback() -> None:
    async with serving(SimulatorOptions(host="0.0.0.0")) as endpoint:
        assert endpoint.simulator.base_url.startswith("http://127.0.0.1:")
        assert (await endpoint.post()).status_code == 200
