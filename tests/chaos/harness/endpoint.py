"""The simulated endpoint in a process of its own: its record survives whatever happens to workers."""

import json
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Self

import httpx

from tests.chaos.harness.child import Child
from tests.chaos.harness.verdict import Post
from tests.chaos.harness.waiting import until

_LONG_ANSWER = 120.0


class EndpointProcess:
    """A running `videogen-worker simulate`, asked over its own HTTP interface."""

    def __init__(self, child: Child, base_url: str) -> None:
        self.child = child
        self.base_url = base_url
        self._http = httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=_LONG_ANSWER)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def posts(self, request_id: str | None = None) -> list[Post]:
        """Read the record, oldest first; of one request, or of all."""
        named = {} if request_id is None else {"idempotency_key": request_id}
        response = await self._http.get("/_sim/record", params=named)
        return [_post(json.loads(line)) for line in response.text.splitlines()]

    async def summary(self) -> Mapping[str, object]:
        summary: Mapping[str, object] = (await self._http.get("/_sim/summary")).json()
        return summary

    async def count(self) -> int:
        """Count the POSTs so far."""
        return int(str((await self.summary())["posts"]))

    async def in_flight(self) -> int:
        """Count the POSTs that wait for their answer."""
        return int(str((await self.summary())["in_flight"]))

    async def until_in_flight(self, count: int) -> None:
        """Wait until `count` POSTs wait for their answer."""

        async def reached() -> bool:
            return await self.in_flight() == count

        await until(reached, f"{count} calls are under way")

    async def release(self, *, for_good: bool = False) -> None:
        """Answer the calls that are held (`[sim: hold]`)."""
        await self._http.post("/_sim/release", params={"for_good": str(for_good).lower()})

    async def set_error_rates(self, rates: Mapping[str, float]) -> None:
        """Replace the random faults; none: every call is accepted."""
        (await self._http.put("/_sim/error-rates", content=json.dumps(rates))).raise_for_status()

    async def begin_outage(self, what: str) -> None:
        """Meet every call with one answer: `quota`, `arrears`, `down`, or a step of the directive language."""
        (await self._http.put("/_sim/outage", content=what)).raise_for_status()

    async def end_outage(self) -> None:
        (await self._http.delete("/_sim/outage")).raise_for_status()


def arguments_for(
    *, latency: float, latency_spread: float, seed: int, error_rates: Mapping[str, float], extra: tuple[str, ...] = ()
) -> list[str]:
    """Write the command line of an endpoint on a free port."""
    rates = [part for fault, share in error_rates.items() for part in ("--error-rate", f"{fault}={share}")]
    timing = ["--latency", str(latency), "--latency-spread", str(latency_spread), "--seed", str(seed)]
    return ["simulate", "--port", "0", "--json", *timing, *rates, *extra]


def _post(fields: Mapping[str, str]) -> Post:
    return Post(
        request_id=fields["idempotency_key"] or "",
        at=datetime.fromisoformat(fields["time"]),
        label=fields["label"],
        accepted=bool(fields["accepted"]),
        could_be_accepted=bool(fields["could_be_accepted"]),
        task_id=fields["task_id"],
    )
