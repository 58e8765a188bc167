import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from yarl import URL

from tests.support.process import Process, process
from tests.support.running import running_worker, settings_for, simulated_endpoint
from tests.support.tcp_proxy import TcpProxy

GOOD = {"prompt": "a cat", "model": "wan2.2-t2v-plus"}


def results(ended: Process) -> list[dict[str, object]]:
    return [json.loads(line) for line in ended.output if line.startswith("{")]


async def test_one_request_by_options_prints_its_result(broker_url: str, prefix: str) -> None:
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        process(
            *("submit", "--json", "--broker-url", broker_url, "--prefix", prefix, "--request-id", "mine"),
            *("--prompt", "a cat", "--model", "wan2.2-t2v-plus", "--size", "832x480", "--no-watermark"),
        ) as submit,
    ):
        assert await submit.exits() == 0

    (result,) = results(submit)
    assert (result["status"], result["request_id"]) == ("submitted", "mine")
    assert simulator.record.posts[0].body == {**GOOD, "size": "832*480", "watermark": False}


async def test_a_file_of_requests_prints_every_result_and_the_status_tells_that_one_failed(
    broker_url: str, prefix: str, tmp_path: Path
) -> None:
    file = tmp_path / "requests.jsonl"
    lines = [json.dumps(GOOD), "", json.dumps({**GOOD, "size": "1x1"}), json.dumps(GOOD)]
    file.write_text("\n".join(lines))
    settings = {"VIDEOGEN_BROKER__URL": broker_url, "VIDEOGEN_BROKER__PREFIX": prefix}
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        process("submit", str(file), "--json", environment=settings) as submit,
    ):
        assert await submit.exits() == 1

    assert sorted(str(result["status"]) for result in results(submit)) == ["failed", "submitted", "submitted"]


def column(ended: Process, number: int) -> str:
    """Join what stands in one column of the printed table."""
    rows = (line.split("│") for line in ended.output if line.startswith("│"))
    return "".join(cells[number].strip() for cells in rows)


async def test_results_are_a_table_that_shows_both_ids_whole(broker_url: str, prefix: str) -> None:
    settings = {"VIDEOGEN_BROKER__URL": broker_url, "VIDEOGEN_BROKER__PREFIX": prefix, "COLUMNS": "80"}
    request_id = "order-" + "0123456789" * 6
    request = ("--prompt", "a cat", "--model", "wan2.2-t2v-plus", "--request-id", request_id)
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        process("submit", *request, environment=settings) as submit,
    ):
        assert await submit.exits() == 0

    assert column(submit, 1) == request_id
    assert column(submit, 3) == simulator.record.posts[0].task_id


async def test_what_looks_like_markup_is_shown_as_it_is(broker_url: str, prefix: str) -> None:
    settings = {"VIDEOGEN_BROKER__URL": broker_url, "VIDEOGEN_BROKER__PREFIX": prefix, "COLUMNS": "200"}
    request = ("--prompt", "a cat", "--model", "[/b]", "--request-id", "id[/x]")
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        process("submit", *request, environment=settings) as submit,
    ):
        assert await submit.exits() == 1

    assert column(submit, 1) == "id[/x]"
    assert '"[/b]"' in column(submit, 3)


async def test_a_result_that_does_not_come_in_time_is_named(broker_url: str, prefix: str) -> None:
    settings = {"VIDEOGEN_BROKER__URL": broker_url, "VIDEOGEN_BROKER__PREFIX": prefix}
    request = ("--prompt", "a cat [sim: hold]", "--model", "wan2.2-t2v-plus", "--request-id", "mine")
    async with (
        simulated_endpoint() as simulator,
        running_worker(settings_for(broker_url, prefix, simulator.base_url)),
        process("submit", *request, "--timeout", "1.5", environment=settings) as submit,
    ):
        assert await submit.exits() == 3
        simulator.release(for_good=True)

    assert "1 of 1 requests were sent, 0 of 1 results came" in submit.output[-1]
    assert "of request id mine" in submit.output[-1]
    assert f"{prefix}.undelivered" in submit.output[-1]
    assert "task id" not in "\n".join(submit.output)


@dataclass(frozen=True, slots=True)
class HalfWay:
    """A `submit` that has one of its two results: the other call is held at the endpoint."""

    submit: Process
    proxy: TcpProxy
    paid: str


@asynccontextmanager
async def half_way(broker_url: str, prefix: str, folder: Path) -> AsyncIterator[HalfWay]:
    file = folder / "requests.jsonl"
    file.write_text("\n".join(json.dumps({**GOOD, "prompt": prompt}) for prompt in ("a cat", "a dog [sim: hold]")))
    real = URL(broker_url)
    async with TcpProxy(real.host or "", real.port or 5672) as proxy, simulated_endpoint() as simulator:
        address = str(real.with_host("127.0.0.1").with_port(proxy.port))
        settings = {"VIDEOGEN_BROKER__URL": address, "VIDEOGEN_BROKER__PREFIX": prefix, "COLUMNS": "120"}
        # The bar is shown on a terminal alone.
        settings["FORCE_COLOR"] = "1"
        async with (
            running_worker(settings_for(broker_url, prefix, simulator.base_url)),
            process("submit", str(file), "--request-id", "mine", environment=settings) as submit,
        ):
            await submit.says("1 of 2 results")
            await simulator.record.wait_for(2)
            paid = next(post.task_id for post in simulator.record.posts if post.status == 200)
            assert paid is not None
            try:
                yield HalfWay(submit, proxy, paid)
            finally:
                simulator.release(for_good=True)


