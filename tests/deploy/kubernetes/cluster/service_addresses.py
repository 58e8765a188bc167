"""Names of Services, and what is behind them: the cluster's DNS and its proxy."""

import re
from collections.abc import Mapping
from contextlib import AsyncExitStack

from tests.deploy.kubernetes.cluster.kinds import POD, SERVICE
from tests.deploy.kubernetes.cluster.store import Store
from tests.deploy.kubernetes.rendering import Manifest
from tests.support.tcp_proxy import TcpProxy

Address = tuple[str, int]

_NOBODY: Address = ("127.0.0.1", 9)


class ServiceAddresses:
    """A port on loopback for each port of each Service, which leads to a pod that is ready."""

    def __init__(self, store: Store, stack: AsyncExitStack) -> None:
        self._store = store
        self._stack = stack
        self._proxies: dict[tuple[str, str, int], TcpProxy] = {}
        self._pods: dict[tuple[str, str], Mapping[int, Address]] = {}

    def listens(self, namespace: str, pod: str, ports: Mapping[int, Address]) -> None:
        """Note where the ports of a pod are on this machine."""
        self._pods[namespace, pod] = ports

    async def renew(self) -> None:
        """Lead each Service to a pod that is ready now."""
        for service in self._store.all(SERVICE):
            namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
            for port in service["spec"]["ports"]:
                key = (namespace, name, port["port"])
                if key not in self._proxies:
                    self._proxies[key] = await self._stack.enter_async_context(TcpProxy(*_NOBODY))
                self._proxies[key].aim(*self._behind(service, port))

    def resolved(self, namespace: str, text: str) -> str:
        """Put addresses on this machine in the place of names that the pods of a namespace know."""
        for (its_namespace, name, port), proxy in self._proxies.items():
            local = rf"{re.escape(name)}(?:\.{re.escape(its_namespace)}(?:\.svc(?:\.cluster\.local)?)?)?"
            known = local if its_namespace == namespace else local.removesuffix("?")
            text = re.sub(rf"(?<![\w.-]){known}:{port}\b", f"127.0.0.1:{proxy.port}", text)
        return text

    def _behind(self, service: Manifest, port: Manifest) -> Address:
        wanted: str | int = port["targetPort"] if "targetPort" in port else port["port"]
        for pod in self._store.all(POD, service["metadata"]["namespace"], service["spec"]["selector"]):
            there = self._pods.get((pod["metadata"]["namespace"], pod["metadata"]["name"]), {})
            named: dict[str | int, int] = {
                each.get("name", ""): each["containerPort"] for each in pod["spec"]["containers"][0].get("ports", [])
            }
            number = named.get(wanted, wanted)
            if is_ready(pod) and isinstance(number, int) and number in there:
                return there[number]
        return _NOBODY


def is_ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
