"""deploy/rabbitmq/operator as kustomize renders it, and the resources that say the same as the definitions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.harness.command import run
from tests.deploy.rabbitmq.definitions import FOLDER

OPERATOR = FOLDER / "operator"
CLUSTER = "videogen-rabbitmq"
_REFERENCE = {"rabbitmqClusterReference": {"name": CLUSTER}}


def rendered(kubectl: str, folder: Path = OPERATOR) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(run(kubectl, "kustomize", folder)))


def resources_for(definitions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write definitions as resources of the Messaging Topology Operator. Source: its API reference, v1beta1."""
    return [
        *(_resource("Exchange", each["name"], _exchange(each)) for each in definitions["exchanges"]),
        *(_resource("Queue", _dashed(each["name"]), _queue(each)) for each in definitions["queues"]),
        *(_resource("Binding", _dashed(each["destination"]), _binding(each)) for each in definitions["bindings"]),
        *(_resource("User", user_resource(each["name"]), _user(each)) for each in definitions["users"]),
        *(
            _resource("Permission", user_resource(each["user"]), _granted(each, "configure", "write", "read"))
            for each in definitions["permissions"]
        ),
        *(
            _resource("TopicPermission", user_resource(each["user"]), _granted(each, "exchange", "write", "read"))
            for each in definitions["topic_permissions"]
        ),
    ]


def user_resource(user: str) -> str:
    """Name the resource of a user, and the Secret with its name and password."""
    return f"{CLUSTER}-{user}"


def _resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name}
    return {"apiVersion": "rabbitmq.com/v1beta1", "kind": kind, "metadata": metadata, "spec": {**_REFERENCE, **spec}}


def _dashed(name: str) -> str:
    return name.replace(".", "-")


def _exchange(each: Mapping[str, Any]) -> dict[str, Any]:
    assert not each["internal"]
    assert not each["arguments"]
    kept = {name: each[name] for name in ("vhost", "name", "type", "durable")}
    return {**kept, "autoDelete": each["auto_delete"]}


def _queue(each: Mapping[str, Any]) -> dict[str, Any]:
    arguments = dict(each["arguments"])
    return {
        **{name: each[name] for name in ("vhost", "name", "durable")},
        # The operator makes an argument of it.
        "type": arguments.pop("x-queue-type"),
        "autoDelete": each["auto_delete"],
        "deletionPolicy": "retain",
        "arguments": arguments,
    }


def _binding(each: Mapping[str, Any]) -> dict[str, Any]:
    assert not each["arguments"]
    kept = {name: each[name] for name in ("vhost", "source", "destination")}
    return {**kept, "destinationType": each["destination_type"], "routingKey": each["routing_key"]}


def _user(each: Mapping[str, Any]) -> dict[str, Any]:
    tags = {"tags": each["tags"]} if each["tags"] else {}
    return {**tags, "importCredentialsSecret": {"name": user_resource(each["name"])}}


def _granted(each: Mapping[str, Any], *what: str) -> dict[str, Any]:
    return {
        "vhost": each["vhost"],
        "userReference": {"name": user_resource(each["user"])},
        "permissions": {name: each[name] for name in what},
    }
