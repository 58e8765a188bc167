"""The worker's image, built by the Dockerfile."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.deploy.harness.command import ROOT, run

LOCKED_UP = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
USER = "65532"


@dataclass(frozen=True, slots=True)
class Image:
    """An image under a name of a test's own."""

    docker: str
    name: str

    @property
    def details(self) -> dict[str, Any]:
        """What the engine knows of it."""
        known: dict[str, Any] = json.loads(run(self.docker, "image", "inspect", self.name))[0]
        return known

    def run(self, *arguments: str, entrypoint: str = "videogen-worker", user: str = USER) -> str:
        """Run it once, without network and as locked up as can be, and return what it printed."""
        options = ("--rm", "--network=none", *LOCKED_UP, f"--user={user}", f"--entrypoint={entrypoint}")
        return run(self.docker, "run", *options, self.name, *arguments)


@contextmanager
def built_image(
    docker: str, context: Path = ROOT, *, target: str = "", arguments: Mapping[str, str] | None = None
) -> Iterator[Image]:
    """Build an image, and remove it afterwards. What was built stays in the builder's cache."""
    image = Image(docker, f"videogen-test-{uuid4().hex[:12]}")
    given = [f"--build-arg={name}={value}" for name, value in (arguments or {}).items()]
    run(docker, "build", "--quiet", f"--tag={image.name}", f"--target={target}", *given, context)
    try:
        yield image
    finally:
        run(docker, "image", "rm", image.name)
