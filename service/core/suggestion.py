"""The name that was probably meant by a misspelt one."""

from collections.abc import Iterable
from difflib import get_close_matches

# Longer than any real name; difflib takes time in proportion to the length.
_LONGEST_NAME = 80
_CLOSENESS = 0.7


def close_names(name: str, known: Iterable[str], limit: int) -> list[str]:
    """Find at most `limit` known names like `name`, the closest first; upper and lower case count as one."""
    return get_close_matches(name[:_LONGEST_NAME].lower(), list(known), n=limit, cutoff=_CLOSENESS)
