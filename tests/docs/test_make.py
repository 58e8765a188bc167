"""The two commands that the README begins with."""

from tests.docs.pages import ROOT, page
from tests.docs.reader import Surroundings, reader


async def test_the_first_shows_every_reply_and_the_second_is_what_runs_this(around: Surroundings) -> None:
    (block,) = page("README.md").left_to(__file__)
    demo, everything = (line.partition("#")[0].strip() for line in block.script.splitlines())
    # It has queues of its own.
    settings = {"VIDEOGEN_TEST_AMQP_URL": around.broker_url}
    async with reader(page("README.md"), around, settings, start=ROOT) as somebody:
        ended = await somebody.shell.run(demo)

    assert demo == "make demo"
    assert ended.status == 0, ended.output
    assert "All 13 replies were as expected" in ended.output
    assert f"step {everything}\n" in (ROOT / ".ci" / "run").read_text()
