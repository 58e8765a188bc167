"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it stands. `unknown` is not wrong: it could not be seen from here."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `said` is a sentence without a full stop; where not ok, it ends in what to do."""

    what: str
    verdict: Verdict
    said: str
