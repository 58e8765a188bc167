"""What a client asks before anything else: which groups, versions and kinds there are."""

from collections.abc import Iterator

from tests.deploy.kubernetes.cluster.kinds import KINDS, ROOTS, Kind
from tests.deploy.kubernetes.rendering import Manifest

_VERBS = ["create", "get", "list", "patch", "watch"]


def documents() -> dict[str, Manifest]:
    """Give each document by its path."""
    return dict(_documents())


def _documents() -> Iterator[tuple[str, Manifest]]:
    grouped = [root.removeprefix("apis/").split("/") for root in ROOTS if root.startswith("apis/")]
    yield "version", {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
    yield "api", {"kind": "APIVersions", "versions": ["v1"]}
    yield "apis", {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*each) for each in grouped]}
    yield "openapi/v3", {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in ROOTS}}
    for root in ROOTS:
        kinds = [kind for kind in KINDS if kind.root == root]
        yield root, _resources(kinds)
        yield f"openapi/v3/{root}", _openapi(kinds)


def _group(name: str, version: str) -> Manifest:
    found = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [found], "preferredVersion": found}


def _resources(kinds: list[Kind]) -> Manifest:
    resources = [
        {
            "name": kind.plural,
            "singularName": kind.name.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.name,
            "verbs": _VERBS,
        }
        for kind in kinds
    ]
    version = kinds[0].api_version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def _openapi(kinds: list[Kind]) -> Manifest:
    """Say that this server judges fields itself. Of schemas kubectl then wants none."""
    judged = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
    paths = {
        f"/{kind.root}/{'namespaces/{namespace}/' if kind.namespaced else ''}{kind.plural}/{{name}}": {
            "patch": {
                "parameters": [judged],
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.name},
            }
        }
        for kind in kinds
    }
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.32.0"}, "paths": paths}
