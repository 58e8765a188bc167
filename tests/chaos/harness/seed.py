"""One number from which every random choice of a run follows, so that a failure can be repeated."""

import random

import pytest

from tests.chaos.harness.size import Size

SEED = pytest.StashKey[int]()
SHARED = "chaos seed"
"""Where a process that shares a run finds the seed of all."""


def seed_of(config: pytest.Config) -> int:
    """Take the seed that was asked for, or draw one for the whole run."""
    if SEED not in config.stash:
        shared: int | None = getattr(config, "workerinput", {}).get(SHARED)
        asked: int | None = config.getoption("chaos_seed", None) if shared is None else shared
        config.stash[SEED] = random.SystemRandom().randrange(1_000_000) if asked is None else asked
    return config.stash[SEED]


def size_of(config: pytest.Config) -> Size:
    return Size(config.getoption("chaos_size", Size.CI))


def random_for(seed: int, test: str) -> random.Random:
    """Give a test its own sequence, whatever ran before it."""
    return random.Random(f"{seed} {test}")


def repeat_command(seed: int, size: Size, nodeid: str) -> str:
    return f".venv/bin/pytest '{nodeid}' --chaos-seed={seed} --chaos-size={size}"
