"""Servers that look like a broker from afar, and the connection that is tried with them."""

import ssl
from pathlib import Path

import trustme
from pydantic import SecretStr

from service.adapters.rabbitmq.configured import link_options_of
from service.adapters.rabbitmq.connect import open_connection
from service.settings import BrokerSettings
from tests.support.raw_server import Peer, Script


def saying(data: bytes) -> Script:
    """Answer the client's protocol header with `data`, and close."""

    async def script(peer: Peer) -> None:
        await peer.reader.readexactly(8)
        await peer.send(data)

    return script


def server_tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def connect(url: str, ca_file: Path | None = None, connect_timeout: float = 5.0) -> None:
    settings = BrokerSettings(url=SecretStr(url), ca_file=ca_file, connect_timeout=connect_timeout)
    async with open_connection(link_options_of(settings)):
        pass