async def shows_what_came(half: HalfWay, status: int) -> None:
    assert await half.submit.exits() == status
    assert column(half.submit, 3) == half.paid
    assert "2 of 2 requests were sent, 1 of 2 results came" in half.submit.output[-1]
    assert "of request id mine-2" in half.submit.output[-1]
    assert "Traceback" not in "\n".join(half.submit.output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_a_signal_loses_no_result_that_came(
    number: signal.Signals, broker_url: str, prefix: str, tmp_path: Path
) -> None:
    async with half_way(broker_url, prefix, tmp_path) as half:
        half.submit.signal(number)
        await shows_what_came(half, 130)


async def test_a_lost_broker_loses_no_result_that_came(broker_url: str, prefix: str, tmp_path: Path) -> None:
    async with half_way(broker_url, prefix, tmp_path) as half:
        half.proxy.close_listening()
        half.proxy.cut()
        await shows_what_came(half, 1)


async def test_the_broker_comes_from_a_dotenv_file_too(broker_url: str, prefix: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"VIDEOGEN_BROKER__URL={broker_url}\nVIDEOGEN_BROKER__PREFIX={prefix}\n")
    async with process("submit", "--prompt", "a", "--model", "m", folder=tmp_path) as submit:
        assert await submit.exits() == 1

    assert f"'{prefix}.requests' does not exist" in "\n".join(submit.output)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--broker-url", "nonsense"), "VIDEOGEN_BROKER__URL"),
        (("--broker-url", "amqp://guest:guest@localhost:abc/"), "VIDEOGEN_BROKER__URL"),
        (("--broker-url", "http://localhost"), "must start with amqp://"),
        (("--broker-url", ""), "VIDEOGEN_BROKER__URL"),
        (("--prefix", "a b"), "VIDEOGEN_BROKER__PREFIX"),
        (("--request-id", ""), "1 to 255 bytes"),
        (("--request-id", "ü" * 128), "1 to 255 bytes"),
        (("--timeout", "0"), "above 0"),
        (("--timeout", "-5"), "above 0"),
        (("--timeout", "nan"), "above 0"),
        (("--timeout", "inf"), "above 0"),
    ],
)
async def test_a_wrong_option_is_explained(options: tuple[str, ...], says: str) -> None:
    async with process("submit", "--prompt", "a", "--model", "m", *options) as submit:
        assert await submit.exits() == 2

    assert says in "\n".join(submit.output)
    assert "Traceback" not in "\n".join(submit.output)


async def test_a_certificate_file_of_the_settings_is_used(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = {"VIDEOGEN_BROKER__URL": "amqps://127.0.0.1:9/", "VIDEOGEN_BROKER__CA_FILE": str(tmp_path / "ca.pem")}
    async with process("submit", "--prompt", "a", "--model", "m", environment=settings) as submit:
        assert await submit.exits() == 2

    assert "VIDEOGEN_BROKER__CA_FILE" in submit.output[-1]


@pytest.mark.parametrize(
    ("content", "says"),
    [("not json", "line 1: not JSON"), ('{}\n["a"]', "line 2: not a JSON object"), ("\n", "holds no request")],
)
async def test_a_wrong_file_is_refused_before_anything_is_sent(content: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(content)
    async with process("submit", str(file), "--broker-url", "amqp://127.0.0.1:9/") as submit:
        assert await submit.exits() == 2

    assert says in submit.output[-1]


@pytest.mark.parametrize("arguments", [(), ("file.jsonl", "--prompt", "a cat")], ids=["neither", "both"])
async def test_either_a_file_or_options_must_be_given(arguments: tuple[str, ...]) -> None:
    async with process("submit", *arguments) as submit:
        assert await submit.exits() == 2

    assert "either a FILE or the options" in submit.output[-1]


async def test_a_broker_that_is_away_is_said_without_a_traceback() -> None:
    async with process("submit", "--prompt", "a", "--model", "m", "--broker-url", "amqp://127.0.0.1:9/") as submit:
        assert await submit.exits() == 1

    assert "cannot be reached" in submit.output[-2]
    assert submit.output[-1] == "0 of 1 requests were sent, 0 of 1 results came."


async def test_a_queue_that_was_never_declared_is_named(broker_url: str, prefix: str) -> None:
    arguments = ("--prompt", "a", "--model", "m", "--broker-url", broker_url, "--prefix", prefix)
    async with process("submit", *arguments) as submit:
        assert await submit.exits() == 1

    assert f"'{prefix}.requests' does not exist" in submit.output[-2]
