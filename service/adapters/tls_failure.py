"""Why TLS with a server failed, and what to check."""

import ssl
from dataclasses import dataclass

# Verification results of OpenSSL, named in its header x509_vfy.h.
_NOT_YET_VALID = 9
_EXPIRED = 10
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})

# Alerts of the other side (RFC 8446 section 6.2), as OpenSSL names them.
_WANTS_A_CERTIFICATE = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
_OURS_EXPIRED = "SSLV3_ALERT_CERTIFICATE_EXPIRED"
_OURS_REFUSED = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_DECRYPT_ERROR",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})


@dataclass(frozen=True, slots=True)
class TlsServer:
    """A server in the words of a message; `certificate` names the settings of a client certificate, if any."""

    name: str
    address: str
    schemes: str
    authority: str
    certificate: str | None = None

    @property
    def wants_a_certificate(self) -> str:
        """Say what to do about a server that asks for a client certificate."""
        if self.certificate is None:
            return f"{self.name} asks for a client certificate, and there is no setting for one: have it ask for none"
        return f"{self.name} asks for a client certificate: set {self.certificate}"


def tls_failure(error: ssl.SSLError, server: TlsServer) -> str:
    """Say in one line why TLS failed and what to check."""
    name = server.name
    match error:
        case ssl.SSLCertVerificationError():
            return _distrust(error, server)
        case ssl.SSLError(reason=reason) if reason in _NO_TLS:
            return f"{name} speaks no TLS on this port: check scheme ({server.schemes}) and port of {server.address}"
        case ssl.SSLError(reason=reason) if reason == _WANTS_A_CERTIFICATE:
            return server.wants_a_certificate
        case ssl.SSLError(reason=reason) if reason == _OURS_EXPIRED:
            return f"{name} refused our client certificate, because it has expired: {_other(server)}"
        case ssl.SSLError(reason=reason) if reason in _OURS_REFUSED:
            return (
                f"{name} refused our client certificate ({reason}): {_other(server)}, from an authority that it trusts"
            )
        case ssl.SSLError(reason=str(reason)) if "ALERT" in reason:
            return f"{name} refused TLS with us ({reason}): check its log, and whether it asks for a client certificate"
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            # Which of the two it is depends on OpenSSL and on who is faster.
            return cut_handshake(server)
        case _:
            said = error.reason or error.strerror or type(error).__name__
            return f"TLS with {name} failed ({said}): check certificates and TLS versions of both sides, and its log"


def cut_handshake(server: TlsServer) -> str:
    """Say what to do where the other side closed or reset the connection in the handshake."""
    return (
        f"{server.name} closed the connection in the TLS handshake: check certificates and TLS versions of both "
        "sides, its log, and whether it asks for a client certificate"
    )


def _other(server: TlsServer) -> str:
    return f"put another one into {server.certificate}" if server.certificate else "have it ask for none"


def _distrust(error: ssl.SSLCertVerificationError, server: TlsServer) -> str:
    its = f"{server.name}'s certificate"
    # The attribute is missing where Python itself, and not OpenSSL, found the fault.
    code = getattr(error, "verify_code", None)
    if code == _EXPIRED:
        return f"{its}, or one that it hangs on, has expired: renew it, and check this machine's clock"
    if code == _NOT_YET_VALID:
        return f"{its} is not valid yet: check its dates, and this machine's clock"
    if code in _UNKNOWN_AUTHORITY:
        return f"{its} is from an unknown authority: set {server.authority} to the PEM file of the one that signed it"
    if code in _OTHER_NAME:
        return f"{its} is for another host: use a name that it was issued for in {server.address}"
    said = getattr(error, "verify_message", error)
    return f"{its} is not trusted ({said}): have it, or that of its authority, issued anew; or check {server.authority}"
