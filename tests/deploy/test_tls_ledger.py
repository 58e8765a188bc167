"""A ledger over `rediss://`, with a Redis that asks its clients for certificates."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from service.adapters.ledger.errors import LedgerConfigurationError
from service.adapters.ledger.opening import OpenLedger, open_ledger
from service.adapters.system import SystemClock, new_id
from service.core.ledger import Claimed, LedgerUnavailable, Permit
from service.settings import LedgerSettings
from tests.deploy.tls.mounted import Mounted
from tests.deploy.tls.papers import Pair, Papers
from tests.deploy.tls.secure_redis import SecureRedis, secure_redis
from tests.support.broker import announce


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def client(papers: Papers) -> Pair:
    return papers.issue("client", "worker.example")


@pytest.fixture(scope="module")
def redis(
    papers: Papers, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[SecureRedis]:
    def say(line: str) -> None:
        announce(pytestconfig, line)

    with secure_redis(tmp_path_factory.mktemp("redis"), say, "ledger-password") as server:
        server.start(papers.issue("server", "localhost"), papers.our_ca)
        yield server


@pytest.fixture(autouse=True)
def authorities_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def ledger(url: str, **files: str | Path | None) -> AbstractAsyncContextManager[OpenLedger]:
    settings = LedgerSettings.model_validate({"url": url, **files})
    return open_ledger(settings, holder=new_id(), lease=timedelta(minutes=1), prefix=new_id(), clock=SystemClock())


async def test_a_ledger_works_with_an_authority_and_a_client_certificate_of_our_own(
    redis: SecureRedis, papers: Papers, client: Pair
) -> None:
    files = {"ca_file": papers.our_ca, "cert_file": client.certificate, "key_file": client.key}
    async with ledger(redis.url(), **files) as opened:
        await opened.ping()
        assert await opened.claim("r", 1, Permit()) == Claimed()


async def test_the_environment_can_name_the_authorities(
    redis: SecureRedis, papers: Papers, client: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(papers.our_ca))
    async with ledger(redis.url(), cert_file=client.certificate, key_file=client.key) as opened:
        await opened.ping()


FAULTS: Mapping[str, str] = {
    "an authority that did not sign the certificate": "is from an unknown authority: set VIDEOGEN_LEDGER__CA_FILE",
    "no authority of our own": "is from an unknown authority: set VIDEOGEN_LEDGER__CA_FILE",
    "another host name": "Redis's certificate is for another host: use a name that it was issued for in VIDEOGEN",
    "no client certificate": "asks for a client certificate",
    "a client certificate of another authority": "client certificate",
    "an address without TLS": "Redis closed the connection: check scheme (redis:// or rediss://)",
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_redis_that_tls_forbids_is_explained(
    fault: str, redis: SecureRedis, papers: Papers, client: Pair
) -> None:
    url, files = redis.url(), {"ca_file": papers.our_ca, "cert_file": client.certificate, "key_file": client.key}
    match fault:
        case "an authority that did not sign the certificate":
            files["ca_file"] = papers.their_ca
        case "no authority of our own":
            del files["ca_file"]
        case "another host name":
            url = redis.url("127.0.0.1")
        case "no client certificate":
            files = {"ca_file": papers.our_ca}
        case "a client certificate of another authority":
            pair = papers.issue("foreign", "worker.example", by=papers.theirs)
            files |= {"cert_file": pair.certificate, "key_file": pair.key}
        case _:
            url, files = redis.url(scheme="redis"), {}
    async with ledger(url, **files) as opened:
        with pytest.raises(LedgerUnavailable) as unavailable:
            await opened.ping()
    assert FAULTS[fault] in str(unavailable.value)
    assert redis.password not in str(unavailable.value)


async def test_a_file_that_cannot_be_used_is_named_at_the_start(redis: SecureRedis, papers: Papers) -> None:
    with pytest.raises(LedgerConfigurationError, match=r"VIDEOGEN_LEDGER__CA_FILE=.* holds no certificate"):
        async with ledger(redis.url(), ca_file=papers.write("garbage.pem", b"garbage")):
            pass


async def test_files_that_are_rotated_count_from_the_next_connection_on(
    redis: SecureRedis, papers: Papers, client: Pair, tmp_path: Path
) -> None:
    new = trustme.CA()
    issued = papers.issue("rotated", "worker.example", by=new)
    mounted = Mounted(
        tmp_path / "tls",
        {
            "ca.crt": papers.our_ca.read_bytes(),
            "tls.crt": client.certificate.read_bytes(),
            "tls.key": client.key.read_bytes(),
        },
    )
    files = {"ca_file": "ca.crt", "cert_file": "tls.crt", "key_file": "tls.key"}
    try:
        async with ledger(redis.url(), **{name: mounted.path(file) for name, file in files.items()}) as opened:
            await opened.ping()
            redis.start(
                papers.issue("new-server", "localhost", by=new), papers.write("new-ca.pem", new.cert_pem.bytes())
            )
            with pytest.raises(LedgerUnavailable):
                await opened.ping()
            with pytest.raises(LedgerUnavailable, match="unknown authority"):
                await opened.ping()
            mounted.swap(
                {
                    "ca.crt": new.cert_pem.bytes(),
                    "tls.crt": issued.certificate.read_bytes(),
                    "tls.key": issued.key.read_bytes(),
                }
            )
            await opened.ping()
    finally:
        redis.start(papers.issue("server", "localhost"), papers.our_ca)
