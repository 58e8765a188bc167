"""What the simulated endpoint of a compose project recorded."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from tests.chaos.harness.verdict import Post


async def posts_at(simulator: str) -> list[Post]:
    """Read every POST, oldest first."""
    lines = (await _get(simulator, "record")).text.splitlines()
    return [_post(json.loads(line)) for line in lines]


async def counts_at(simulator: str) -> Mapping[str, Any]:
    """Read the summary."""
    summary: Mapping[str, Any] = (await _get(simulator, "summary")).json()
    return summary


async def _get(simulator: str, what: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client:
        return (await client.get(f"{simulator}/_sim/{what}")).raise_for_status()


def _post(fields: Mapping[str, Any]) -> Post:
    return Post(
        request_id=fields["idempotency_key"] or "",
        at=datetime.fromisoformat(fields["time"]),
        label=fields["label"],
        accepted=fields["accepted"],
        could_be_accepted=fields["could_be_accepted"],
        task_id=fields["task_id"],
    )
