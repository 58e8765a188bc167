"""Whether a message is a JSON object at all, as strict as RFC 8259 lets a reader be."""

import json
from typing import NoReturn

from pydantic import ValidationError

from service.core.delivery import Delivery
from service.core.explanation import echo, named

_PLAIN_ENCODINGS = frozenset({"", "identity", "utf-8"})


class IllFormedError(Exception):
    """The message is no JSON object. The text is for its producer: what is wrong, where, and what to do."""


def body_text(delivery: Delivery, max_bytes: int) -> str:
    """Take the text out of a message; a byte order mark is dropped (RFC 8259 section 8.1).

    The content type is not looked at: the specification names the content encoding alone.

    Raises:
        IllFormedError: too large, compressed, not UTF-8, or nothing there.
    """
    size = len(delivery.body)
    if size > max_bytes:
        raise IllFormedError(f"The body has {size} bytes, {max_bytes} are allowed. Shorten the request.")
    encoding = delivery.content_encoding or ""
    if encoding.strip().lower() not in _PLAIN_ENCODINGS:
        raise IllFormedError(
            f"The content encoding {echo(encoding)} is not supported. Send the body uncompressed, as UTF-8."
        )
    try:
        text = delivery.body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise IllFormedError(f"The body is not UTF-8 at byte {error.start}. Encode it as UTF-8.") from None
    if not text.strip():
        raise IllFormedError("The body is empty. Send a JSON object.")
    return text


def refuse_ill_formed(failure: ValidationError) -> None:
    """Sort out a text that pydantic could not read as a JSON object; anything else is about fields.

    Raises:
        IllFormedError: no JSON, or JSON of another kind.
    """
    if failure.error_count() != 1:
        return
    error = failure.errors(include_url=False)[0]
    if error["type"] == "json_invalid":
        reason = str(error["ctx"]["error"]).replace("recursion limit exceeded", "nested too deeply")
        raise IllFormedError(f"The body cannot be read as JSON: {reason}. Send a JSON object.")
    if error["type"] == "model_type":
        raise IllFormedError(f"The body is {echo(error['input'])}, not a JSON object. Send a JSON object.")


def refuse_irregular(text: str) -> None:
    """Refuse what JSON parsers let pass although RFC 8259 does not: NaN, Infinity, a name that stands twice.

    The text must have passed a parser that limits the depth.

    Raises:
        IllFormedError: one of these is in the text.
    """
    _STRICT.decode(text)


def _refuse_constant(literal: str) -> NoReturn:
    raise IllFormedError(f"The body cannot be read as JSON: {literal} is no JSON number. Leave the field out.")


def _refuse_repeated(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise IllFormedError(f"The field {named(name)} stands twice. Send it once.")
        seen.add(name)


# Numbers stay text: nothing here looks at them, and converting a long one takes time.
_STRICT = json.JSONDecoder(
    object_pairs_hook=_refuse_repeated, parse_constant=_refuse_constant, parse_int=str, parse_float=str
)
