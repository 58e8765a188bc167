"""The broker that the environment names."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.private_broker.broker import BrokerKind, NoBrokerError, PassedOverError, RunningBroker, Say
from service.private_broker.probe import NoAnswerError, server_version
from service.settings.masking import MASK, masked_url

VARIABLE = "VIDEOGEN_TEST_AMQP_URL"


@asynccontextmanager
async def given_broker(_say: Say) -> AsyncIterator[RunningBroker]:
    """Use the broker at `VIDEOGEN_TEST_AMQP_URL` as it is.

    Raises:
        PassedOverError: the variable is not set.
        NoBrokerError: it is set, and nobody answers there. Another broker would not be what was asked for.
    """
    url = os.environ.get(VARIABLE)
    if not url:
        raise PassedOverError(f"{VARIABLE} is not set")
    try:
        version = await server_version(url)
    except NoAnswerError as error:
        raise NoBrokerError(
            f"{VARIABLE} names {without_credentials(url)}, but no broker lets us in there: {error}. "
            f"Start it, correct the address, or unset {VARIABLE}."
        ) from error
    yield RunningBroker(url, BrokerKind.GIVEN, version)


def without_credentials(url: str) -> str:
    """Reduce an AMQP address to what may be printed."""
    return masked_url(url).replace(f"{MASK}@", "")
