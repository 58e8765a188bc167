"""The producer's side: ask for videos and get the answers. Of other packages it needs aio-pika and pydantic alone."""

from service.client.answer import Submitted
from service.client.client import VideogenClient
from service.client.errors import (
    BadAnswer,
    ClientClosed,
    NoAnswer,
    NotPublished,
    RequestFailed,
    VideogenError,
)
from service.client.options import Options, Replies
from service.client.request import Request
from service.core.contract import FieldProblem
from service.core.result import Charged, ErrorCode

__all__ = [
    "BadAnswer",
    "Charged",
    "ClientClosed",
    "ErrorCode",
    "FieldProblem",
    "NoAnswer",
    "NotPublished",
    "Options",
    "Replies",
    "Request",
    "RequestFailed",
    "Submitted",
    "VideogenClient",
    "VideogenError",
]
