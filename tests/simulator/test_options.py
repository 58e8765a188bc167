import pytest

from service.simulator.options import SimulatorOptions


@pytest.mark.parametrize("name", ["latency", "latency_spread", "task_seconds"])
def test_seconds_must_not_be_negative(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be 0 seconds or more"):
        SimulatorOptions(**{name: -0.1})  # type: ignore[arg-type]  # the name is a parameter of the test


@pytest.mark.parametrize("name", ["max_running", "max_body", "record_limit"])
def test_limits_must_let_something_through(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be 1 or more"):
        SimulatorOptions(**{name: 0})  # type: ignore[arg-type]  # the name is a parameter of the test
