"""The simulated endpoint: the contract of the real one, with faults on request."""
