"""A single 403 speaks of one request; a run of them speaks of the key (spec section 3, blocked)."""

from service.core.call import Accepted, Blocked, CallResult, RefusedForGood


class ForbiddenStreak:
    """Counts 403 answers across all requests. Only an accepted call proves the key and ends the run."""

    def __init__(self, limit: int = 5) -> None:
        self._limit = limit
        self._length = 0

    def judge(self, result: CallResult) -> CallResult:
        """Turn the `limit`-th forbidden answer of a run, and those after it, into `Blocked`."""
        match result:
            case Accepted():
                self._length = 0
            case RefusedForGood(answer=answer, forbidden=True):
                self._length += 1
                if self._length >= self._limit:
                    return Blocked(answer)
            case _:
                pass
        return result
