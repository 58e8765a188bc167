from pathlib import Path

import pytest

from tests.contract.documents import ASYNCAPI
from tests.interop.node_tools import INSTALL_LIMIT, NodeToolsError, asyncapi


@pytest.mark.timeout(INSTALL_LIMIT)
def test_asyncapis_own_validator_finds_no_error_and_no_warning() -> None:
    said = asyncapi("validate", str(ASYNCAPI), "--fail-severity=warn")

    assert "is valid" in said


@pytest.mark.timeout(INSTALL_LIMIT)
def test_asyncapis_own_validator_refuses_a_wrong_binding(tmp_path: Path) -> None:
    # It does not hold examples against their schemas; tests/schema/test_asyncapi.py does.
    broken = tmp_path / "broken.yaml"
    text = ASYNCAPI.read_text(encoding="utf-8")
    assert "ack: true" in text
    broken.write_text(text.replace("ack: true", "ack: 7", 1), encoding="utf-8")

    with pytest.raises(NodeToolsError, match="must be boolean"):
        asyncapi("validate", str(broken), "--fail-severity=warn")
