"""What can be wrong between a worker and a broker that asks for certificates, and what is said of it."""

from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.deploy.tls.secure_broker import SecureBroker

FAULTS: Mapping[str, str] = {
    "an authority that did not sign the certificate": "is from an unknown authority: set VIDEOGEN_BROKER__CA_FILE",
    "no authority of our own": "is from an unknown authority: set VIDEOGEN_BROKER__CA_FILE",
    "another host name": "the broker's certificate is for another host: use a name that it was issued for",
    "no client certificate": "asks for a client certificate: set VIDEOGEN_BROKER__CERT_FILE",
    "a client certificate of another authority": "refused our client certificate",
    "a client certificate that has expired": "refused our client certificate",
    "an address without TLS": "check scheme (amqp:// or amqps://) and port of the broker address",
    "TLS on the port without it": "the broker speaks no TLS on this port: check scheme (amqp:// or amqps://)",
}


def faulty(secure: SecureBroker, fault: str) -> dict[str, str | Path]:
    """Give the settings of the broker that have this fault; it may be gone one day, so the worker keeps trying."""
    papers = secure.papers
    match fault:
        case "an authority that did not sign the certificate":
            return {"ca_file": papers.their_ca}
        case "no authority of our own":
            return {"ca_file": ""}
        case "another host name":
            return {"url": secure.url("127.0.0.1")}
        case "no client certificate":
            return {"cert_file": "", "key_file": ""}
        case "a client certificate of another authority":
            pair = papers.issue("foreign", "worker.example", by=papers.theirs)
            return {"cert_file": pair.certificate, "key_file": pair.key}
        case "a client certificate that has expired":
            pair = papers.issue("old", "worker.example", expired=True)
            return {"cert_file": pair.certificate, "key_file": pair.key}
        case "an address without TLS":
            return {"url": secure.url(scheme="amqp"), "ca_file": "", "cert_file": "", "key_file": ""}
        case _:
            return {"url": secure.node.url.replace("amqp://", "amqps://").replace("127.0.0.1", "localhost")}


UNUSABLE: Mapping[str, str] = {
    "garbage": "garbage.pem holds no certificate); name a PEM file with the certificate of the authority",
    "a key for an authority": "client.key holds a key and no certificate); name a PEM file",
    "a key of another certificate": "the key belongs to another certificate); name a PEM file each",
    "an encrypted key": "the key is encrypted); name a PEM file each",
}


def unusable(secure: SecureBroker, fault: str) -> dict[str, str | Path]:
    """Give the settings of the broker that name files of this kind."""
    papers = secure.papers
    match fault:
        case "garbage":
            return {"ca_file": papers.write("garbage.pem", b"garbage")}
        case "a key for an authority":
            return {"ca_file": secure.client.key}
        case "a key of another certificate":
            return {"key_file": papers.issue("other", "worker.example").key}
        case _:
            key = load_pem_private_key(secure.client.key.read_bytes(), None)
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hush"))
            return {"key_file": papers.write("encrypted.key", pem)}
