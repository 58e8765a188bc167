"""Text that a foreign server wrote, made fit for results, headers and logs."""

LIMIT = 500
_REDACTED = "[redacted]"
_ELLIPSIS = "…"


def fit(text: str, secret: str = "") -> str | None:
    """Bring text to one line of at most `LIMIT` printable characters; None where nothing is left.

    `secret` is blotted out before the cut, so that no piece of it survives at the end. Lone surrogates, which
    JSON escapes can smuggle in and UTF-8 cannot carry, go the way of control characters.
    """
    if secret:
        text = text.replace(secret, _REDACTED)
    # Runs of blanks shrink, so more than the limit is looked at; but never a whole megabyte.
    visible = "".join(char if char.isprintable() else " " for char in text[: 4 * LIMIT])
    line = " ".join(visible.split())
    if len(line) > LIMIT:
        return line[: LIMIT - len(_ELLIPSIS)] + _ELLIPSIS
    return line or None
