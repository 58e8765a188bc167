import json
import re
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from service.adapters.version import installed_version
from tests.deploy.harness.command import ROOT, attempt, run, tool
from tests.deploy.harness.image import LOCKED_UP, USER, Image, built_image
from tests.deploy.harness.page import typed
from tests.deploy.harness.stack import Stack, running_stack
from tests.docs.pages import Block, page

# Images may have to be fetched and built first.
pytestmark = pytest.mark.timeout(600)

REVISION = "4ac77f8b2e"
SOURCE_URL = "https://git.example.com/videogen-worker"
MEGABYTE = 1_000_000

# Runs in the image as root, who sees everything. Nothing is what it should find.
SEARCH = """
import json, os, shutil, stat
from importlib.util import MAGIC_NUMBER, cache_from_source

def files(*folders):
    for folder in folders:
        for path, _, names in os.walk(folder):
            yield from (os.path.join(path, name) for name in names)

def has_bytecode(source):
    try:
        with open(cache_from_source(source), "rb") as compiled:
            head = compiled.read(16)
    except FileNotFoundError:
        return False
    return head[:4] == MAGIC_NUMBER and int.from_bytes(head[8:12], "little") == int(os.stat(source).st_mtime)

def may_be_changed(status):
    return not stat.S_ISLNK(status.st_mode) and (status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))

caches = ("/root/.cache", "/.cache", "/tmp", "/tools", "/build", "/dist", "/source")
installers = {"pip", "uv", "uvx", "hatchling", "setuptools", "wheel"}
print(json.dumps({
    "tools": [name for name in ("gcc", "cc", "c++", "make", "uv", "cargo", "git") if shutil.which(name)],
    "installers": [file for file in files("/app") if installers & set(file.split("/"))],
    "leftovers": [*files(*caches), *(file for file in files("/app") if file.endswith((".whl", ".tar.gz")))],
    "writable": [file for file in files("/app") if may_be_changed(os.lstat(file))],
    "without bytecode": [file for file in files("/app/lib") if file.endswith(".py") and not has_bytecode(file)],
}))
"""


@pytest.fixture(scope="module")
def image(docker: str) -> Iterator[Image]:
    with built_image(docker, arguments={"REVISION": REVISION, "SOURCE_URL": SOURCE_URL}) as image:
        yield image


def test_the_dockerfile_passes_hadolint() -> None:
    assert run(tool("hadolint"), "--failure-threshold", "style", ROOT / "Dockerfile") == ""


def test_a_page_builds_it_for_a_cluster(docker: str) -> None:
    (block,) = page("deploy/kubernetes/README.md").left_to(__file__)
    shown, name = "videogen-worker:0.1.0", f"videogen-worker-test:{uuid4().hex[:12]}"
    assert shown == f"videogen-worker:{installed_version()}"
    try:
        typed(block, {}, {shown: name})
        assert run(docker, "run", "--rm", name, "--version").startswith(f"videogen-worker {installed_version()} ")
    finally:
        attempt(docker, "image", "rm", "--force", name)


def test_the_labels_say_what_it_is(image: Image) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert image.details["Config"]["Labels"] == {
        "org.opencontainers.image.title": project["name"],
        "org.opencontainers.image.description": project["description"],
        "org.opencontainers.image.licenses": project["license"],
        "org.opencontainers.image.version": project["version"],
        "org.opencontainers.image.revision": REVISION,
        "org.opencontainers.image.source": SOURCE_URL,
        "org.opencontainers.image.base.name": "docker.io/library/python:3.13-slim",
    }


def test_it_shows_its_version_and_revision(image: Image) -> None:
    assert image.run("--version") == f"videogen-worker {installed_version()} (revision {REVISION})\n"


def test_a_build_that_is_told_no_revision_says_so(docker: str) -> None:
    with built_image(docker) as image:
        assert image.run("--version") == f"videogen-worker {installed_version()} (revision unknown)\n"
        assert image.details["Config"]["Labels"]["org.opencontainers.image.revision"] == "unknown"


