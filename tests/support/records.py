from datetime import UTC, datetime

from service.core.ledger import SubmittedRecord


def record(task_id: str = "task-1", model: str = "wan", attempts: int = 1) -> SubmittedRecord:
    """Make what the ledger keeps of a request that was accepted at the start of 2026."""
    return SubmittedRecord(task_id, model, attempts, datetime(2026, 1, 1, tzinfo=UTC))
