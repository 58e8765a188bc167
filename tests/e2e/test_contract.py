"""The worker's start on a broker whose management API tells what it is like."""

from pydantic import SecretStr

from service.core.facts import Advice
from service.settings import Settings
from tests.support.broker import Amqp
from tests.support.environment import environment
from tests.support.management_api import cluster_of, empty_broker
from tests.support.process import process
from tests.support.raw_server import raw_server
from tests.support.running import running_worker, settings_for


async def test_a_broker_that_would_lose_messages_ends_the_start_with_what_is_wrong(
    broker_url: str, prefix: str, amqp: Amqp
) -> None:
    async with raw_server(empty_broker(cluster_of(amqp))) as api:
        settings = environment(
            broker_url,
            prefix,
            "http://127.0.0.1:9",
            VIDEOGEN_BROKER__MANAGEMENT_URL=f"http://guest:guest@127.0.0.1:{api.port}",
        )
        async with process(environment=settings) as worker:
            assert await worker.exits() == 1

    said = worker.output[-1]
    assert f"{prefix}.requests" in said
    assert "Traceback" not in "\n".join(worker.output)


async def test_a_management_api_that_is_away_is_told_and_stops_nothing(broker_url: str, prefix: str) -> None:
    async with running_worker(_managed_at(settings_for(broker_url, prefix, "http://127.0.0.1:9"))) as running:
        said = [advice.text for advice in running.facts.of(Advice)]

    assert any(text.startswith("management API: ") for text in said)
    assert "hidden" not in "".join(said)


def _managed_at(settings: Settings) -> Settings:
    url = SecretStr("http://guest:hidden@127.0.0.1:9")
    return settings.model_copy(update={"broker": settings.broker.model_copy(update={"management_url": url})})
