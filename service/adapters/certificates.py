"""Certificate files: whom to trust, and which certificate to show; read anew for every connection."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEY = b"PRIVATE KEY-----"


class CertificateError(Exception):
    """A certificate file cannot be used. The message names the setting and what to put there."""


@dataclass(frozen=True, slots=True)
class FileNames:
    """What whoever names the files calls them: settings of one group, or options of the client."""

    ca: str
    certificate: str
    key: str

    @classmethod
    def of_settings(cls, group: str) -> Self:
        """Give the settings of a group, such as `VIDEOGEN_BROKER`."""
        return cls(f"{group}__CA_FILE", f"{group}__CERT_FILE", f"{group}__KEY_FILE")


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """The PEM files for one server; none of them has to be there."""

    names: FileNames
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext | None:
        """Read the files; None where none is named, so that the library's default applies.

        An authority that is named is the only one that is trusted.

        Raises:
            CertificateError: a file is unreadable or no PEM, or the key is encrypted or belongs to another certificate.
        """
        if self.ca is None and self.certificate is None:
            return None
        context = self._trust()
        if self.certificate is not None:
            self._show(context, self.certificate)
        return context

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise CertificateError(
                f"{self.names.ca}={str(self.ca)!r} cannot be used ({_unfit(self.ca)}); "
                "name a PEM file with the certificate of the authority"
            ) from error

    def _show(self, context: ssl.SSLContext, certificate: Path) -> None:
        encrypted = False

        def no_passphrase() -> str:
            # Without this, OpenSSL asks on the terminal and the worker waits there for ever.
            nonlocal encrypted
            encrypted = True
            return ""

        try:
            context.load_cert_chain(certificate, self.key, password=no_passphrase)
        except OSError as error:
            why = "the key is encrypted" if encrypted else _no_pair(error, certificate, self.key)
            raise CertificateError(
                f"{self.names.certificate}={str(certificate)!r} and {self.names.key}={str(self.key)!r} "
                f"cannot be used together ({why}); name a PEM file each, with a certificate and the key "
                "that belongs to it, without a passphrase"
            ) from error


NO_FILES = CertificateFiles(FileNames.of_settings("VIDEOGEN_BROKER"))
"""Nothing is named: those that the system trusts, and no client certificate."""


def _no_pair(error: OSError, certificate: Path, key: Path | None) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "the key belongs to another certificate"
    return _unfit(certificate, key)


def _unfit(certificate: Path | None, key: Path | None = None) -> str:
    """Say what is wrong with files that OpenSSL refused: it tells neither which nor why."""
    try:
        shown = b"" if certificate is None else certificate.read_bytes()
        kept = b"" if key is None else key.read_bytes()
    except OSError as error:
        return f"{Path(error.filename).name}: {(error.strerror or type(error).__name__).lower()}"
    if certificate is not None and _CERTIFICATE not in shown:
        return f"{certificate.name} holds {'a key and ' if _KEY in shown else ''}no certificate"
    if key is not None and _KEY not in kept:
        return f"{key.name} holds no key"
    return "a file is damaged"
