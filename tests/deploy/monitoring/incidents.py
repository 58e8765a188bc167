"""What befalls a worker in a bad month, each for as long as it takes until Prometheus has seen it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from tests.chaos.harness.waiting import until
from tests.deploy.monitoring.stage import KEY, PREFIX, Stage

Incident = Callable[[Stage, float], Awaitable[None]]
"""Takes the stage, and how many seconds it lasts at least."""


def _paused(reason: str) -> str:
    return f'max(videogen_consumption_paused{{reason="{reason}"}})'


async def wrong_requests(stage: Stage, seconds: float) -> None:
    """Producers send nonsense, ask for what is refused, or come too late."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    for _ in range(3):
        stage.producer.send_body(b"no JSON")
        stage.producer.send_body(b'{"model": "wan2.2-t2v-plus"}')
        stage.producer.send("a cat [sim: 400]")
        stage.producer.send("a cat", headers={"x-deadline": yesterday})
    seen = "sum(videogen_requests_settled_total{outcome=~'malformed_message|invalid_request|expired|rejected'}) >= 12"
    await _until(stage, seconds, seen)


async def lost_answers(stage: Stage, seconds: float) -> None:
    """The endpoint accepts calls, and a gateway answers 504."""
    for _ in range(3):
        stage.producer.send("a cat [sim: accept-then-504]")
    await _until(stage, seconds, 'sum(videogen_endpoint_calls_total{result="uncertain"}) >= 3')


async def copies(stage: Stage, seconds: float) -> None:
    """A producer sends the same request again, while it runs and after it was answered."""
    first = stage.producer.send("a cat [sim: latency=2]")
    stage.producer.send("a cat [sim: latency=2]", message_id=first)
    await stage.prometheus.until("sum(videogen_duplicate_calls_prevented_total) >= 1")
    stage.producer.send("a cat [sim: latency=2]", message_id=first)
    await _until(stage, seconds, "sum(videogen_duplicate_calls_prevented_total) >= 2")


async def lost_replies(stage: Stage, seconds: float) -> None:
    """Producers went away, and their reply queues with them."""
    for _ in range(3):
        stage.producer.send(reply_to="a-queue-that-is-gone")
    await _until(stage, seconds, 'sum(videogen_results_published_total{outcome="returned"}) >= 3')
    await stage.prometheus.until(f'sum(rabbitmq_detailed_queue_messages{{queue="{PREFIX}.undelivered"}}) >= 3')


async def rate_limit(stage: Stage, seconds: float) -> None:
    """The endpoint answers most calls with 429."""
    await stage.switch("error-rates", '{"429": 0.8, "503": 0.1}')
    await _until(
        stage, seconds, "sum(videogen_retries_scheduled_total) > 0 and sum(videogen_endpoint_retries_total) > 0"
    )
    await stage.switch("error-rates", "{}")


async def refused_key(stage: Stage, seconds: float) -> None:
    """The account has another key from now on; then the old one is good again."""
    await stage.switch("key", "another-key")
    await _until(stage, seconds, f"{_paused('blocked')} == 1")
    await stage.switch("key", KEY)
    await stage.prometheus.until(f"{_paused('blocked')} == 0")


async def unreachable_endpoint(stage: Stage, seconds: float) -> None:
    """Connections to the endpoint are refused."""
    stage.to_endpoint.close_listening()
    stage.to_endpoint.cut()
    await _until(stage, seconds, f"{_paused('endpoint_down')} == 1")
    await stage.to_endpoint.open_listening()
    await stage.prometheus.until(f"{_paused('endpoint_down')} == 0")


async def lost_ledger(stage: Stage, seconds: float) -> None:
    """The ledger's file is moved away, and put back."""
    aside = stage.ledger.with_suffix(".aside")
    stage.ledger.rename(aside)
    await _until(stage, seconds, f"{_paused('ledger')} == 1")
    aside.rename(stage.ledger)
    await stage.prometheus.until(f"{_paused('ledger')} == 0")


async def cut_connections(stage: Stage, seconds: float) -> None:
    """The network cuts the connections to the broker; copies of what was in hand come again."""
    stage.to_broker.close_listening()
    stage.to_broker.cut()
    await _until(stage, seconds, "max(videogen_broker_connected) == 0")
    await stage.to_broker.open_listening()
    await stage.prometheus.until("sum(videogen_broker_reconnects_total) >= 2 and min(videogen_consumer_active) == 1")


async def dead_broker(stage: Stage, seconds: float) -> None:
    """The broker is killed, and started again."""
    await stage.node.kill()
    await _until(stage, seconds, "max(videogen_broker_connected) == 0")
    await stage.node.start()
    await stage.prometheus.until("min(videogen_broker_connected) == 1 and min(videogen_consumer_active) == 1")


async def memory_alarm(stage: Stage, seconds: float) -> None:
    """The broker has a memory alarm."""
    await stage.node.run_ctl("set_vm_memory_high_watermark", "absolute", "1")
    await _until(stage, seconds, "max(videogen_broker_blocked) == 1")
    await stage.node.run_ctl("set_vm_memory_high_watermark", "0.4")
    await stage.prometheus.until("max(videogen_broker_blocked) == 0")


async def roll_out(stage: Stage, seconds: float) -> None:
    """One worker is stopped in the middle of a call, and started again."""
    worker = stage.workers[0]
    # Workers are given messages in turn, so each has a call that lasts longer than a scrape.
    slow = [stage.producer.send("a cat [sim: latency=4]") for _ in range(2 * len(stage.workers))]
    for request_id in slow:
        await until(partial(stage.was_called, request_id), f"{request_id} is called")
    worker.begin_to_stop()
    await _until(stage, seconds, "max(videogen_draining) == 1")
    await worker.stopped()
    await worker.start()
    await stage.prometheus.until(f"sum(videogen_consumer_active) == {len(stage.workers)}")


async def _until(stage: Stage, seconds: float, seen: str) -> None:
    await asyncio.gather(stage.prometheus.until(seen), asyncio.sleep(seconds))
