"""The client runs where nothing of the worker's is installed."""

import subprocess
import sys

PROGRAM = """
import importlib.abc, sys

ALLOWED = {
    "aio_pika", "aiormq", "pamqp", "yarl", "multidict", "propcache", "idna", "exceptiongroup",
    "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection",
    "service",
}

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        root = name.partition(".")[0]
        if root in sys.stdlib_module_names or root in ALLOWED or root.startswith("_sysconfigdata"):
            return None
        raise ModuleNotFoundError(f"blocked: {name}", name=name)

sys.meta_path.insert(0, Blocker())

import asyncio
from service.client import Options, Replies, VideogenClient

async def main():
    async with VideogenClient("amqp://127.0.0.1:9/", Options(replies=Replies.DIRECT)) as client:
        assert client.pending == 0

asyncio.run(main())
print(sorted(name for name in sys.modules if name.startswith("service.")))
"""


def run() -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)


def test_the_client_needs_aio_pika_and_pydantic_alone() -> None:
    ended = run()

    assert ended.returncode == 0, ended.stderr
    assert "'service.client.client'" in ended.stdout
    assert "'service.settings'" not in ended.stdout
    assert "'service.app'" not in ended.stdout
