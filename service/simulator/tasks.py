"""Tasks that were accepted: opaque ids, how many run, how far each has come, and how it ends."""

import heapq
from collections import Counter, OrderedDict
from dataclasses import dataclass
from uuid import uuid4

from service.simulator.fate import DEFAULT, Fate, TaskEnd

REMEMBERED_TASKS = 100_000
KEPT_SECONDS = 24 * 3600
"""The real endpoint forgets tasks after 24 hours (endpoint facts, "Query")."""

# Every fourth id is no UUID, so that nobody may rely on the form.
_COLON_EVERY = 4
_STAGES = ((0.05, "NOT_START"), (0.1, "SUBMITTED"), (0.2, "QUEUED"), (1.0, "IN_PROGRESS"))


@dataclass(frozen=True, slots=True)
class Task:
    """An accepted request. `started` is monotonic seconds; `prompt` is what was left after the silent cut.

    It runs for `seconds`, and then ends as its `fate` says.
    """

    task_id: str
    prompt: str
    started: float
    seconds: float
    fate: Fate


class Tasks:
    """Makes tasks and answers for them. A task runs for `seconds`, unless its fate says otherwise.

    `now` is monotonic seconds. `queries` counts how often each task that is known was asked for.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._made = 0
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._ends: list[float] = []
        self.queries = Counter[str]()

    def running(self, now: float) -> int:
        """Count the tasks that are not finished."""
        while self._ends and now >= self._ends[0]:
            heapq.heappop(self._ends)
        return len(self._ends)

    def make(self, prompt: str, now: float, fate: Fate = DEFAULT) -> Task:
        """Start a task."""
        self._made += 1
        task_id = str(uuid4()) if self._made % _COLON_EVERY else f"video:{uuid4().hex}"
        seconds = fate.seconds(self._seconds)
        task = Task(task_id, prompt, now, seconds, fate)
        self._tasks[task_id] = task
        if len(self._tasks) > REMEMBERED_TASKS:
            forgotten, _ = self._tasks.popitem(last=False)
            del self.queries[forgotten]
        self.running(now)
        heapq.heappush(self._ends, now + seconds)
        return task

    def status(self, task_id: str, now: float) -> dict[str, object] | None:
        """Describe a task as the query endpoint does; None where it is unknown or too old."""
        task = self._tasks.get(task_id)
        if task is None:
            return None
        self.queries[task_id] += 1
        if task.fate.end is TaskEnd.MISSING or now - task.started >= KEPT_SECONDS:
            return None
        done = 1.0 if task.seconds == 0 else min(1.0, (now - task.started) / task.seconds)
        fails = task.fate.end is TaskEnd.FAILS
        end = "FAILURE" if fails else "SUCCESS"
        succeeded = done >= 1.0 and not fails
        url = f"https://results.invalid/{task_id.replace(':', '-')}.mp4"
        return {
            "task_id": task_id,
            "status": next((name for until, name in _STAGES if done < until), end),
            "progress": f"{int(done * 100)}%",
            "fail_reason": task.fate.reason if done >= 1.0 and fails else "",
            "data": {
                "orig_prompt": task.prompt,
                "output": url if succeeded else None,
                "outputs": [url] if succeeded else [],
            },
        }

    def forget(self) -> None:
        """Forget every task."""
        self._tasks.clear()
        self._ends.clear()
        self.queries.clear()
