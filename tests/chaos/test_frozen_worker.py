"""A worker stands still in mid-call for longer than its claim holds, and goes on as if nothing had been."""

import pytest

from tests.chaos.harness.ledgers import LedgerPlace
from tests.chaos.harness.scene import open_scene
from tests.chaos.harness.traffic import request
from tests.chaos.harness.trial import Trial

pytestmark = pytest.mark.timeout(180)


async def test_a_call_that_outlives_its_lease_is_not_made_again_by_another_worker(
    trial: Trial, broker_url: str, ledger: LedgerPlace
) -> None:
    async with open_scene(trial, broker_url, ledger.name) as scene:
        # With one slot, and so a prefetch of one, it is given no copy.
        frozen = await scene.worker(ledger.url, VIDEOGEN_WORKER__CONCURRENCY="1")
        held = request("r0", "a cat [sim: hold]")
        await scene.traffic.publish([held])
        await scene.endpoint.until_in_flight(1)
        frozen.freeze()
        await scene.worker(ledger.url)
        # The other worker lets this copy wait until the lease has passed, and then tells of the doubt.
        await scene.traffic.publish([held])
        assert await scene.traffic.all_answered(silence=30)
        await scene.endpoint.release(for_good=True)
        frozen.thaw()

        verdict = await scene.conclude("frozen beyond the lease", outlived={"r0"}, deaths_explain=1)
        assert "r0" in verdict.uncertain
        assert len(verdict.calls["r0"]) == 1
