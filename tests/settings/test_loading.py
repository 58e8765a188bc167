import traceback
from pathlib import Path

import pytest

from service.settings import SettingsError, load_broker_settings, load_settings
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
        "VIDEOGEN_BROKER__MANAGEMENT_URL": "amqp://me:hush-hush@host",
        "VIDEOGEN_LEDGER__URL": "redis://me:hush-hush@host:port",
    }
    with pytest.raises(SettingsError) as refused:
        load_settings(environ, NO_DOTENV)
    shown = "".join(traceback.format_exception(refused.value)) + repr(refused.value)
    assert all(name in shown for name in environ)
    assert KEY not in shown
    assert "hush-hush" not in shown


def test_a_correct_environment_loads() -> None:
    settings = load({"VIDEOGEN_ENDPOINT__TIMEOUT": "45s", "VIDEOGEN_BROKER__DECLARE": "false"})
    assert settings.endpoint.timeout == 45
    assert settings.broker.declare is False


URL = "VIDEOGEN_BROKER__URL"


def broker_problems(environ: dict[str, str], overrides: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        load_broker_settings(environ, NO_DOTENV, overrides)
    return refused.value.problems


def test_the_broker_needs_no_endpoint_and_minds_no_name_of_another_group() -> None:
    environ = {"VIDEOGEN_BROKER__PREFIX": "mine", "VIDEOGEN_ENDPOINT__TIMEOT": "1", "VIDEOGEN_RETRY__BASE": "soon"}
    assert load_broker_settings(environ, NO_DOTENV).prefix == "mine"


def test_the_broker_is_read_from_dotenv_and_from_secret_files(tmp_path: Path) -> None:
    dotenv, secret = tmp_path / ".env", tmp_path / "VIDEOGEN_BROKER__URL"
    dotenv.write_text("VIDEOGEN_BROKER__PREFIX=mine\n")
    secret.write_text("amqp://host-of-the-file/\n")
    # A directory: reading it would be a problem of a group that is not asked for.
    (tmp_path / "VIDEOGEN_ENDPOINT__API_KEY").mkdir()
    broker = load_broker_settings({"VIDEOGEN_SECRETS_DIR": str(tmp_path)}, dotenv)
    assert (broker.prefix, broker.url.get_secret_value()) == ("mine", "amqp://host-of-the-file/")


@pytest.mark.parametrize("name", ["VIDEOGEN_BROKER__URLL", "VIDEOGEN_BROKER_URL"])
def test_an_unknown_name_of_the_broker_is_a_problem(name: str) -> None:
    (text,) = broker_problems({name: "amqp://host"})
    assert text.endswith(f"did you mean {URL}?")


def test_relations_within_the_broker_are_checked() -> None:
    (text,) = broker_problems({"VIDEOGEN_BROKER__CA_FILE": __file__})
    assert "amqps://" in text


def test_a_relation_with_a_group_that_was_not_read_is_not_checked() -> None:
    broker = load_broker_settings({"VIDEOGEN_BROKER__CONSUMER_TIMEOUT": "1s"}, NO_DOTENV)
    assert broker.consumer_timeout == 1


@pytest.mark.parametrize("lower", [{URL: "amqp://other"}, {URL: "wrong"}, {URL: "amqp://a", f"{URL}_FILE": "/b"}])
def test_the_command_line_wins_over_every_source(lower: dict[str, str]) -> None:
    assert load_broker_settings(lower, NO_DOTENV, {URL: "amqp://mine"}).url.get_secret_value() == "amqp://mine"


@pytest.mark.parametrize("url", ["", "nonsense", "http://localhost", "amqp://me:hush@host:abc/"])
def test_a_wrong_value_of_the_command_line_is_a_problem_that_says_so(url: str) -> None:
    (text,) = broker_problems({}, {URL: url})
    assert text.startswith(f"{URL} (from the command line): ")
    assert "hush" not in text
