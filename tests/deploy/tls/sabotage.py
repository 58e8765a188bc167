"""Defects, put into a process from outside by its environment: a call and a background task that fail with secrets.

Written as `sitecustomize`, which Python imports before anything else.
"""

from pathlib import Path

TEXT = "VIDEOGEN_TEST_SABOTAGE"
"""The variable that holds the words of the exceptions."""

CRASH = "crash-now"
"""The file in the working folder that lets the background task fail."""

_SITECUSTOMIZE = f"""
import asyncio, os, pathlib
import service.adapters.loop_lag as loop_lag
import service.core.paid_call as paid_call

text = os.environ["{TEXT}"]
make = paid_call.PaidCall.make


async def failing_make(self, call, *arguments, **options):
    if "defect" in call.request.prompt:
        raise RuntimeError(text) from ValueError(text)
    return await make(self, call, *arguments, **options)


async def failing_watch(*_):
    while not pathlib.Path("{CRASH}").exists():
        await asyncio.sleep(0.05)
    asyncio.get_running_loop().call_exception_handler({{"message": text, "exception": RuntimeError(text)}})
    raise RuntimeError(text)


paid_call.PaidCall.make = failing_make
loop_lag.watch_loop_lag = failing_watch
"""


def sabotaged(folder: Path, text: str) -> dict[str, str]:
    """Give the environment of a process that fails with `text` where it is told to."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
    return {"PYTHONPATH": str(folder), TEXT: text}
