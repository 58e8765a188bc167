"""deploy/rabbitmq/definitions.json, and what it must say of the queues. Run as a program, it writes that part anew."""

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from service.core.topology import Topology
from service.settings import EndpointSettings, Settings, TrackingSettings

FOLDER = Path(__file__).parents[3] / "deploy" / "rabbitmq"
FILE = FOLDER / "definitions.json"
COMPLETIONS_FILE = FOLDER / "completions.json"
VHOST = "/"

DEFAULTS = Settings(endpoint=EndpointSettings(base_url="http://endpoint", api_key=SecretStr("none")))
"""The settings of a worker whose operator names no more than what is required."""


def shipped() -> dict[str, Any]:
    """Read the file."""
    definitions: dict[str, Any] = json.loads(FILE.read_text())
    return definitions


def objects_of(topology: Topology) -> dict[str, list[dict[str, Any]]]:
    """Write exchange, queues and bindings as definitions have them."""
    lasting = {"vhost": VHOST, "durable": True, "auto_delete": False}
    exchange = {"name": topology.exchange, **lasting, "type": "topic", "internal": False, "arguments": {}}
    return {
        "exchanges": [exchange],
        "queues": [{"name": spec.name, **lasting, "arguments": dict(spec.arguments)} for spec in topology.queues],
        "bindings": [
            {
                "source": topology.exchange,
                "vhost": VHOST,
                "destination": binding.queue,
                "destination_type": "queue",
                "routing_key": binding.routing_key,
                "arguments": {},
            }
            for binding in topology.bindings
        ],
    }


def completions() -> dict[str, list[dict[str, Any]]]:
    """Write what a worker that follows tasks needs besides."""
    without = objects_of(DEFAULTS.topology)
    tracking = DEFAULTS.model_copy(update={"tracking": TrackingSettings(enabled=True)})
    return {
        kind: more
        for kind, objects in objects_of(tracking.topology).items()
        if (more := [each for each in objects if each not in without[kind]])
    }


if __name__ == "__main__":
    COMPLETIONS_FILE.write_text(json.dumps(completions(), indent=2) + "\n")
    FILE.write_text(json.dumps(shipped() | objects_of(DEFAULTS.topology), indent=2) + "\n")
