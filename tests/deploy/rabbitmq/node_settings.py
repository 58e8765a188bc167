"""Lines of `rabbitmq.conf`."""


def node_settings(text: str) -> dict[str, str]:
    """Read `name = value` lines; no value has a comment behind it."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}
