import base64

import pytest

from service.settings import masked_url, secret_texts
from tests.settings.settings_env import KEY, load

BROKER = {"VIDEOGEN_BROKER__URL": "amqps://me:hush%2Fhush@host:5671/v"}


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("amqp://me:hush@host/v", "amqp://***@host/v"),
        ("amqp://me:hu@sh/@host", "amqp://***@host"),
        ("amqp://host", "amqp://host"),
        ("https://host/?key=hush", "https://host/?***"),
        ("no url @ all?", "no url @ all?"),
    ],
)
def test_user_information_and_query_are_masked(url: str, masked: str) -> None:
    assert masked_url(url) == masked


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_the_secret_texts_are_the_key_and_the_password_in_every_spelling() -> None:
    login = base64.b64encode(b"me:hush/hush").decode()
    assert set(secret_texts(load(BROKER))) == {KEY, "hush%2Fhush", "hush/hush", login}


def test_the_passwords_of_ledger_and_management_are_secret_too() -> None:
    urls = {
        "VIDEOGEN_LEDGER__URL": "redis://:led%40ger@host/1",
        "VIDEOGEN_BROKER__MANAGEMENT_URL": "https://me:manage@host",
    }
    assert {"led%40ger", "led@ger", "manage"} <= set(secret_texts(load(urls)))


@pytest.mark.parametrize("proxy", ["http://me:pro%40xy@host:3128", "me:pro%40xy@host:3128"])
def test_the_password_of_a_proxy_is_secret_too(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert {"pro%40xy", "pro@xy", base64.b64encode(b"me:pro@xy").decode()} <= set(secret_texts(load()))


def test_a_proxy_that_cannot_be_read_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:proxy@[host")
    assert secret_texts(load({"VIDEOGEN_BROKER__URL": "amqp://host"})) == (KEY,)


def test_a_broker_without_a_password_has_no_secret_text() -> None:
    assert secret_texts(load({"VIDEOGEN_BROKER__URL": "amqp://host"})) == (KEY,)


def test_what_headers_and_address_of_a_collector_hold_is_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20hush-hush, x-team = ours")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=a=b,nonsense")

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:pass-word@collector:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector/v1/traces?key=hush-hush")

    headers = {"Bearer%20hush-hush", "Bearer hush-hush", "hush-hush", "ours", "a=b"}
    assert set(secret_texts(load())) >= {*headers, "pass-word", "key=hush-hush"}
