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

from service.adapters.certificates import CertificateError, CertificateFiles, FileNames


def ssl_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    return CertificateFiles(FileNames.of_settings("VIDEOGEN_BROKER"), ca, certificate, key).context()


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
        "cut": client.cert_chain_pems[0].bytes()[:300],
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


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no PEM", "no PEM.pem holds no certificate"),
        ("empty", "empty.pem holds no certificate"),
        ("key", "key.pem holds a key and no certificate"),
        ("cut", "a file is damaged"),
        ("missing", "missing.pem: no such file or directory"),
    ],
)
def test_an_authority_that_cannot_be_read_is_named_with_its_setting(
    name: str, why: str, files: dict[str, Path]
) -> None:
    with pytest.raises(CertificateError) as refused:
        ssl_context(files[name], None, None)
    assert str(refused.value) == (
        f"VIDEOGEN_BROKER__CA_FILE={str(files[name])!r} cannot be used ({why}); "
        "name a PEM file with the certificate of the authority"
    )


@pytest.mark.parametrize(
    ("cert", "key", "why"),
    [
        ("cert", "other key", "the key belongs to another certificate"),
        ("cert", "encrypted key", "the key is encrypted"),
        ("cert", "no PEM", "no PEM.pem holds no key"),
        ("cert", "missing", "missing.pem: no such file or directory"),
        ("no PEM", "key", "no PEM.pem holds no certificate"),
        ("cut", "key", "a file is damaged"),
        ("key", "cert", "key.pem holds a key and no certificate"),
    ],
)
def test_a_client_certificate_that_cannot_be_used_is_named_with_both_settings(
    cert: str, key: str, why: str, files: dict[str, Path]
) -> None:
    with pytest.raises(CertificateError) as refused:
        ssl_context(None, files[cert], files[key])
    assert str(refused.value) == (
        f"VIDEOGEN_BROKER__CERT_FILE={str(files[cert])!r} and VIDEOGEN_BROKER__KEY_FILE={str(files[key])!r} cannot be "
        f"used together ({why}); name a PEM file each, with a certificate and the key that belongs to it, "
        "without a passphrase"
    )


def test_the_files_are_read_anew_each_time(files: dict[str, Path]) -> None:
    named = CertificateFiles(FileNames.of_settings("VIDEOGEN_LEDGER"), files["ca"])
    before = named.context()
    files["ca"].write_bytes(trustme.CA().cert_pem.bytes())
    after = named.context()
    assert before is not None
    assert after is not None
    assert before.get_ca_certs() != after.get_ca_certs()
    files["ca"].write_bytes(b"")
    with pytest.raises(CertificateError, match="VIDEOGEN_LEDGER__CA_FILE"):
        named.context()
