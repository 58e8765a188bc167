import json

import pytest

from service.settings import masked_url, public_view, secret_texts
from service.settings.names import NAMES
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


def test_the_public_view_shows_every_setting_and_no_secret() -> None:
    view = public_view(load(BROKER))
    assert set(view) == set(NAMES)
    assert view["VIDEOGEN_BROKER__URL"] == "amqps://***@host:5671/v"
    assert view["VIDEOGEN_ENDPOINT__API_KEY"] == "***"
    assert view["VIDEOGEN_RETRY__TIERS"] == "10s,1m,5m,30m"
    assert view["VIDEOGEN_ENDPOINT__TIMEOUT"] == 30
    shown = json.dumps(view)
    assert KEY not in shown
    assert "hush" not in shown


def test_the_secret_texts_are_the_key_and_the_password_in_both_spellings() -> None:
    assert set(secret_texts(load(BROKER))) == {KEY, "hush%2Fhush", "hush/hush"}


def test_a_broker_without_a_password_has_no_secret_text() -> None:
    assert secret_texts(load({"VIDEOGEN_BROKER__URL": "amqp://host"})) == (KEY,)
