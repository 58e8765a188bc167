"""What became of each request, over all of its POSTs: how many, how many accepted, and whether one came too many."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence

from service.simulator.post import Post


class PerRequest:
    """Groups the remembered POSTs by their `Idempotency-Key`; POSTs without one are passed over."""

    def __init__(self) -> None:
        self._sequences: defaultdict[str, deque[int]] = defaultdict(deque)
        self._charges: Counter[str] = Counter()
        # Of each request: POSTs that could be accepted, those without an answer yet included.
        self._open: Counter[str] = Counter()
        self._again: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._sequences)

    def __iter__(self) -> Iterator[str]:
        """Go through the keys, oldest first."""
        return iter(tuple(self._sequences))

    def sequences(self, key: str) -> Sequence[int]:
        """List the POSTs of one request, oldest first."""
        return self._sequences.get(key, ())

    @property
    def accepted(self) -> int:
        """How many requests were accepted at least once."""
        return len(self._charges)

    @property
    def accepted_more_than_once(self) -> dict[str, int]:
        """The requests that were charged for twice or more, and how often."""
        return {key: times for key, times in self._charges.items() if times > 1}

    @property
    def called_again(self) -> dict[str, int]:
        """The requests with POSTs after one that could be accepted, and how many of them."""
        return dict(self._again)

    def called_again_of(self, key: str) -> int:
        """Count the POSTs of one request after one that could be accepted."""
        return self._again.get(key, 0)

    def arrive(self, key: str | None, sequence: int) -> None:
        """Take in a POST that waits for its answer."""
        if key is None:
            return
        if self._open[key]:
            self._again[key] += 1
        self._open[key] += 1
        self._sequences[key].append(sequence)

    def accept(self, key: str | None) -> None:
        """Note a charge."""
        if key is not None:
            self._charges[key] += 1

    def end(self, key: str | None, *, could_be_accepted: bool) -> None:
        """Note what the client of a POST can tell from its answer."""
        if key is not None and not could_be_accepted:
            self._open[key] -= 1

    def forget(self, post: Post) -> None:
        """Drop a POST. With the last one of a request, all that is known of it goes."""
        key = post.idempotency_key
        if key is None:
            return
        self._sequences[key].remove(post.sequence)
        if not self._sequences[key]:
            for counts in (self._sequences, self._charges, self._open, self._again):
                counts.pop(key, None)
        elif post.could_be_accepted:
            self._open[key] -= 1

    def clear(self) -> None:
        """Forget every request."""
        for counts in (self._sequences, self._charges, self._open, self._again):
            counts.clear()
