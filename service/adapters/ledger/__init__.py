"""The ledger: what must be remembered of each call so that none is paid for twice."""
