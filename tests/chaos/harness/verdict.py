"""Judges a run by what the endpoint recorded and what the producer was told (spec section 5)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_NAMED = 5
_ACCEPTED = "accepted"
_UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Post:
    """One POST as the endpoint saw it. `label` accepted: a whole answer with a task id was sent."""

    request_id: str
    at: datetime
    label: str
    accepted: bool
    could_be_accepted: bool
    task_id: str | None

    @property
    def doubtful(self) -> bool:
        """Whether its client could not know that it was accepted, and must reckon with it."""
        return self.could_be_accepted and self.label != _ACCEPTED


@dataclass(frozen=True, slots=True)
class Told:
    """What one result says of a request."""

    status: str
    task_id: str | None = None
    code: str | None = None


class Doubt(StrEnum):
    """What the endpoint knows of a request that ended as `uncertain`."""

    CUT = "cut"
    """A POST without an answer that settles the matter: the doubt is real, whoever caused it."""
    ANSWERED = "answered"
    """The answer was sent. Only a death between answer and record explains the doubt."""
    UNCALLED = "uncalled"
    """No POST, or only refused ones. Only a death between claim and the end of a call explains it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures of one run. `failed` gives the error code, `uncertain` what the endpoint knows of the doubt.

    `calls` are the POSTs of each request, oldest first.
    """

    requests: int
    submitted: int
    failed: Mapping[str, str]
    uncertain: Mapping[str, Doubt]
    repeated: int
    lost: tuple[str, ...]
    paid_twice: tuple[str, ...]
    called_again: tuple[str, ...]
    contradicted: tuple[str, ...]
    untrue: tuple[str, ...]
    strangers: tuple[str, ...]
    calls: Mapping[str, Sequence[Post]]

    @property
    def unexplained(self) -> tuple[str, ...]:
        """Uncertain requests that only the death of a worker close to their call explains."""
        return tuple(name for name, doubt in self.uncertain.items() if doubt is not Doubt.CUT)

    def complaints(self, *, deaths_explain: int = 0, outlived: Collection[str] = ()) -> list[str]:
        """Name every promise that was broken, in one sentence each.

        `deaths_explain`: how many requests may be uncertain because a worker died close to their call: for each death
        at most one for each slot of the worker. `outlived`: requests whose worker was held up for longer than its
        lease; they may be answered as submitted after they were answered as uncertain (docs/guarantees.md).
        """
        groups: dict[str, Sequence[str]] = {
            "have no result": self.lost,
            "were accepted more than once": self.paid_twice,
            "were called again after a call that may have been accepted": self.called_again,
            "have results that contradict each other": [name for name in self.contradicted if name not in outlived],
            "have a result that the endpoint's record gives the lie": self.untrue,
            "have a result and were never asked for": self.strangers,
            f"are uncertain for no reason that the endpoint saw ({deaths_explain} could be)": (
                self.unexplained if len(self.unexplained) > deaths_explain else ()
            ),
        }
        return [f"{len(names)} requests {what}: {_some(names)}" for what, names in groups.items() if names]


def judge(asked: Collection[str], told: Mapping[str, Sequence[Told]], posts: Iterable[Post]) -> Verdict:
    """Compare the ids that were asked for, every result by id, and the endpoint's record, oldest first."""
    calls: defaultdict[str, list[Post]] = defaultdict(list)
    for post in posts:
        calls[post.request_id].append(post)
    first = {name: results[0] for name, results in told.items()}
    return Verdict(
        requests=len(asked),
        submitted=sum(result.status == "submitted" for result in first.values()),
        failed={name: result.code or "" for name, result in first.items() if result.status == "failed"},
        uncertain={name: _doubt(calls[name]) for name, result in first.items() if result.code == _UNCERTAIN},
        repeated=sum(len(results) - 1 for results in told.values()),
        lost=tuple(name for name in asked if name not in told),
        paid_twice=tuple(name for name, made in calls.items() if sum(post.accepted for post in made) > 1),
        called_again=tuple(name for name, made in calls.items() if any(p.could_be_accepted for p in made[:-1])),
        contradicted=tuple(name for name, results in told.items() if len(set(results)) > 1),
        untrue=tuple(name for name, result in first.items() if not _true(result, calls[name])),
        strangers=tuple(name for name in told if name not in asked),
        calls=calls,
    )


def _doubt(posts: Sequence[Post]) -> Doubt:
    if any(post.doubtful for post in posts):
        return Doubt.CUT
    return Doubt.ANSWERED if any(post.label == _ACCEPTED for post in posts) else Doubt.UNCALLED


def _true(told: Told, posts: Sequence[Post]) -> bool:
    """Whether a result agrees with the record: a doubtful call is told as such, a task id is the right one."""
    if told.status == "submitted":
        return any(post.label == _ACCEPTED and post.task_id == told.task_id for post in posts)
    return told.code == _UNCERTAIN or not any(post.could_be_accepted for post in posts)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
