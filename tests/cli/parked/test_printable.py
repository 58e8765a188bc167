import pytest

from service.cli.parked.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 猫", "plain ü 猫"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\r\t", "a\\nb\\r\\t"),
        ("\u202eevil", "\\u202eevil"),
        ("\ud800", "\\ud800"),
        ("\x9b", "\\x9b"),
    ],
)
def test_only_plain_text_reaches_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown
