"""What the worker's container finds when it starts: its environment, and the files that are mounted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.settings import Settings, load_settings
from tests.deploy.kubernetes.rendering import Manifest, Rendered
from tests.deploy.tls.mounted import Mounted


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One key of a Secret or a ConfigMap that somebody has to create."""

    kind: str
    source: str
    key: str


class WorkerPod:
    """The pod of the Deployment `videogen-worker`."""

    def __init__(self, rendered: Rendered) -> None:
        self._rendered = rendered
        self.spec: Manifest = rendered.one("Deployment")["spec"]["template"]["spec"]
        (self.container,) = self.spec["containers"]

    def environment(self) -> dict[str, str]:
        """Read what `envFrom` and `env` give."""
        found: dict[str, str] = {}
        for source in self.container.get("envFrom", []):
            found |= self._rendered.one("ConfigMap", source["configMapRef"]["name"])["data"]
        return found | {entry["name"]: entry["value"] for entry in self.container.get("env", [])}

    def mounted_keys(self) -> dict[str, dict[str, Key]]:
        """Tell for each path that Secrets or ConfigMaps are mounted at which key is which file."""
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in self.container["volumeMounts"]}
        files = {path: dict(_files(volume)) for path, volume in mounts.items()}
        return {path: keys for path, keys in files.items() if keys}

    def volume_at(self, path: str) -> Manifest | None:
        """Find the volume whose mount holds `path`."""
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        for mount in self.container["volumeMounts"]:
            if Path(path).is_relative_to(mount["mountPath"]):
                found: Manifest = volumes[mount["name"]]
                return found
        return None

    def unpack(self, folder: Path, values: Mapping[Key, str]) -> "UnpackedPod":
        """Lay out under `folder` what would be mounted, and point the environment there."""
        keys = self.mounted_keys()
        places = {path: str(folder / f"mount-{number}") for number, path in enumerate(keys)}
        environment = {name: _moved(text, places) for name, text in self.environment().items()}
        mounts = [_MountedKeys(Path(places[path]), files, dict(values)) for path, files in keys.items()]
        return UnpackedPod(environment, mounts, folder)


class _MountedKeys:
    """One mount, whose keys can change as the kubelet changes them."""

    def __init__(self, place: Path, files: Mapping[str, Key], values: dict[Key, str]) -> None:
        self._files = files
        self._values = values
        self._mounted = Mounted(place, self._contents())

    def change(self, key: Key, value: str) -> None:
        self._values[key] = value
        self._mounted.swap(self._contents())

    def _contents(self) -> dict[str, bytes]:
        return {name: self._values[key].encode() for name, key in self._files.items()}


@dataclass(frozen=True, slots=True)
class UnpackedPod:
    """A pod's environment and files on this machine."""

    environment: Mapping[str, str]
    mounts: Sequence[_MountedKeys]
    folder: Path

    def change(self, key: Key, value: str) -> None:
        """Change one key of a Secret, and bring it into the pod."""
        for mount in self.mounts:
            mount.change(key, value)

    def settings(self) -> Settings:
        """Load the settings as the worker would.

        Raises:
            SettingsError: it would refuse to start.
        """
        return load_settings(self.environment, self.folder / "no.env")


def _files(volume: Manifest) -> Iterator[tuple[str, Key]]:
    sources = volume["projected"]["sources"] if "projected" in volume else [volume]
    for source in sources:
        for kind, name in (("secret", "secretName"), ("configMap", "name")):
            if kind in source:
                given = source[kind]
                for item in given["items"]:
                    yield item["path"], Key(kind, given.get(name) or given["name"], item["key"])


def _moved(text: str, places: Mapping[str, str]) -> str:
    for path, place in places.items():
        if Path(text).is_absolute() and Path(text).is_relative_to(path):
            return str(Path(place) / Path(text).relative_to(path))
    return text
