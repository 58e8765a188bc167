"""What is found out about the broker of this session, with a management API that says what the test wants."""

import pytest
from pydantic import SecretStr

from service.adapters.broker_check import MANAGEMENT_API, contract_findings
from service.core.broker_version import broker_version
from service.core.finding import Finding, Verdict
from service.core.hold_time import lists_timeouts
from service.private_broker import Broker
from service.settings import Settings
from tests.support.broker import Amqp
from tests.support.management_api import cluster_of, empty_broker, management, overview
from tests.support.raw_server import Script, raw_server
from tests.support.running import settings_for


@pytest.fixture
def settings(broker_url: str, prefix: str) -> Settings:
    return settings_for(broker_url, prefix, "http://127.0.0.1:9")


def managed_at(settings: Settings, url: str) -> Settings:
    broker = settings.broker.model_copy(update={"management_url": SecretStr(url)})
    return settings.model_copy(update={"broker": broker})


def fresh_broker(cluster: str, consumer_timeout: int) -> Script:
    """Be the API of a cluster with queues on which nobody has set anything."""
    queue = {"type": "quorum", "durable": True, "arguments": {}, "effective_policy_definition": {}}
    listed = {**queue, "consumer_details": [{"consumer_timeout": consumer_timeout}]}

    def tell(path: str) -> object:
        if path == "overview":
            return overview(cluster)
        if path.startswith("queues/"):
            return listed if ".check." in path else queue
        return None

    return management(tell)


def verdicts(findings: tuple[Finding, ...]) -> dict[str, Verdict]:
    return {finding.what: finding.verdict for finding in findings}


async def test_without_an_address_nothing_is_wrong_and_the_rest_is_unknown(settings: Settings, amqp: Amqp) -> None:
    assert verdicts(await contract_findings(settings, amqp.connection)) == {
        "broker version": Verdict.OK,
        MANAGEMENT_API: Verdict.UNKNOWN,
        "consumer timeout": Verdict.UNKNOWN,
    }


async def test_an_api_that_is_away_is_unknown_and_told_without_its_password(settings: Settings, amqp: Amqp) -> None:
    findings = await contract_findings(managed_at(settings, "http://guest:hidden@127.0.0.1:9"), amqp.connection)

    assert Verdict.WRONG not in verdicts(findings).values()
    (said,) = (finding.said for finding in findings if finding.what == MANAGEMENT_API)
    assert "does not answer" in said
    assert "hidden" not in said


async def test_the_api_of_another_cluster_is_not_believed(settings: Settings, amqp: Amqp) -> None:
    async with raw_server(empty_broker("another")) as server:
        findings = await contract_findings(managed_at(settings, server.url), amqp.connection)

    assert Verdict.WRONG not in verdicts(findings).values()
    (said,) = (finding.said for finding in findings if finding.what == MANAGEMENT_API)
    assert "another" in said
    assert cluster_of(amqp) in said


async def test_what_the_api_does_not_find_is_wrong(settings: Settings, amqp: Amqp) -> None:
    async with raw_server(empty_broker(cluster_of(amqp))) as server:
        findings = await contract_findings(managed_at(settings, server.url), amqp.connection)

    assert verdicts(findings)[f"queue {settings.topology.requests}"] is Verdict.WRONG


@pytest.mark.parametrize("patient", [True, False])
async def test_with_patience_the_brokers_own_consumer_timeout_is_found_out(
    settings: Settings, amqp: Amqp, broker: Broker, *, patient: bool
) -> None:
    async with raw_server(fresh_broker(cluster_of(amqp), 20_000)) as server:
        findings = await contract_findings(managed_at(settings, server.url), amqp.connection, patient=patient)

    version = broker_version("RabbitMQ", broker.version)
    found = Verdict.WRONG if patient and lists_timeouts(version) else Verdict.UNKNOWN
    assert verdicts(findings)["consumer timeout"] is found
