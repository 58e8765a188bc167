"""What the worker's container finds when it starts: its environment, and the files that are mounted."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.settings import Settings, load_settings
from tests.deploy.kubernetes.rendering import WORKER, Manifest, Rendered
from tests.deploy.tls.mounted import Mounted


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One key of a Secret or a ConfigMap that somebody has to create."""

    kind: str
    source: str
    key: str


class WorkerPod:
    """The pod of a Deployment, that of the worker unless another is named."""

    def __init__(self, rendered: Rendered, name: str = WORKER) -> None:
        self._rendered = rendered
        self.spec: Manifest = rendered.one("Deployment", name)["spec"]["template"]["spec"]
        (self.container,) = self.spec["containers"]

    def environment(self) -> dict[str, str]:
        """Read what `envFrom` and `env` give."""
        found: dict[str, str] = {}
        for source in self.container.get("envFrom", []):
            found |= self._rendered.one("ConfigMap", source["configMapRef"]["name"])["data"]
        return found | {entry["name"]: entry["value"] for entry in self.container.get("env", [])}

    def mounted_keys(self) -> dict[str, dict[str, Key]]:
        """Tell for each path that Secrets or ConfigMaps are mounted at which key is which file."""
        mounts = {path: dict(_files(volume)) for path, volume in self._mounts().items()}
        return {path: keys for path, keys in mounts.items() if keys}

    def required_keys(self) -> frozenset[Key]:
        """List what must be there before the pod starts."""
        given = (source for volume in self._mounts().values() for source in _sources(volume))
        return frozenset(key for _, key, optional in given if not optional)

    def volume_at(self, path: str) -> Manifest | None:
        """Find the volume whose mount holds `path`."""
        return next((volume for mount, volume in self._mounts().items() if Path(path).is_relative_to(mount)), None)

    def unpack(self, folder: Path, values: Mapping[Key, str]) -> "UnpackedPod":
        """Lay out under `folder` what would be mounted, and point the environment there.

        Raises:
            KeyError: a key that must be there has no value.
        """
        keys = self.mounted_keys()
        places = {path: str(folder / f"mount-{number}") for number, path in enumerate(keys)}
        environment = {name: _moved(text, places) for name, text in self.environment().items()}
        required = self.required_keys()
        mounts = [_MountedKeys(Path(places[path]), files, required, dict(values)) for path, files in keys.items()]
        return UnpackedPod(environment, mounts, folder)

    def _mounts(self) -> dict[str, Manifest]:
        """Give the volume at each path."""
        volumes = {volume["name"]: volume for volume in self.spec.get("volumes", [])}
        return {mount["mountPath"]: volumes[mount["name"]] for mount in self.container.get("volumeMounts", [])}


class _MountedKeys:
    """One mount, whose keys can change as the kubelet changes them."""

    def __init__(
        self, place: Path, files: Mapping[str, Key], required: Collection[Key], values: dict[Key, str]
    ) -> None:
        self._files = files
        self._required = required
        self._values = values
        self._mounted = Mounted(place, self._contents())

    def change(self, key: Key, value: str) -> None:
        self._values[key] = value
        self._mounted.swap(self._contents())

    def _contents(self) -> dict[str, bytes]:
        return {
            name: self._values[key].encode()
            for name, key in self._files.items()
            if key in self._required or key in self._values
        }


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
    return ((path, key) for path, key, _ in _sources(volume))


def _sources(volume: Manifest) -> Iterator[tuple[str, Key, bool]]:
    """Give the files of a volume: path, key, and whether the key may be missing."""
    sources = volume["projected"]["sources"] if "projected" in volume else [volume]
    for source in sources:
        for kind, name in (("secret", "secretName"), ("configMap", "name")):
            if kind in source:
                given = source[kind]
                for item in given["items"]:
                    key = Key(kind, given.get(name) or given["name"], item["key"])
                    yield item["path"], key, given.get("optional", False)


def _moved(text: str, places: Mapping[str, str]) -> str:
    for path, place in places.items():
        if Path(text).is_absolute() and Path(text).is_relative_to(path):
            return str(Path(place) / Path(text).relative_to(path))
    return text
