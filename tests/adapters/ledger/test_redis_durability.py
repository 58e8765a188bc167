from service.adapters.ledger.redis_durability import UNKNOWN, durability_warnings


def test_a_redis_that_keeps_everything_is_no_risk() -> None:
    assert durability_warnings({"maxmemory_policy": "noeviction"}, {"aof_enabled": 1}) == ()


def test_a_policy_that_drops_records_is_named() -> None:
    (warning,) = durability_warnings({"maxmemory_policy": "volatile-lru"}, {"aof_enabled": 1})
    assert "maxmemory-policy is volatile-lru" in warning
    assert "set it to noeviction" in warning


def test_a_redis_without_a_log_is_a_risk() -> None:
    (warning,) = durability_warnings({"maxmemory_policy": "noeviction"}, {"aof_enabled": 0})
    assert "appendonly is no" in warning


def test_both_risks_are_named() -> None:
    assert len(durability_warnings({"maxmemory_policy": "allkeys-lru"}, {"aof_enabled": 0})) == 2


def test_a_redis_that_leaves_it_out_is_unknown() -> None:
    assert durability_warnings({}, {"aof_enabled": 1}) == (UNKNOWN,)
    assert durability_warnings({"maxmemory_policy": "noeviction"}, {}) == (UNKNOWN,)
