"""Finds secrets in what a program says, in every form that they travel in, and pieces of them."""

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

_PIECE = 10
"""Characters in a row that no text has by chance: less than a cut secret would show, more than a word."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A key or a password; `user` is who logs in with it."""

    name: str
    text: str
    user: str = ""

    @property
    def encoded(self) -> str:
        """As a URL carries it."""
        return quote(self.text, safe="")

    @property
    def login(self) -> str:
        """User and password, as a URL carries them."""
        return f"{quote(self.user, safe='')}:{self.encoded}"

    def forms(self) -> Iterator[str]:
        yield from (self.text, self.encoded, quote(self.text), json.dumps(self.text)[1:-1], repr(self.text)[1:-1])
        over_http, over_amqp = f"{self.user}:{self.text}", f"\0{self.user}\0{self.text}"
        for login in (self.text, over_http, over_amqp, f"{self.user}:{self.encoded}"):
            yield b64encode(login.encode()).decode()

    def pieces(self) -> set[str]:
        return {form[at : at + _PIECE] for form in self.forms() for at in range(max(1, len(form) - _PIECE + 1))}


def leaks(text: str, secrets: tuple[Secret, ...]) -> set[str]:
    """Name the secrets of which a piece is in `text`, each with what stands around it."""
    return {
        f"{secret.name}: ...{text[max(0, at - 60) : at + 60]!r}..."
        for secret in secrets
        for piece in secret.pieces()
        if (at := text.find(piece)) >= 0
    }
