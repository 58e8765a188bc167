"""The environment of a worker under test."""


def environment(broker_url: str, prefix: str, base_url: str, **more: str) -> dict[str, str]:
    """Give the settings that every test of a process needs; the admin port is any free one, the ledger in memory."""
    return {
        "VIDEOGEN_BROKER__URL": broker_url,
        "VIDEOGEN_BROKER__PREFIX": prefix,
        "VIDEOGEN_ENDPOINT__BASE_URL": base_url,
        "VIDEOGEN_ENDPOINT__API_KEY": "test-key",
        "VIDEOGEN_LEDGER__URL": "none",
        "VIDEOGEN_ADMIN__HOST": "127.0.0.1",
        "VIDEOGEN_ADMIN__PORT": "0",
        **more,
    }
