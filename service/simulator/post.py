"""One POST as the simulated endpoint saw it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus

from service.simulator.reaction import Ending, Reaction


class Label(StrEnum):
    """What became of a POST, as its client could see it."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    """A whole answer with a task id."""
    THROTTLED = "throttled"
    """429."""
    REFUSED = "refused"
    """Any other 4xx."""
    BROKEN = "broken"
    """5xx, a redirect, or a 2xx without a task id that can be read."""
    CUT = "cut"
    """The server ended the exchange before the answer was whole."""
    ABANDONED = "abandoned"
    """The client went away, or the simulator stopped, before there was an answer."""


@dataclass(frozen=True, slots=True)
class Post:
    """A POST. `in_flight` counts the calls at its arrival, itself included; `peak` is the most so far.

    `accepted`: a task was made, and so charged, whatever the answer said. `could_be_accepted`: what its client must
    reckon with, by the answer it got; always so while there is none. `status` None: no answer left.
    `body` is the parsed JSON, None where it could not be read.
    """

    sequence: int
    at: datetime
    idempotency_key: str | None
    traceparent: str | None
    body: object
    in_flight: int
    peak: int
    accepted: bool = False
    could_be_accepted: bool = True
    task_id: str | None = None
    status: int | None = None
    label: Label = Label.PENDING

    def as_json(self) -> dict[str, object]:
        """Turn into plain JSON values."""
        return {
            "sequence": self.sequence,
            "time": self.at.isoformat(),
            "idempotency_key": self.idempotency_key,
            "accepted": self.accepted,
            "could_be_accepted": self.could_be_accepted,
            "status": self.status,
            "label": self.label,
            "in_flight": self.in_flight,
            "peak": self.peak,
            "task_id": self.task_id,
            "traceparent": self.traceparent,
            "body": self.body,
        }

    @property
    def answered(self) -> str:
        """Status and label in two words: `503 broken`, `none cut`."""
        return f"{self.status or 'none'} {self.label}"


def label_for(reaction: Reaction) -> Label:
    """Name what a client sees of a reaction that was carried out."""
    if reaction.ending is not Ending.WHOLE:
        return Label.CUT
    if reaction.tells_task_id:
        return Label.ACCEPTED
    if reaction.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Label.THROTTLED
    is_client_error = HTTPStatus.BAD_REQUEST <= reaction.status < HTTPStatus.INTERNAL_SERVER_ERROR
    return Label.REFUSED if is_client_error else Label.BROKEN
