"""How a client reaches the broker and gets its answers."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr
from yarl import URL

from service.adapters.certificates import CertificateFiles, FileNames
from service.adapters.rabbitmq.connect import LinkOptions

_FILES = FileNames("Options.ca_file", "Options.cert_file", "Options.key_file")


class Replies(StrEnum):
    """Where answers go."""

    QUEUE = "queue"
    """A private durable queue. Answers wait in it while the connection is away."""
    DIRECT = "direct"
    """RabbitMQ's direct reply-to, without a queue. A lost connection loses answers, so what waits is asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a client can be told besides the broker's address. Times are seconds."""

    prefix: str = "videogen"
    """The worker's `VIDEOGEN_BROKER__PREFIX`: the exchange that requests go to."""
    replies: Replies = Replies.QUEUE
    reply_prefix: str = "reply"
    """The private queue is `<reply_prefix>.<uuid>`: `reply.billing`, where the broker's permissions ask for that."""
    reply_expires: float = 3600.0
    """How long the broker keeps the private queue, and the answers in it, while nobody is connected."""
    timeout: float | None = 600.0
    """The wait of a call that names none. None: as long as it takes."""
    heartbeat: int = 10
    connect_timeout: float = 10.0
    reconnect_cap: float = 15.0
    """The longest wait between two tries to connect."""
    ca_file: Path | None = None
    """PEM file of the authority that signed the broker's certificate."""
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """The way to the workers and back, checked."""

    link: LinkOptions
    prefix: str
    replies: Replies = Replies.QUEUE
    reply_prefix: str = "reply"
    reply_expires: float = 3600.0


def way_of(url: str, options: Options) -> Way:
    """Check the address and the files.

    Raises:
        CertificateError: a certificate file cannot be used.
        ValueError: the address is not one of a broker. The message does not hold it.
    """
    if URL(url).scheme not in {"amqp", "amqps"} or not URL(url).host:
        raise ValueError("The broker's address must look like amqp://user:password@host:5672/vhost, or amqps://…")
    certificates = CertificateFiles(_FILES, options.ca_file, options.cert_file, options.key_file)
    certificates.context()
    link = LinkOptions(SecretStr(url), options.heartbeat, options.connect_timeout, options.reconnect_cap, certificates)
    return Way(link, options.prefix, options.replies, options.reply_prefix, options.reply_expires)
