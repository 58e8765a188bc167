from pathlib import Path

import pytest

from service.settings import SettingsError, load_settings
from tests.settings.settings_env import KEY, NO_DOTENV, REQUIRED, load, problem, problems

CONCURRENCY = "VIDEOGEN_WORKER__CONCURRENCY"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    directory = tmp_path / "secrets"
    directory.mkdir()
    return directory


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    return tmp_path / ".env"


@pytest.fixture
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def test_the_process_environment_and_the_dotenv_of_the_working_directory_are_read_by_default(
    working_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (working_directory / ".env").write_text("VIDEOGEN_RETRY__ATTEMPTS=2\n")
    monkeypatch.setenv(CONCURRENCY, "3")
    settings = load_settings()
    assert (settings.retry.attempts, settings.worker.concurrency) == (2, 3)


def test_the_environment_wins_over_dotenv_and_dotenv_over_a_secret_file(secrets: Path, dotenv: Path) -> None:
    for number, name in enumerate(["ATTEMPTS", "BASE", "CAP"], start=11):
        (secrets / f"VIDEOGEN_RETRY__{name}").write_text(f"{number}\n")
    dotenv.write_text("VIDEOGEN_RETRY__BASE=5\nVIDEOGEN_RETRY__CAP=6\n")
    retry = load_settings({**REQUIRED, "VIDEOGEN_SECRETS_DIR": str(secrets), "VIDEOGEN_RETRY__CAP": "7"}, dotenv).retry
    assert (retry.attempts, retry.base, retry.cap) == (11, 5, 7)


def test_names_count_in_any_case(secrets: Path, dotenv: Path) -> None:
    (secrets / "videogen_retry__attempts").write_text("9")
    dotenv.write_text("videogen_worker__concurrency=8\n")
    environ = {**REQUIRED, "videogen_secrets_dir": str(secrets), "Videogen_Admin__Port": "7"}
    settings = load_settings(environ, dotenv)
    assert (settings.retry.attempts, settings.worker.concurrency, settings.admin.port) == (9, 8, 7)


def test_an_empty_value_counts_as_not_set(dotenv: Path) -> None:
    dotenv.write_text(f"{CONCURRENCY}=8\n")
    assert load_settings({**REQUIRED, CONCURRENCY: ""}, dotenv).worker.concurrency == 8


def test_a_secret_file_loses_its_line_break_and_nothing_else(secrets: Path) -> None:
    (secrets / "VIDEOGEN_ENDPOINT__API_KEY").write_bytes(b"sk-1\r\n")
    (secrets / "unrelated").write_bytes(b"\xff")
    (secrets / "..data").mkdir()
    environ = {
        "VIDEOGEN_ENDPOINT__BASE_URL": "https://host",
        "VIDEOGEN_ENDPOINT__API_KEY": "",
        "VIDEOGEN_SECRETS_DIR": str(secrets),
    }
    assert load_settings(environ, NO_DOTENV).endpoint.api_key.get_secret_value() == "sk-1"


def test_the_key_can_be_read_from_a_named_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    settings = load({"VIDEOGEN_ENDPOINT__API_KEY": "", "VIDEOGEN_ENDPOINT__API_KEY_FILE": str(file)})
    assert settings.endpoint.api_key.get_secret_value() == KEY
    assert settings.endpoint.api_key_file == file


def test_a_key_in_the_secrets_directory_knows_its_file(secrets: Path) -> None:
    file = secrets / "videogen_endpoint__api_key"
    file.write_text(f"{KEY}\n")
    endpoint = load({"VIDEOGEN_ENDPOINT__API_KEY": "", "VIDEOGEN_SECRETS_DIR": str(secrets)}).endpoint
    assert (endpoint.api_key.get_secret_value(), endpoint.api_key_file) == (KEY, file)


def test_a_key_that_wins_over_the_secrets_directory_has_no_file(secrets: Path) -> None:
    (secrets / "VIDEOGEN_ENDPOINT__API_KEY").write_text("sk-other\n")
    endpoint = load({"VIDEOGEN_SECRETS_DIR": str(secrets)}).endpoint
    assert (endpoint.api_key.get_secret_value(), endpoint.api_key_file) == (KEY, None)


@pytest.mark.parametrize(
    ("name", "url"),
    [("VIDEOGEN_LEDGER__URL", "redis://:hush@host"), ("VIDEOGEN_BROKER__MANAGEMENT_URL", "http://me:hush@host:15672")],
)
def test_every_secret_can_be_read_from_a_named_file(tmp_path: Path, name: str, url: str) -> None:
    file = tmp_path / "url"
    file.write_text(url)
    settings = load({f"{name}_FILE": str(file)})
    assert url in {
        secret.get_secret_value() for secret in (settings.ledger.url, settings.broker.management_url) if secret
    }


def test_a_key_and_a_file_for_it_are_one_too_many() -> None:
    text = problem({"VIDEOGEN_ENDPOINT__API_KEY_FILE": "/some/file"})
    assert "VIDEOGEN_ENDPOINT__API_KEY is set too; set one of the two" in text


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff", "not UTF-8")],
)
def test_a_key_file_without_a_key_is_the_one_problem(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    text = problem({"VIDEOGEN_ENDPOINT__API_KEY": "", "VIDEOGEN_ENDPOINT__API_KEY_FILE": str(file)})
    assert text.startswith(f"VIDEOGEN_ENDPOINT__API_KEY_FILE={str(file)!r}: ")
    assert why in text


def test_a_secret_file_that_cannot_be_read_is_a_problem(secrets: Path) -> None:
    (secrets / "VIDEOGEN_BROKER__URL").mkdir()
    text = problem({"VIDEOGEN_SECRETS_DIR": str(secrets)})
    assert str(secrets / "VIDEOGEN_BROKER__URL") in text
    assert "Is a directory" in text


def test_a_secrets_directory_that_is_not_there_is_a_problem() -> None:
    text = problem({"VIDEOGEN_SECRETS_DIR": "/nonexistent"})
    assert text.startswith("VIDEOGEN_SECRETS_DIR='/nonexistent': No such file or directory; ")


def test_a_dotenv_that_is_not_utf_8_is_a_problem(dotenv: Path) -> None:
    dotenv.write_bytes(b"\xff=1\n")
    with pytest.raises(SettingsError) as refused:
        load_settings(REQUIRED, dotenv)
    assert refused.value.problems == (f"{dotenv} cannot be read: not UTF-8; make it a readable UTF-8 file",)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("VIDEOGEN_ENDPOINT__TIMEOT", "VIDEOGEN_ENDPOINT__TIMEOUT"),
        ("VIDEOGEN_ADMIN_PORT", "VIDEOGEN_ADMIN__PORT"),
        ("VIDEOGEN_API_KEY", "VIDEOGEN_ENDPOINT__API_KEY"),
        ("VIDEOGEN_ENDPOINT__APIKEY", "VIDEOGEN_ENDPOINT__API_KEY"),
        ("VIDEOGEN_SECRET_DIR", "VIDEOGEN_SECRETS_DIR"),
        ("VIDEOGEN_ENDPIONT__TIMEOUT", "VIDEOGEN_ENDPOINT__TIMEOUT"),
        ("VIDEOGEN_RETRY_ATEMPTS", "VIDEOGEN_RETRY__ATTEMPTS"),
        ("VIDEOGEN_BROKER__URL_FLIE", "VIDEOGEN_BROKER__URL_FILE"),
        ("VIDEOGEN_MODEL_FILE", "VIDEOGEN_MODELS_FILE"),
    ],
)
def test_an_unknown_name_is_a_problem_with_a_suggestion_and_without_its_value(name: str, meant: str) -> None:
    text = problem({name: "hush"})
    assert text == f"{name} (from the environment): there is no such setting; did you mean {meant}?"


