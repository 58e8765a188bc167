"""Other people's text, safe for a terminal."""


def printable(text: str) -> str:
    """Write every character that is not plain text (control, bidirectional, lone surrogate) as its escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
