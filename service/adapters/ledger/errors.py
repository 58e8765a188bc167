"""What only the operator can put right."""

from service.core.ledger import EntryDamaged


class LedgerConfigurationError(Exception):
    """The ledger that the settings name cannot be used. The message names the setting and says what to do."""


def misconfigured(problem: str) -> LedgerConfigurationError:
    """Say which setting is behind a problem."""
    return LedgerConfigurationError(f"VIDEOGEN_LEDGER__URL: {problem}")


def damaged(request_id: str) -> EntryDamaged:
    """Say that an entry cannot be read."""
    return EntryDamaged(
        f"the ledger's entry for request {request_id!r} is damaged: find out whether that request was paid for, "
        "then remove the entry (docs/ledger.md says how)"
    )
