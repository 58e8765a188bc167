import pytest

from tests.settings.settings_env import load, problem


@pytest.mark.parametrize(
    "url", ["amqp://localhost", "amqps://me:p%40ss@host:5671/videos", "AMQP://host", "amqp://[::1]:5672/%2f"]
)
def test_a_broker_url_is_taken_as_it_is(url: str) -> None:
    assert load({"VIDEOGEN_BROKER__URL": url}).broker.url.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("http://me:hush@host", "must start with amqp:// or amqps://"),
        ("me:hush@host", "must start with amqp:// or amqps://"),
        ("amqp://me:hush@", "must name a host"),
        ("amqp://me:hush@host:0", "no port 0"),
        ("amqp://me:hush/@host", "percent-encode"),
        ("amqp://me:hush@host:99999", "up to 65535"),
        ("amqp://me:hush@[::1", "cannot be read"),
        ("amqp://me:hush@exämple..com", "no host name"),
        ("amqp://me:hush @host", "no blanks"),
        ("amqp://me:hush\n@host", "control characters"),
        ("amqp://me:hush@host?heartbeat=1", "no query"),
    ],
)
def test_a_wrong_broker_url_is_explained_without_its_password(url: str, advice: str) -> None:
    text = problem({"VIDEOGEN_BROKER__URL": url})
    assert text.startswith("VIDEOGEN_BROKER__URL (from the environment): ")
    assert advice in text
    assert "hush" not in text


@pytest.mark.parametrize(
    "url",
    [
        "none",
        "sqlite:///ledger.db",
        "sqlite:////data/my ledger.db",
        "redis://host",
        "redis://me:p%40ss@host:6379/0",
        "rediss://:pass@[::1]/15",
    ],
)
def test_a_ledger_is_a_file_a_redis_or_none(url: str) -> None:
    assert load({"VIDEOGEN_LEDGER__URL": url}).ledger.url.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("None", "use sqlite:///PATH"),
        ("sqlite://hush.db", "use sqlite:///PATH"),
        ("postgres://me:hush@host", "use sqlite:///PATH"),
        ("sqlite:///", "name a file"),
        ("sqlite:////", "name a file"),
        ("sqlite:////hush/", "name a file"),
        ("sqlite:///hush\n.db", "name a file"),
        ("sqlite:///:memory:", "plain path"),
        ("sqlite:///hush.db?mode=ro", "plain path"),
        ("redis://", "must name a host"),
        ("redis://me:hush@host/zero", "number of a database"),
        ("redis://me:hush@host/0/1", "number of a database"),
        ("redis://me:hush@host?ssl_cert_reqs=none", "no query"),
        ("redis://me:hush@host:99999", "up to 65535"),
    ],
)
def test_a_wrong_ledger_is_explained_unseen(url: str, advice: str) -> None:
    text = problem({"VIDEOGEN_LEDGER__URL": url})
    assert text.startswith("VIDEOGEN_LEDGER__URL (from the environment): ")
    assert advice in text
    assert "hush" not in text


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("amqp://me:hush@host", "must start with http:// or https://"),
        ("http://me:hush@host?a=b", "no query"),
        ("http://me:hush@", "must name a host"),
    ],
)
def test_a_wrong_management_url_is_explained_unseen(url: str, advice: str) -> None:
    text = problem({"VIDEOGEN_BROKER__MANAGEMENT_URL": url})
    assert text.startswith("VIDEOGEN_BROKER__MANAGEMENT_URL (from the environment): ")
    assert advice in text
    assert "hush" not in text


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://host", "https://host"),
        ("http://host:8000/", "http://host:8000"),
        ("https://host/v/", "https://host/v"),
    ],
)
def test_a_slash_at_the_end_of_the_base_url_is_dropped(url: str, base: str) -> None:
    assert load({"VIDEOGEN_ENDPOINT__BASE_URL": url}).endpoint.base_url == base


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("api.example.com", "must start with http:// or https://"),
        ("ftp://host", "must start with http:// or https://"),
        ("https://", "must name a host"),
        ("http://exämple..com", "no host name"),
        (f"https://{'a' * 64}.com", "no host name"),
        ("https://me:hush@host", "no user name or password"),
        ("https://me:hu@sh@host", "no user name or password"),
        ("https://host?key=hush", "no query or fragment"),
        ("https://host#hush", "no query or fragment"),
        ("https://host/v2/videos/generations/", "leave out /v2/videos/generations"),
    ],
)
def test_a_wrong_base_url_is_explained_without_anything_secret(url: str, advice: str) -> None:
    text = problem({"VIDEOGEN_ENDPOINT__BASE_URL": url})
    assert text.startswith("VIDEOGEN_ENDPOINT__BASE_URL=")
    assert advice in text
    assert "hush" not in text
    assert "sh@" not in text


@pytest.mark.parametrize("key", ["Bearer hush", "hush\n", "hush\t", "hüsh", " "])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    text = problem({"VIDEOGEN_ENDPOINT__API_KEY": key})
    assert "without 'Bearer'" in text
    assert key.strip() == "" or key.strip() not in text


