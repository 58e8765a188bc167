"""A block of commands of a page, typed at the root of the repository."""

from collections.abc import Mapping

from tests.deploy.harness.command import attempt
from tests.docs.pages import Block
from tests.docs.reader import missing
from tests.docs.shell import Ended


def typed(
    block: Block, environment: Mapping[str, str], differences: Mapping[str, str] | None = None, *, first: str = ""
) -> str:
    """Run the block in one shell, after `first`, and return what it printed.

    `differences` are what must be typed here in place of what the page shows. It must end with 0, and print what the
    page shows.
    """
    script = block.script
    for shown, here in (differences or {}).items():
        assert shown in script, f"{shown} is not shown any more; correct the test"
        script = script.replace(shown, here)
    done = attempt("bash", "-euo", "pipefail", "-c", f"{first}\n{script}", environment=environment)
    ended = Ended(done.returncode, done.stdout)
    assert ended.status == 0, f"{script} ended with {ended.status}:\n{ended.output}{done.stderr}"
    assert missing(block.printed, ended) == [], f"{script} did not print all that is shown, but\n{ended.output}"
    return ended.output
