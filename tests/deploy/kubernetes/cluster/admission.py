"""Whether an object is taken: its namespace is there, and its fields are those of its kind."""

import copy

from tests.deploy.kubernetes.cluster.kinds import NAMESPACE, Kind
from tests.deploy.kubernetes.cluster.refusals import bad_request, invalid, not_found
from tests.deploy.kubernetes.cluster.store import Store
from tests.deploy.kubernetes.operator_objects import is_of_an_operator, operator_faults
from tests.deploy.kubernetes.rendering import Manifest
from tests.deploy.kubernetes.schemas import schema_fault

_WITHOUT_SCHEMA = "rabbitmq.com"


def admit(store: Store, kind: Kind, namespace: str, given: Manifest) -> Manifest:
    """Give the object as the server sees it, in its namespace.

    Raises:
        Refused: the namespace is missing or another one, or a field is none of this kind.
    """
    found = copy.deepcopy(given)
    if (found.get("apiVersion"), found.get("kind")) != (kind.api_version, kind.name):
        raise bad_request(f"this is a {found.get('apiVersion')} {found.get('kind')}, not a {kind.name}")
    metadata = found["metadata"]
    if kind.namespaced:
        if store.get(NAMESPACE, "", namespace) is None:
            raise not_found(NAMESPACE, namespace)
        if metadata.setdefault("namespace", namespace) != namespace:
            raise bad_request(f"the namespace of the object ({metadata['namespace']}) is not that of the request")
    if (fault := _fault(found)) is not None:
        raise invalid(kind, metadata["name"], fault)
    if kind is NAMESPACE:
        metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata["name"]
    return found


def _fault(found: Manifest) -> str | None:
    if found["apiVersion"].startswith(f"{_WITHOUT_SCHEMA}/"):
        return None
    if not is_of_an_operator(found):
        return schema_fault(found)
    # What servers and kubectl add to the metadata is not what the models are about.
    metadata = {name: found["metadata"][name] for name in ("name", "namespace", "labels") if name in found["metadata"]}
    return "; ".join(operator_faults({**found, "metadata": metadata})) or None
