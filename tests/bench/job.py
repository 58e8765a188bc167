"""What a rival is told to do: the same for all of them."""

import json
import sys
from dataclasses import asdict, dataclass
from typing import Self

ENDPOINT_PATH = "/v2/videos/generations"


@dataclass(frozen=True, slots=True)
class Job:
    """Take requests from one queue, at most `in_flight` at a time, call `base_url`, and publish to `replies`."""

    broker_url: str
    requests: str
    replies: str
    base_url: str
    in_flight: int

    @property
    def url(self) -> str:
        return self.base_url + ENDPOINT_PATH

    @classmethod
    def from_command_line(cls) -> Self:
        """Read it from the only argument, as `as_argument` wrote it."""
        return cls(**json.loads(sys.argv[1]))

    def as_argument(self) -> str:
        return json.dumps(asdict(self))
