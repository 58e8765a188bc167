"""The API of the cluster over HTTP: https://kubernetes.io/docs/reference/using-api/api-concepts/."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from tests.deploy.kubernetes.cluster.admission import admit
from tests.deploy.kubernetes.cluster.discovery import documents
from tests.deploy.kubernetes.cluster.kinds import DEPLOYMENT, POD, Kind, kind_at
from tests.deploy.kubernetes.cluster.kubelet import Kubelet
from tests.deploy.kubernetes.cluster.patches import patched
from tests.deploy.kubernetes.cluster.protobuf_bodies import CONTENT_TYPE, decoded
from tests.deploy.kubernetes.cluster.refusals import Refused, Unplayed, already_exists, not_found
from tests.deploy.kubernetes.cluster.remote_command import answer_over
from tests.deploy.kubernetes.cluster.store import Store
from tests.deploy.kubernetes.rendering import Manifest

# Has been replaced by version 3; kubectl goes on without it.
_LEFT_OUT = "openapi/v2"
_BY_NAME = "metadata.name="


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: a kind, or an object of it, or a part of that object."""

    kind: Kind
    namespace: str
    name: str
    part: str

    @classmethod
    def of(cls, path: str) -> "Target | None":
        """Read a path such as `apis/apps/v1/namespaces/NAMESPACE/deployments/NAME`; None where it names no kind."""
        parts = path.split("/")
        size = 2 if parts[0] == "api" else 3
        root, rest = "/".join(parts[:size]), parts[size:]
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        kind = kind_at(root, rest[0]) if rest else None
        if kind is None:
            return None
        return cls(kind, namespace, "".join(rest[1:2]), "/".join(rest[2:]))


class Api:
    """Answers requests; `unplayed` are those that Kubernetes would have understood, or might have."""

    def __init__(self, store: Store, kubelet: Kubelet) -> None:
        self._store = store
        self._kubelet = kubelet
        self._documents = documents()
        self.unplayed: list[str] = []

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._found(request)
        except Refused as refusal:
            if isinstance(refusal, Unplayed):
                self.unplayed.append(str(refusal))
            return web.json_response(refusal.status(), status=refusal.code)

    async def _found(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"].strip("/")
        if path in self._documents:
            return web.json_response(self._documents[path])
        if path == _LEFT_OUT:
            raise Refused(404, "NotFound", "there is no OpenAPI v2 here")
        target = Target.of(path)
        if target is None:
            raise Unplayed(f"{request.method} /{path}")
        match request.method, target.name, target.part:
            case "GET", "", "" if request.query.get("watch") in {"true", "1"}:
                return await self._watched(request, target)
            case "GET", "", "":
                return web.json_response(self._listed(request.query, target))
            case "GET", _, "":
                return web.json_response(self._existing(target))
            case "POST", "", "":
                return web.json_response(await self._created(request, target), status=201)
            case "PATCH", _, "":
                return web.json_response(await self._patched(request, target))
            case "GET", _, "log" if target.kind is POD:
                return self._logged(request.query, target)
            case "GET" | "POST", _, "exec" if target.kind is POD:
                return await self._executed(request, target)
            case _:
                raise Unplayed(f"{request.method} /{path}")

    def _existing(self, target: Target) -> Manifest:
        found = self._store.get(target.kind, target.namespace, target.name)
        if found is None:
            raise not_found(target.kind, target.name)
        return found

    def _listed(self, query: Mapping[str, str], target: Target) -> Manifest:
        found = self._store.all(target.kind, target.namespace or None)
        return {
            "kind": f"{target.kind.name}List",
            "apiVersion": target.kind.api_version,
            "metadata": {"resourceVersion": str(self._store.version)},
            "items": [each for each in found if _selects(query, each)],
        }

    async def _watched(self, request: web.Request, target: Target) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        async for event in self._store.watch(int(request.query.get("resourceVersion") or 0)):
            namespace = event.object["metadata"].get("namespace", "")
            meant = event.kind is target.kind and target.namespace in {"", namespace}
            if meant and _selects(request.query, event.object):
                line = json.dumps({"type": event.type, "object": event.object})
                await response.write(line.encode() + b"\n")
        return response

    async def _created(self, request: web.Request, target: Target) -> Manifest:
        given = admit(self._store, target.kind, target.namespace, await _body(request))
        name = given["metadata"]["name"]
        if self._store.get(target.kind, target.namespace, name) is not None:
            raise already_exists(target.kind, name)
        return await self._kept(request, target.kind, given)

    async def _patched(self, request: web.Request, target: Target) -> Manifest:
        before = self._existing(target)
        after = patched(before, await _body(request), request.content_type)
        given = admit(self._store, target.kind, target.namespace, after)
        if target.kind is DEPLOYMENT and given["spec"] != before["spec"]:
            raise Unplayed("a rollout of a Deployment that was changed")
        return await self._kept(request, target.kind, given)

    async def _kept(self, request: web.Request, kind: Kind, given: Manifest) -> Manifest:
        if request.query.get("dryRun") == "All":
            return self._store.admitted(kind, given)
        return await self._store.put(kind, given)

    def _logged(self, query: Mapping[str, str], target: Target) -> web.Response:
        self._existing(target)
        if query.get("follow") == "true":
            raise Unplayed("a log that is followed")
        lines = self._kubelet.container(target.namespace, target.name).output
        kept = lines[-int(query["tailLines"]) :] if "tailLines" in query else lines
        return web.Response(text="".join(f"{line}\n" for line in kept))

    async def _executed(self, request: web.Request, target: Target) -> web.StreamResponse:
        self._existing(target)
        container = self._kubelet.container(target.namespace, target.name)
        if request.query.get("stdin") == "true":
            raise Unplayed("input for a command in a pod")
        return await answer_over(request, container, request.query.getall("command"))


async def _body(request: web.Request) -> Manifest:
    body = await request.read()
    found: Manifest = decoded(body) if request.content_type == CONTENT_TYPE else json.loads(body)
    return found


def _selects(query: Mapping[str, str], found: Manifest) -> bool:
    labels, field = query.get("labelSelector", ""), query.get("fieldSelector", "")
    wanted = dict(each.partition("=")[::2] for each in labels.split(",") if each)
    if any(not name or name[-1] in "!(" or value[:1] == "=" for name, value in wanted.items()):
        raise Unplayed(f"the selector {labels}")
    if field and not field.startswith(_BY_NAME):
        raise Unplayed(f"the selector {field}")
    metadata = found["metadata"]
    if field and metadata["name"] != field.removeprefix(_BY_NAME):
        return False
    return bool(wanted.items() <= metadata.get("labels", {}).items())
