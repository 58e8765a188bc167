"""Tasks that were accepted: opaque ids, how many run, and how far each has come."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from uuid import uuid4

REMEMBERED_TASKS = 100_000
KEPT_SECONDS = 24 * 3600
"""The real endpoint forgets tasks after 24 hours (endpoint facts, "Query")."""

# Every fourth id is no UUID, so that nobody may rely on the form.
_COLON_EVERY = 4
_STAGES = ((0.05, "NOT_START"), (0.1, "SUBMITTED"), (0.2, "QUEUED"), (1.0, "IN_PROGRESS"))


@dataclass(frozen=True, slots=True)
class Task:
    """An accepted request. `started` is monotonic seconds; `prompt` is what was left after the silent cut."""

    task_id: str
    prompt: str
    started: float


class Tasks:
    """Makes tasks and answers for them. Every task runs for `seconds`; `now` is monotonic seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._made = 0
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._running: deque[float] = deque()

    def running(self, now: float) -> int:
        """Count the tasks that are not finished."""
        while self._running and now - self._running[0] >= self._seconds:
            self._running.popleft()
        return len(self._running)

    def make(self, prompt: str, now: float) -> Task:
        """Start a task."""
        self._made += 1
        task_id = str(uuid4()) if self._made % _COLON_EVERY else f"video:{uuid4().hex}"
        task = Task(task_id, prompt, now)
        self._tasks[task_id] = task
        if len(self._tasks) > REMEMBERED_TASKS:
            self._tasks.popitem(last=False)
        self.running(now)
        self._running.append(now)
        return task

    def status(self, task_id: str, now: float) -> dict[str, object] | None:
        """Describe a task as the query endpoint does; None where it is unknown or too old."""
        task = self._tasks.get(task_id)
        if task is None or now - task.started >= KEPT_SECONDS:
            return None
        done = 1.0 if self._seconds == 0 else min(1.0, (now - task.started) / self._seconds)
        finished = done >= 1.0
        url = f"https://results.invalid/{task_id.replace(':', '-')}.mp4"
        return {
            "task_id": task_id,
            "status": next((name for end, name in _STAGES if done < end), "SUCCESS"),
            "progress": f"{int(done * 100)}%",
            "fail_reason": "",
            "data": {
                "orig_prompt": task.prompt,
                "output": url if finished else None,
                "outputs": [url] if finished else [],
            },
        }

    def forget(self) -> None:
        """Forget every task."""
        self._tasks.clear()
        self._running.clear()
