from pathlib import Path

import pytest

from service.adapters.http_client import EndpointConfigurationError, endpoint_url, tls_context


def test_a_path_is_added_to_the_base_url() -> None:
    assert str(endpoint_url("https://host/v", "/videos")) == "https://host/v/videos"


@pytest.mark.parametrize("base_url", ["https://☃.example", "https://exämple..com"])
def test_a_url_that_the_client_cannot_read_is_named_with_its_setting(base_url: str) -> None:
    with pytest.raises(EndpointConfigurationError, match="VIDEOGEN_ENDPOINT__BASE_URL"):
        endpoint_url(base_url)


@pytest.mark.parametrize("content", [None, "", "no certificate"], ids=["missing", "empty", "no PEM"])
@pytest.mark.parametrize("from_environment", [False, True])
def test_authorities_that_cannot_be_used_are_named_with_what_asked_for_them(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, from_environment: bool
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    culprit = "SSL_CERT_FILE" if from_environment else "VIDEOGEN_ENDPOINT__CA_FILE"
    if from_environment:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(EndpointConfigurationError, match=culprit):
        tls_context(None if from_environment else path)
