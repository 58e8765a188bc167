"""The list of decision notes, by their titles."""

from pathlib import Path

FOLDER = Path(__file__).parents[3] / "docs" / "decisions"


def decisions_list() -> str:
    """Build the list in the order of their numbers."""
    return "\n".join(f"- [{_title(note)}]({note.name})" for note in sorted(FOLDER.glob("[0-9]*.md")))


def _title(note: Path) -> str:
    first = note.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("# ")
