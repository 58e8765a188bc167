"""A RabbitMQ for the demo and the tests, on machines that have one, could have one, or have Docker."""

from service.private_broker.broker import Broker, BrokerKind, NoBrokerError
from service.private_broker.ladder import private_broker, private_node
from service.private_broker.node import ControlError, Node

__all__ = [
    "Broker",
    "BrokerKind",
    "ControlError",
    "NoBrokerError",
    "Node",
    "private_broker",
    "private_node",
]
