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


def test_the_secret_texts_are_the_key_and_the_password_in_both_spellings() -> None:
    assert set(secret_texts(load(BROKER))) == {KEY, "hush%2Fhush", "hush/hush"}


def test_the_passwords_of_ledger_and_management_are_secret_too() -> None:
    urls = {
        "VIDEOGEN_LEDGER__URL": "redis://:led%40ger@host/1",
        "VIDEOGEN_BROKER__MANAGEMENT_URL": "https://me:manage@host",
    }
    assert {"led%40ger", "led@ger", "manage"} <= set(secret_texts(load(urls)))


def test_a_broker_without_a_password_has_no_secret_text() -> None:
    assert secret_texts(load({"VIDEOGEN_BROKER__URL": "amqp://host"})) == (KEY,)
