from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAP = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
MODULES = sorted(
    path.relative_to(ROOT / "service").with_suffix("")
    for path in (ROOT / "service").rglob("*.py")
    if not path.name.startswith("__")
)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_the_map_names_every_module(module: Path) -> None:
    assert f"`{module.name}`" in MAP or f"/{module.name}`" in MAP or f"`{module.name}.py`" in MAP
