"""Pure rules: no broker, HTTP, metrics, environment, clock or randomness of their own."""
