import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from service.adapters.rabbitmq.tls import CertificateError, ssl_context


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> dict[str, Path]:
    client, other = authority.issue_cert("client.example"), authority.issue_cert("other.example")
    key = load_pem_private_key(client.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hush"))
    contents = {
        "ca": authority.cert_pem.bytes(),
        "cert": client.cert_chain_pems[0].bytes(),
        "key": client.private_key_pem.bytes(),
        "other key": other.private_key_pem.bytes(),
        "encrypted key": encrypted,
        "no PEM": b"no certificate",
        "empty": b"",
    }
    paths = {name: tmp_path / f"{name}.pem" for name in contents}
    for name, content in contents.items():
        paths[name].write_bytes(content)
    return {**paths, "missing": tmp_path / "missing.pem"}


def test_without_files_the_library_decides() -> None:
    assert ssl_context(None, None, None) is None


def test_an_authority_of_our_own_is_the_only_one_that_is_trusted(files: dict[str, Path]) -> None:
    context = ssl_context(files["ca"], None, None)
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.cert_store_stats()["x509_ca"] == 1


def test_a_client_certificate_needs_no_authority_of_our_own(files: dict[str, Path]) -> None:
    context = ssl_context(None, files["cert"], files["key"])
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("name", ["no PEM", "empty", "missing"])
def test_an_authority_that_cannot_be_read_is_named_with_its_setting(name: str, files: dict[str, Path]) -> None:
    with pytest.raises(CertificateError) as refused:
        ssl_context(files[name], None, None)
    assert str(refused.value).startswith(f"VIDEOGEN_BROKER__CA_FILE={str(files[name])!r} cannot be used (")
    assert "name a PEM file" in str(refused.value)


@pytest.mark.parametrize(
    ("cert", "key"),
    [
        ("cert", "other key"),
        ("cert", "encrypted key"),
        ("cert", "no PEM"),
        ("cert", "missing"),
        ("no PEM", "key"),
        ("key", "cert"),
    ],
)
def test_a_client_certificate_that_cannot_be_used_is_named_with_both_settings(
    cert: str, key: str, files: dict[str, Path]
) -> None:
    with pytest.raises(CertificateError) as refused:
        ssl_context(None, files[cert], files[key])
    for part in ("VIDEOGEN_BROKER__CERT_FILE", "VIDEOGEN_BROKER__KEY_FILE", str(files[cert]), str(files[key])):
        assert part in str(refused.value)
