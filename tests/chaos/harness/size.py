"""How much a run does."""

from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Size(StrEnum):
    """`ci`: all tests within minutes on two cores. `full`: the figures of a release."""

    CI = "ci"
    FULL = "full"

    def of(self, ci: T, full: T) -> T:
        """Choose a figure by size."""
        return full if self is Size.FULL else ci