@pytest.mark.parametrize(
    "name",
    [
        "VIDEOGEN_",
        "VIDEOGEN_TRACING__URL",
        "VIDEOGEN_ENDPOINT",
        "VIDEOGEN_RETRY__COLOUR",
        "VIDEOGEN_ENDPOINT__COLOUR",
    ],
)
@pytest.mark.parametrize("value", ["1", ""])
def test_an_unknown_name_like_no_other_is_a_problem_with_a_place_to_look(name: str, value: str) -> None:
    assert "look its name up in docs/settings.md" in problem({name: value})


def test_unknown_names_are_found_in_dotenv_and_in_secret_files_too(secrets: Path, dotenv: Path) -> None:
    dotenv.write_text("VIDEOGEN_ONE=1\nOTHER=2\n")
    (secrets / "VIDEOGEN_TWO").write_text("2")
    with pytest.raises(SettingsError) as refused:
        load_settings({**REQUIRED, "VIDEOGEN_SECRETS_DIR": str(secrets)}, dotenv)
    assert sorted(problem.split(":")[0] for problem in refused.value.problems) == [
        f"VIDEOGEN_ONE (from {dotenv})",
        f"VIDEOGEN_TWO (from {secrets / 'VIDEOGEN_TWO'})",
    ]


def test_names_of_the_test_suite_and_of_others_are_let_pass() -> None:
    assert problems({"VIDEOGEN_TEST_BROKER": "x", "PATH": "/bin", "videogen_test_y": "x"}) == ()


def test_what_kubernetes_sets_for_a_service_is_let_pass() -> None:
    service = {
        "VIDEOGEN_WORKER_SERVICE_HOST": "10.0.0.1",
        "VIDEOGEN_WORKER_SERVICE_PORT": "8080",
        "VIDEOGEN_WORKER_SERVICE_PORT_ADMIN": "8080",
        "VIDEOGEN_WORKER_PORT": "tcp://10.0.0.1:8080",
        "VIDEOGEN_WORKER_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "VIDEOGEN_WORKER_PORT_8080_TCP_ADDR": "10.0.0.1",
    }
    assert problems(service) == ()


def test_a_name_that_only_looks_like_a_kubernetes_service_is_unknown() -> None:
    assert "no such setting" in problem({"VIDEOGEN_WORKER_PORT": "tcp://10.0.0.1:8080"})
