import pytest

from service.core.pending_task import TrackingPolicy
from service.policies import tracking_policy_of
from service.settings import Settings, TrackingSettings
from tests.support.running import settings_for


def tracking(max_rps: float) -> Settings:
    settings = settings_for("amqp://localhost", "p", "http://localhost")
    wanted = TrackingSettings(enabled=True, max_rps=max_rps, first=1, cap=2, lost_after=3)
    return settings.model_copy(update={"tracking": wanted})


@pytest.mark.parametrize(("max_rps", "at_once"), [(0.1, 1), (1, 1), (2.9, 2), (64, 64), (100_000, 64)])
def test_no_more_queries_are_under_way_than_may_start_in_a_second(max_rps: float, at_once: int) -> None:
    assert tracking_policy_of(tracking(max_rps)) == TrackingPolicy(1, 2, 3, at_once, max_rps)
