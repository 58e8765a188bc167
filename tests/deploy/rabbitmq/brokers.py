"""The brokers that a class of tests can be run on: each gives it the fixture `stand`."""

from collections.abc import Iterator

import pytest

from tests.deploy.rabbitmq.stand import Stand, installed_rabbitmq, rabbitmq_4
from tests.support.broker import announce, entered


class OnTheInstalledRabbitMQ:
    """A private node of the machine's RabbitMQ."""

    @pytest.fixture(scope="class")
    @classmethod
    def installation(cls) -> None:
        """Stand for a node of our own: tests that ask for this are left out where none can be had."""

    @pytest.fixture(scope="class")
    @classmethod
    def stand(cls, pytestconfig: pytest.Config, installation: None) -> Iterator[Stand]:
        with entered(installed_rabbitmq(lambda line: announce(pytestconfig, line))) as stand:
            yield stand


class OnRabbitMQ4:
    """The image of RabbitMQ 4."""

    @pytest.fixture(scope="class")
    @classmethod
    def stand(cls, docker: str) -> Iterator[Stand]:
        with entered(rabbitmq_4(docker)) as stand:
            yield stand