@pytest.mark.parametrize("prefix", ["a", "video-gen_2.test", "x" * 100])
def test_a_prefix_is_made_of_plain_characters(prefix: str) -> None:
    assert load({"VIDEOGEN_BROKER__PREFIX": prefix}).broker.prefix == prefix


@pytest.mark.parametrize("prefix", ["x" * 101, "a b", ".a", "a/b", "é", "amq.mine"])
def test_any_other_prefix_is_refused(prefix: str) -> None:
    assert problem({"VIDEOGEN_BROKER__PREFIX": prefix}).startswith(f"VIDEOGEN_BROKER__PREFIX={prefix!r}"[:120])


@pytest.mark.parametrize("separator", ["x", "\N{MULTIPLICATION SIGN}", "*"])
def test_a_size_separator_is_short(separator: str) -> None:
    assert load({"VIDEOGEN_ENDPOINT__SIZE_SEPARATOR": separator}).endpoint.size_separator == separator


@pytest.mark.parametrize("separator", ["1", " ", "xxxx"])
def test_a_size_separator_that_blurs_the_numbers_is_refused(separator: str) -> None:
    assert "as the '*' in 832*480" in problem({"VIDEOGEN_ENDPOINT__SIZE_SEPARATOR": separator})


def test_a_tier_keeps_the_name_that_was_written() -> None:
    tiers = load({"VIDEOGEN_RETRY__TIERS": "90s ,5m"}).retry.tiers
    assert [(tier.name, tier.wait.total_seconds()) for tier in tiers] == [("90s", 90), ("5m", 300)]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("10s,10s", "remove repeated ones"),
        ("1m,60s", "remove repeated ones"),
        ("1m,10s", "sort them"),
        ("10s,,1m", "with commas between them"),
        ("soon", "with commas between them"),
        ("0s,1m", "more than 0"),
        ("1m,50d", "at most 49d"),
    ],
)
def test_tiers_ascend_and_fit_the_broker(text: str, advice: str) -> None:
    assert advice in problem({"VIDEOGEN_RETRY__TIERS": text})


@pytest.mark.parametrize("text", ["262144", "256KiB", "256 kib"])
def test_a_size_is_bytes_or_has_a_unit(text: str) -> None:
    assert load({"VIDEOGEN_WORKER__MAX_MESSAGE_BYTES": text}).worker.max_message_bytes == 262144


@pytest.mark.parametrize("text", ["lots", "5 parsecs"])
def test_any_other_size_is_refused_with_examples(text: str) -> None:
    assert "(256KiB)" in problem({"VIDEOGEN_WORKER__MAX_MESSAGE_BYTES": text})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VIDEOGEN_WORKER__CONCURRENCY", "0"),
        ("VIDEOGEN_WORKER__CONCURRENCY", "10001"),
        ("VIDEOGEN_WORKER__CONCURRENCY", "many"),
        ("VIDEOGEN_RETRY__ATTEMPTS", "0"),
        ("VIDEOGEN_ADMIN__PORT", "65536"),
        ("VIDEOGEN_BROKER__HEARTBEAT", "1.5s"),
        ("VIDEOGEN_BROKER__HEARTBEAT", "2h"),
        ("VIDEOGEN_BROKER__DEAD_TTL", "50d"),
        ("VIDEOGEN_BROKER__PUBLISH_TIMEOUT", "0"),
        ("VIDEOGEN_BROKER__DECLARE", "perhaps"),
        ("VIDEOGEN_ENDPOINT__DOWN_AFTER", "0"),
        ("VIDEOGEN_ENDPOINT__DOUBT_AFTER", "0"),
        ("VIDEOGEN_ENDPOINT__MAX_RPS", "0"),
        ("VIDEOGEN_ENDPOINT__MAX_RPS", "-1"),
        ("VIDEOGEN_ENDPOINT__MAX_RPS", "inf"),
        ("VIDEOGEN_ENDPOINT__MAX_RPS", "200000"),
        ("VIDEOGEN_LEDGER__SYNCHRONOUS", "off"),
        ("VIDEOGEN_LOG__LEVEL", "loud"),
        ("VIDEOGEN_LOG__FORMAT", "xml"),
        ("VIDEOGEN_ENDPOINT__ON_UNCERTAIN", "hope"),
        ("VIDEOGEN_MODELS_FILE", "/nonexistent/models.json"),
        ("VIDEOGEN_ENDPOINT__RESPONSE_LIMIT", "1"),
    ],
)
def test_a_value_out_of_bounds_is_shown_with_its_full_name(name: str, value: str) -> None:
    assert problem({name: value}).startswith(f"{name}={value!r} (from the environment): ")


def test_a_choice_counts_in_any_case() -> None:
    assert load({"VIDEOGEN_LOG__LEVEL": "WARNING"}).log.level == "warning"


def test_a_cap_may_be_less_than_one_call_in_a_second() -> None:
    assert load({"VIDEOGEN_ENDPOINT__MAX_RPS": "0.5"}).endpoint.max_rps == 0.5
    assert load().endpoint.max_rps is None


def test_port_0_is_allowed() -> None:
    assert load({"VIDEOGEN_ADMIN__PORT": "0"}).admin.port == 0
