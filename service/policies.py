"""What the settings say, as policies of the core."""

from datetime import timedelta

from service.core.handling import SecondTierPolicy
from service.core.pausing import ProbePolicy
from service.core.pending_task import TrackingPolicy
from service.core.retry import RetryPolicy
from service.settings import Settings

_MOST_QUERIES_AT_ONCE = 64


def retry_policy_of(settings: Settings) -> RetryPolicy:
    """Tell how the first tier retries."""
    retry = settings.retry
    return RetryPolicy(retry.attempts, retry.base, retry.cap, retry.budget, settings.endpoint.on_uncertain)


def second_tier_policy_of(settings: Settings) -> SecondTierPolicy:
    """Tell how the second tier retries."""
    max_age = timedelta(seconds=settings.retry.max_age)
    return SecondTierPolicy(settings.retry.tiers, max_age, settings.endpoint.on_uncertain)


def probe_policy_of(settings: Settings) -> ProbePolicy:
    """Tell how often a pause is tried."""
    return ProbePolicy(settings.worker.probe_first, settings.worker.probe_cap)


def tracking_policy_of(settings: Settings) -> TrackingPolicy:
    """Tell how tasks are followed."""
    tracking = settings.tracking
    # Enough for answers that take a second; more would only be more connections to an endpoint that hangs.
    at_once = min(_MOST_QUERIES_AT_ONCE, max(1, int(tracking.max_rps)))
    return TrackingPolicy(tracking.first, tracking.cap, tracking.lost_after, at_once, tracking.max_rps)
