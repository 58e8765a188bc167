"""W3C trace context that is safe to pass on (https://www.w3.org/TR/trace-context/)."""

import re
from collections.abc import Mapping

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

# Section 3.2: lowercase hex, no id all zero, no version ff. Later versions may append fields after a dash.
_TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})"
    r"-(?P<known>(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})"
    r"(?P<rest>-.*)?"
)
# At most 512 characters, as section 3.3.1.5 asks to carry. Spaces at the ends are no part of a header value.
_TRACESTATE = re.compile(r"[!-~](?:[ -~]{0,510}[!-~])?")


def trace_headers(headers: Mapping[str, object]) -> dict[str, str]:
    """Pick `traceparent` and `tracestate`; what breaks the Recommendation is left out, as it demands.

    A traceparent of a later version is passed on as version 00, the one we know (section 3.2.4).
    `tracestate` means nothing without `traceparent`.
    """
    traceparent = _traceparent(_text(headers.get(TRACEPARENT)))
    if traceparent is None:
        return {}
    tracestate = _text(headers.get(TRACESTATE)).strip(" \t")
    if not _TRACESTATE.fullmatch(tracestate):
        return {TRACEPARENT: traceparent}
    return {TRACEPARENT: traceparent, TRACESTATE: tracestate}


def _traceparent(text: str) -> str | None:
    found = _TRACEPARENT.fullmatch(text)
    if found is None or (found["version"] == "00" and found["rest"] is not None):
        return None
    return f"00-{found['known']}"


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case bytes():
            # Every byte becomes one character; the patterns refuse what is not ASCII.
            return value.decode("latin-1")
        case _:
            return ""
