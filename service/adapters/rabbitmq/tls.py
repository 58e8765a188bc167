"""TLS towards the broker: whom to trust and which client certificate to show."""

import ssl
from pathlib import Path


class CertificateError(Exception):
    """A certificate file cannot be used. The message names the setting and what to put there."""


def ssl_context(ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext | None:
    """Build a context from certificate files; None where none is given, so that the library's default applies.

    Raises:
        CertificateError: a file is unreadable or no PEM, or the key is encrypted or belongs to another certificate.
    """
    if ca_file is None and cert_file is None:
        return None
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise CertificateError(
            f"VIDEOGEN_BROKER__CA_FILE={str(ca_file)!r} cannot be used ({_why(error)}); "
            "name a PEM file with the certificate of the authority"
        ) from error
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file, password=_no_passphrase)
        except OSError as error:
            raise CertificateError(
                f"VIDEOGEN_BROKER__CERT_FILE={str(cert_file)!r} and VIDEOGEN_BROKER__KEY_FILE={str(key_file)!r} "
                f"cannot be used together ({_why(error)}); name a PEM file each, with a certificate and the key "
                "that belongs to it, without a passphrase"
            ) from error
    return context


def _no_passphrase() -> str:
    # Without this, OpenSSL asks on the terminal and the worker waits there for ever.
    return ""


def _why(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return (reason or "no PEM").lower().replace("_", " ")
