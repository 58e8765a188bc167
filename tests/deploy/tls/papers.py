"""Certificates of a test's own authorities, as PEM files."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme

_LONG_AGO, _OVER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate, with the chain up to its authority, and its key."""

    certificate: Path
    key: Path


class Papers:
    """Two authorities, `ours` and `theirs`, and what they issue; files are replaced whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ours = trustme.CA()
        self.theirs = trustme.CA()
        self.our_ca = self.write("our-ca.pem", self.ours.cert_pem.bytes())
        self.their_ca = self.write("their-ca.pem", self.theirs.cert_pem.bytes())

    def write(self, name: str, content: bytes) -> Path:
        path, new = self._folder / name, self._folder / f"{name}.new"
        new.write_bytes(content)
        return new.replace(path)

    def issue(self, name: str, *hosts: str, by: trustme.CA | None = None, expired: bool = False) -> Pair:
        """Issue a certificate for `hosts`, by our own authority if not by another."""
        issuer = by or self.ours
        dates = (_LONG_AGO, _OVER) if expired else (None, None)
        leaf = issuer.issue_cert(*hosts, not_before=dates[0], not_after=dates[1])
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        return Pair(self.write(f"{name}.pem", chain), self.write(f"{name}.key", leaf.private_key_pem.bytes()))


def server_context(pair: Pair, clients: Path | None = None) -> ssl.SSLContext:
    """Make the context of a server; with `clients`, one that asks for certificates of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
