"""Brings a request to the broker: one try on one session, and again until there is a word on it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from aio_pika import DeliveryMode
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError
from aiormq import spec
from aiormq.exceptions import ChannelAccessRefused

from service.adapters.rabbitmq.errors import LinkLost, link_errors
from service.adapters.rabbitmq.link import Link, Session
from service.client.errors import NotPublished
from service.client.outbound import Asked
from service.client.producer_span import ProducerSpans
from service.client.reply_address import ReplyAddress
from service.core.outgoing import Route
from service.core.result import Charged
from service.core.topology import Topology

if TYPE_CHECKING:
    from aiormq.channel import Channel

_KEY = "request"


@dataclass(eq=False, slots=True)
class Line:
    """A session with the address that answers come in by. `closed_by` is what the broker closed its channel with."""

    session: Session
    reply_to: str
    number: int
    closed_by: BaseException | None = None


class Publishing:
    """Publishes to the exchange of `prefix` at the broker `url`, with confirms and returns."""

    def __init__(self, link: Link, address: ReplyAddress, prefix: str, url: str) -> None:
        self._link = link
        self._address = address
        self._topology = Topology(prefix)
        self._route = Route(self._topology.exchange, _KEY)
        self._spans = ProducerSpans(self._route, url)
        self.line: Line | None = None

    async def begin(self, session: Session) -> None:
        """Get a new session ready. Runs under `link_errors`."""
        await self._address.open(session)
        line = Line(session, self._address.name, self._address.number)

        def remember(_: object, error: BaseException | None) -> None:
            line.closed_by = error

        session.channel.close_callbacks.add(remember)
        self.line = line

    async def current(self) -> Line:
        """Wait for the connection to be up."""
        session = await self._link.session()
        assert self.line is not None and self.line.session is session  # noqa: PT018 - `begin` runs before it is up
        return self.line

    async def publish(self, asked: Asked) -> None:
        """Publish until the broker confirmed it under the present address.

        Raises:
            NotPublished: the broker refused it, or routes it nowhere.
        """
        with self._spans.publishing(asked):
            await self._publish(asked)

    async def _publish(self, asked: Asked) -> None:
        while True:
            line = await self.current()
            if await self._confirmed(asked, line):
                asked.taken_at = line.number
                # The address may have gone between the confirm and now.
                if line.number == self._address.number:
                    return

    async def _confirmed(self, asked: Asked, line: Line) -> bool:
        asked.tried = True
        try:
            async with line.session.lasting():
                with link_errors():
                    await self._send(asked, line)
        except PublishError as error:
            raise self._refusal(asked, f"the exchange {self._exchange} routes to no queue", _START) from error
        except DeliveryError as error:
            raise self._refusal(asked, f"the queue behind {self._exchange} took no message", _FULL) from error
        except (LinkLost, TimeoutError) as lost:
            line.session.end(str(lost))
            self._judge(asked, line, lost)
            asked.in_doubt = True
            return False
        return True

    def _judge(self, asked: Asked, line: Line, lost: BaseException) -> None:
        """Raise where trying again would not help."""
        for cause in (line.closed_by, lost.__cause__):
            if isinstance(cause, ChannelNotFoundEntity):
                queue = self._topology.requests
                raise self._refusal(
                    asked, f"the exchange {self._exchange} with its queue {queue!r} does not exist", _START
                )
            if isinstance(cause, ChannelAccessRefused):
                raise self._refusal(asked, f"the broker's user may not publish to {self._exchange}", _PERMIT)

    def _refusal(self, asked: Asked, why: str, cure: str) -> NotPublished:
        doubt = asked.in_doubt or asked.taken_at is not None
        return NotPublished(
            f"{why[0].upper()}{why[1:]}. {cure}",
            request_id=asked.request_id,
            retryable=True,
            charged=Charged.UNKNOWN if doubt else Charged.NO,
        )

    @property
    def _exchange(self) -> str:
        return repr(self._route.exchange)

    async def _send(self, asked: Asked, line: Line) -> None:
        outbound = asked.outbound
        channel = cast("Channel", await line.session.channel.get_underlay_channel())
        await channel.basic_publish(
            outbound.body,
            exchange=self._route.exchange,
            routing_key=self._route.routing_key,
            properties=spec.Basic.Properties(
                content_type="application/json",
                content_encoding=outbound.content_encoding,
                headers={**outbound.headers, **asked.trace} or None,
                delivery_mode=DeliveryMode.PERSISTENT,
                correlation_id=asked.correlation_id,
                reply_to=line.reply_to,
                message_id=outbound.request_id,
                timestamp=datetime.now(UTC),
            ),
            mandatory=True,
            # The confirm says more than that the bytes are on their way.
            wait=False,
        )


_START = "Start the worker once, which declares it, or choose the prefix of the queues that the worker uses."
_FULL = "It may be full, or have no leader: look at it, and send the request again later."
_PERMIT = "Give the user the right to write to it with the routing key 'request'."
