import httpx
import pytest

from service.adapters.http_client import EndpointConfigurationError
from service.adapters.proxy import proxy_for

HTTPS, HTTP = httpx.URL("https://api.example/v"), httpx.URL("http://api.example:8000/v")


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_without_a_word_of_the_environment_there_is_none() -> None:
    assert proxy_for(HTTPS) is None


@pytest.mark.parametrize(
    ("name", "url"), [("HTTPS_PROXY", HTTPS), ("https_proxy", HTTPS), ("HTTP_PROXY", HTTP), ("ALL_PROXY", HTTPS)]
)
@pytest.mark.parametrize("written", ["http://proxy.example:3128", "proxy.example:3128", "http://proxy.example:3128/"])
def test_each_variable_names_a_proxy(name: str, url: httpx.URL, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, written)
    proxy = proxy_for(url)
    assert proxy is not None
    assert proxy.name == "proxy.example:3128"


def test_a_proxy_for_the_other_scheme_is_not_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert proxy_for(HTTPS) is None


@pytest.mark.parametrize("names", ["api.example", "*", ".example", "elsewhere.org, api.example"])
def test_no_proxy_names_hosts_that_are_reached_directly(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", names)
    assert (proxy_for(HTTPS), proxy_for(HTTP)) == (None, None)


def test_a_login_is_decoded_and_stays_out_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pa%2Fss@proxy.example")
    proxy = proxy_for(HTTPS)
    assert proxy is not None
    assert (proxy.url.user, proxy.url.password, proxy.name) == ("me", "pa/ss", "proxy.example:80")


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize(
    "proxy",
    [
        "foo://me:hush@proxy",
        "http://me:hu/sh@proxy",
        "http://me:hush@proxy:port",
        "http://me:hush@",
        "https://me:hush@p",
    ],
)
def test_a_proxy_that_cannot_be_used_is_explained_without_its_password(
    name: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, proxy)
    with pytest.raises(EndpointConfigurationError, match=name) as refused:
        proxy_for(HTTPS)
    assert "hu" not in str(refused.value)


def test_a_socks_proxy_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hush@proxy")
    with pytest.raises(EndpointConfigurationError, match="SOCKS") as refused:
        proxy_for(HTTPS)
    assert "hush" not in str(refused.value)
