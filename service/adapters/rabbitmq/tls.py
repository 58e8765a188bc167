"""TLS towards the broker: whom to trust and which client certificate to show."""

import ssl
from pathlib import Path


def ssl_context(ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext | None:
    """Build a context from certificate files; None where none is given, so that the library's default applies."""
    if ca_file is None and cert_file is None:
        return None
    context = ssl.create_default_context(cafile=ca_file)
    if cert_file is not None:
        context.load_cert_chain(cert_file, key_file)
    return context
