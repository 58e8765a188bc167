import os
from pathlib import Path

import pytest

from tests.docs.shell import shell

ENVIRONMENT = {"PATH": os.environ["PATH"]}


async def test_what_one_script_exports_and_where_it_goes_holds_for_the_next(tmp_path: Path) -> None:
    async with shell(tmp_path / "reader", tmp_path / "memory", ENVIRONMENT) as session:
        first = await session.run("mkdir inner\ncd inner\nexport COLOUR='light blue'\nhidden=1\n")
        second = await session.run('pwd\necho "$COLOUR ${hidden:-none}"\n')

    assert (first.status, second.status) == (0, 0)
    assert second.output.splitlines() == [str(tmp_path / "reader" / "inner"), "light blue none"]


async def test_a_command_that_fails_ends_the_script_with_its_status(tmp_path: Path) -> None:
    async with shell(tmp_path / "reader", tmp_path / "memory", ENVIRONMENT) as session:
        ended = await session.run("echo before\nsh -c 'exit 3'\necho after\n")
        after = await session.run("echo still here\n")

    assert (ended.status, ended.output) == (3, "before\n")
    assert after.output == "still here\n"


@pytest.mark.parametrize("script", ["sh -c 'exit 1' | cat\n", 'echo "$NOT_SET"\n'])
async def test_what_a_script_would_pass_over_ends_it_too(script: str, tmp_path: Path) -> None:
    async with shell(tmp_path / "reader", tmp_path / "memory", ENVIRONMENT) as session:
        assert (await session.run(script)).status == 1


async def test_a_program_stays_up_until_the_session_ends_and_is_interrupted_then(tmp_path: Path) -> None:
    program = "trap 'echo interrupted; exit 0' INT\necho here\nwhile true; do sleep 0.1; done\n"
    async with shell(tmp_path / "reader", tmp_path / "memory", ENVIRONMENT) as session:
        await session.run("export COLOUR=blue\n")
        await session.stay(f'echo "$COLOUR"\n{program}', "here")
        meanwhile = await session.run("echo meanwhile\n")

    assert meanwhile.output == "meanwhile\n"
    (stayed,) = session.staying
    assert await stayed.exits() == 0
    assert stayed.output == ["blue", "here", "interrupted"]


async def test_a_program_that_ends_before_it_was_there_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    async with shell(tmp_path / "reader", tmp_path / "memory", ENVIRONMENT) as session:
        with pytest.raises(AssertionError, match="no such port"):
            await session.stay("echo no such port\n", "here")
