"""What a private node of this machine is started from."""

import os

from service.private_broker.installation import SYSTEM_PATHS, Installation, find_installation


def installation_here() -> Installation:
    """Find it.

    A fixture `installation` that gives it lets a run without RabbitMQ leave its tests out by name (tests/conftest.py).
    """
    return find_installation(f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATHS}")
