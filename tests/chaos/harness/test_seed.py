from tests.chaos.harness.seed import random_for, repeat_command
from tests.chaos.harness.size import Size


def test_one_seed_gives_a_test_the_same_choices_again() -> None:
    assert [random_for(7, "a").random() for _ in range(2)] == [random_for(7, "a").random()] * 2


def test_each_test_has_choices_of_its_own() -> None:
    assert random_for(7, "a").random() != random_for(7, "b").random()


def test_the_command_that_repeats_a_failure_names_test_seed_and_size() -> None:
    command = repeat_command(7, Size.CI, "tests/chaos/test_kill.py::test_a[redis]")

    assert command == ".venv/bin/pytest 'tests/chaos/test_kill.py::test_a[redis]' --chaos-seed=7 --chaos-size=ci"
