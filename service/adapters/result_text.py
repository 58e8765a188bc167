"""A result as text for a terminal. Other people wrote most of it, so none of it is read as markup."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text


def status_text(result: Mapping[str, Any]) -> Text:
    """Show whether the request was submitted."""
    return Text(result["status"], "red" if result.get("error") else "green")


def answer_text(result: Mapping[str, Any], limit: int | None = None) -> Text:
    """Show the task id or the error, cut to `limit` characters, and the warnings below it."""
    error = result.get("error")
    answer = Text(f"{error['code']}: {error['message']}" if error else result["task_id"])
    if limit is not None:
        answer.truncate(limit, overflow="ellipsis")
    return answer.append("".join(f"\nwarning: {warning}" for warning in result["warnings"]))