def test_it_runs_as_a_number_and_gets_signals_itself(image: Image) -> None:
    configured = image.details["Config"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", configured["User"])
    # No shell in front, which would keep SIGTERM to itself.
    assert (configured["Entrypoint"], configured["Cmd"]) == (["videogen-worker"], ["run"])
    # Probes are for HTTP: whoever runs it asks /livez and /readyz.
    assert "Healthcheck" not in configured
    assert not [name for name in configured["Env"] if name.startswith("VIDEOGEN_")]


def test_it_adds_at_most_120_mb_to_its_base(image: Image, docker: str) -> None:
    with built_image(docker, target="base") as base:
        assert (
            image.details["RootFS"]["Layers"][: len(base.details["RootFS"]["Layers"])]
            == (base.details["RootFS"]["Layers"])
        )
        added = image.details["Size"] - base.details["Size"]
    assert 10 * MEGABYTE < added <= 120 * MEGABYTE


def test_it_holds_nothing_that_the_build_needed_and_nothing_that_it_may_change(image: Image) -> None:
    found = json.loads(image.run("-c", SEARCH, entrypoint="python", user="0"))
    assert found == {"tools": [], "installers": [], "leftovers": [], "writable": [], "without bytecode": []}


def test_a_change_of_the_code_changes_one_small_layer(image: Image, docker: str, tmp_path: Path) -> None:
    for name in ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "service", tmp_path / "service")
    with (tmp_path / "service" / "app.py").open("a") as changed:
        changed.write("# changed\n")

    with built_image(docker, tmp_path, arguments={"REVISION": REVISION, "SOURCE_URL": SOURCE_URL}) as other:
        before, after = image.details["RootFS"]["Layers"], other.details["RootFS"]["Layers"]
        assert (before[:-1], before[-1] == after[-1]) == (after[:-1], False)
        sizes = run(docker, "history", "--human=false", "--format={{.Size}}", other.name).split()
    # The newest is first; labels and variables have no size.
    assert 0 < next(int(size) for size in sizes if size != "0") < 5 * MEGABYTE


def test_the_commands_of_the_page_build_it_and_show_its_version(docker: str) -> None:
    build, _ = page("deploy/README.md").left_to(__file__)
    name = f"videogen-test-{uuid4().hex[:12]}"
    try:
        typed(build, {}, {"-t videogen-worker": f"-t {name}", "--rm videogen-worker": f"--rm {name}"})
    finally:
        run(docker, "image", "rm", name)


@contextmanager
def locked_up_worker(stack: Stack, block: Block, folder: Path) -> Iterator[str]:
    """A worker started by the `docker run` of a page; its SQLite ledger is on a volume."""
    settings = {
        "VIDEOGEN_BROKER__URL": "amqp://guest:guest@rabbitmq:5672/",
        "VIDEOGEN_ENDPOINT__BASE_URL": "http://simulator:9090",
        "VIDEOGEN_ENDPOINT__API_KEY": "any-key-will-do",
    }
    name = f"{stack.project}-alone"
    variables = folder / "worker.env"
    variables.write_text("".join(f"{variable}={value}\n" for variable, value in settings.items()))
    here = {
        "docker run": f"docker run --detach --name={name} --user={USER} --network={stack.project}_default",
        "source=ledger": f"source={name}",
        "worker.env videogen-worker": f"{variables} {stack.image}",
    }
    typed(block, {}, here)
    try:
        yield name
    finally:
        run(stack.docker, "rm", "--force", name)
        run(stack.docker, "volume", "rm", name)


def test_locked_up_it_answers_100_of_100_and_stops_cleanly(docker: str, tmp_path: Path) -> None:
    overrides = tmp_path / "overrides.yml"
    overrides.write_text("{}\n")
    _, locked_up = page("deploy/README.md").left_to(__file__)
    (short,) = page("README.md").left_to(__file__)
    assert set(LOCKED_UP) <= set(re.sub(r"(--[a-z-]+) (?=[^-])", r"\1=", locked_up.script).split())
    with running_stack(docker, overrides, "rabbitmq", "simulator") as stack:
        for block in (locked_up, short):
            stack.forget()
            it_answers_100_of_100_and_stops_cleanly(stack, block, tmp_path)


def it_answers_100_of_100_and_stops_cleanly(stack: Stack, block: Block, folder: Path) -> None:
    with locked_up_worker(stack, block, folder) as worker, stack.smoke() as smoke:
        verdict = smoke.ends()
        assert verdict.status == 0, verdict
        assert verdict.said.startswith("100 of 100 results: 100 submitted with 100 different task ids")
        assert stack.record()["requests"] == {
            "seen": 100,
            "accepted": 100,
            "accepted_more_than_once": 0,
            "called_again": 0,
        }

        # As long as the page allows it.
        run(stack.docker, "stop", worker)
        ended = json.loads(run(stack.docker, "inspect", worker))[0]["State"]
        assert (ended["ExitCode"], ended["OOMKilled"]) == (0, False)
