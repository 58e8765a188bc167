from pathlib import Path

import pytest

from tests.docs.reader import Surroundings, surroundings


@pytest.fixture
def around(broker_url: str, prefix: str, tmp_path: Path) -> Surroundings:
    """A broker, queues, ports and a folder for whoever follows a page."""
    return surroundings(broker_url, prefix, tmp_path)
