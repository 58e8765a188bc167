import traceback

import pytest

from service.settings import SettingsError, load_settings
from tests.settings.settings_env import KEY, NO_DOTENV, load, problem, problems

BASE_URL = "VIDEOGEN_ENDPOINT__BASE_URL"


def test_every_required_setting_that_is_missing_is_named_with_its_meaning() -> None:
    missing = problems({}, required={})
    assert missing == (
        f"{BASE_URL} is not set; it is required: where the endpoint is, such as https://api.example.com",
        "VIDEOGEN_ENDPOINT__API_KEY is not set; it is required: the key that the endpoint's operator issued",
    )


def test_all_problems_are_reported_at_once() -> None:
    texts = problems(
        {
            "VIDEOGEN_ENDPOINT__TIMEOUTS": "1",
            "VIDEOGEN_WORKER__CONCURRENCY": "none",
            "VIDEOGEN_ENDPOINT__API_KEY_FILE": "/nonexistent",
            "VIDEOGEN_RETRY__BASE": "30s",
        },
        required={},
    )
    assert [text.split("=")[0].split(" ")[0] for text in texts] == [
        "VIDEOGEN_ENDPOINT__TIMEOUTS",
        "VIDEOGEN_ENDPOINT__API_KEY_FILE",
        "VIDEOGEN_ENDPOINT__BASE_URL",
        "VIDEOGEN_WORKER__CONCURRENCY",
        "VIDEOGEN_RETRY__BASE",
    ]


def test_a_relation_is_not_reported_on_top_of_a_wrong_value() -> None:
    text = problem({"VIDEOGEN_ENDPOINT__TIMEOUT": "soon", "VIDEOGEN_WORKER__DRAIN_TIMEOUT": "10s"})
    assert text.startswith("VIDEOGEN_ENDPOINT__TIMEOUT='soon'")


def test_a_long_value_is_cut_short() -> None:
    assert len(problem({"VIDEOGEN_WORKER__CONCURRENCY": "x" * 5000})) < 300


def test_neither_the_error_nor_its_traceback_holds_a_secret() -> None:
    environ = {
        "VIDEOGEN_ENDPOINT__API_KEY": f"{KEY} {KEY}",
        "VIDEOGEN_BROKER__URL": "http://me:hush-hush@host",
    }
    with pytest.raises(SettingsError) as refused:
        load_settings(environ, NO_DOTENV)
    shown = "".join(traceback.format_exception(refused.value)) + repr(refused.value)
    assert "VIDEOGEN_BROKER__URL" in shown
    assert KEY not in shown
    assert "hush-hush" not in shown


def test_a_correct_environment_loads() -> None:
    settings = load({"VIDEOGEN_ENDPOINT__TIMEOUT": "45s", "VIDEOGEN_BROKER__DECLARE": "false"})
    assert settings.endpoint.timeout == 45
    assert settings.broker.declare is False
