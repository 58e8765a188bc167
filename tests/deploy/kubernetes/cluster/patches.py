"""How a patch changes an object: RFC 7396, which is also what a strategic merge patch without lists means."""

from tests.deploy.kubernetes.cluster.refusals import Unplayed
from tests.deploy.kubernetes.rendering import Manifest

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


def patched(before: Manifest, patch: Manifest, content_type: str) -> Manifest:
    """Apply a patch.

    Raises:
        Unplayed: it is of another type, or it merges lists by rules of their own.
    """
    if content_type not in {MERGE, STRATEGIC}:
        raise Unplayed(f"a patch of the type {content_type}")
    if content_type == STRATEGIC and _has_rules_of_its_own(patch):
        raise Unplayed("a strategic merge patch with lists or directives")
    return _merged(before, patch)


def _merged(before: Manifest, patch: Manifest) -> Manifest:
    kept = dict(before)
    for name, value in patch.items():
        if value is None:
            kept.pop(name, None)
        elif isinstance(value, dict):
            inner = kept.get(name)
            kept[name] = _merged(inner if isinstance(inner, dict) else {}, value)
        else:
            kept[name] = value
    return kept


def _has_rules_of_its_own(patch: object) -> bool:
    match patch:
        case dict():
            return any(name.startswith("$") or _has_rules_of_its_own(value) for name, value in patch.items())
        case list():
            return True
        case _:
            return False
