import pytest

from service.simulator.directives import DirectiveError, parse_prompt
from service.simulator.fate import USUAL_REASON, TaskEnd
from service.simulator.reaction import Content, DateIn, Ending, Reaction, Shape
from service.simulator.script import Script, Step


def test_a_prompt_without_a_directive_has_no_script() -> None:
    assert parse_prompt("a simple [cat] on a simulator") is None


@pytest.mark.parametrize(
    ("words", "reaction"),
    [
        ("200", Reaction()),
        ("429", Reaction(429)),
        ("status=429", Reaction(429)),
        ("429 retry-after=1.5", Reaction(429, retry_after="1.5")),
        (
            '429 retry-after="Thu, 01 Jan 1970 00:00:00 GMT"',
            Reaction(429, retry_after="Thu, 01 Jan 1970 00:00:00 GMT"),
        ),
        ("429 retry-after=date+5", Reaction(429, retry_after=DateIn(5))),
        ("429 retry-after=date-0.5", Reaction(429, retry_after=DateIn(-0.5))),
        ("429 retry-after-ms=1500", Reaction(429, retry_after_ms="1500")),
        ("400 code=DataInspectionFailed", Reaction(400, code="DataInspectionFailed")),
        ("code=Arrearage status=400", Reaction(400, code="Arrearage")),
        ("403 code=", Reaction(403, code="")),
        (
            '429 message="Free allocated quota exceeded"',
            Reaction(429, message="Free allocated quota exceeded"),
        ),
        ('400 message="a ] and a , inside"', Reaction(400, message="a ] and a , inside")),
        ("500 shape=flat", Reaction(500, shape=Shape.FLAT)),
        ("latency=2.5", Reaction(latency=2.5)),
        ("hold", Reaction(hold=True)),
        ("hang", Reaction(hang=True)),
        ("reset", Reaction(ending=Ending.RESET)),
        ("reset-before", Reaction(ending=Ending.RESET_BEFORE)),
        ("close", Reaction(ending=Ending.CLOSE)),
        ("half", Reaction(ending=Ending.HALF)),
        ("html 502", Reaction(502, content=Content.HTML)),
        ("200 no-task-id", Reaction(content=Content.NO_TASK_ID)),
        ("truncated", Reaction(content=Content.TRUNCATED)),
        ("big", Reaction(content=Content.BIG)),
        ("accept-then-502", Reaction(502, charged=True)),
        ("task-id-under=output", Reaction(task_id_under="output")),
        ("task-fails", Reaction(task_end=TaskEnd.FAILS, fail_reason=USUAL_REASON)),
        ('task-fails="no good"', Reaction(task_end=TaskEnd.FAILS, fail_reason="no good")),
        ("task-stuck", Reaction(task_end=TaskEnd.STUCK)),
        ("task-missing", Reaction(task_end=TaskEnd.MISSING)),
        ("task-seconds=2.5", Reaction(task_seconds=2.5)),
        ("hang task-seconds=0", Reaction(hang=True, task_seconds=0)),
        ("reset task-stuck", Reaction(ending=Ending.RESET, task_end=TaskEnd.STUCK)),
        ("hold latency=1 reset", Reaction(hold=True, latency=1, ending=Ending.RESET)),
    ],
)
def test_the_words_of_a_step_make_a_reaction(words: str, reaction: Reaction) -> None:
    assert parse_prompt(f"a cat [sim: {words}]") == Script((Step(reaction),))


@pytest.mark.parametrize("joint", [" then ", ", ", ",", " THEN "])
def test_steps_are_joined_by_then_or_by_a_comma(joint: str) -> None:
    expected = Script((Step(Reaction(503), times=2), Step(Reaction(429)), Step(Reaction())))
    assert parse_prompt(f"[sim: 503 x2{joint}429{joint}200]") == expected


def test_the_name_of_the_directive_is_read_in_any_case_and_with_blanks() -> None:
    assert parse_prompt("[ SIM :401 ] a cat") == Script((Step(Reaction(401)),))


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ("[sim 429]", "must look like"),
        ("[sim: 429", "must look like"),
        ("a cat [sim]", "must look like"),
        ("[sim: 429] [sim: 503]", "one directive"),
        ("[sim: 429] [sim 503]", "one directive"),
        ("[sim: ]", "step is empty"),
        ("[sim: 503 x2 then]", "step is empty"),
        ("[sim: 503,,200]", "step is empty"),
        ("[sim: 4290]", "'4290' is not known"),
        ("[sim: 199]", "'199' is not known"),
        ("[sim: 429 x0]", "'x0' is not known"),
        ("[sim: hnag]", "did you mean 'hang'"),
        ("[sim: retry_after=1]", "did you mean 'retry-after='"),
        ("[sim: latency=soon]", "latency is seconds"),
        ("[sim: status=42]", "three digits"),
        ("[sim: 500 shape=round]", "nested, flat, vendor, embedded"),
        ("[sim: task-id-under=tail]", "data or output"),
        ('[sim: 400 message="open]', "must look like"),
        ("[sim: 429 503]", "status a second time"),
        ("[sim: reset close]", "ending a second time"),
        ("[sim: 429 x2 x3]", "one count"),
        ("[sim: reset 500]", "gives no answer"),
        ("[sim: hang 500]", "never answers"),
        ("[sim: hang reset]", "never answers"),
        ("[sim: html]", "needs a status"),
        ("[sim: 503 task-fails]", "accepts nothing"),
        ("[sim: reset-before task-seconds=1]", "accepts nothing"),
        ("[sim: task-stuck task-seconds=1]", "never ends"),
        ("[sim: task-fails task-stuck]", "task_end a second time"),
        ("[sim: task-seconds=soon]", "task-seconds is seconds"),
        ("[sim: html 502 code=X]", "html page"),
        ("[sim: 500 no-task-id]", "no task id"),
        ("[sim: 500 task-id-under=data]", "no task id"),
        ('[sim: 429 retry-after="1\r\nX: y"]', "HTTP date"),
    ],
)
def test_a_mistake_is_named(prompt: str, problem: str) -> None:
    with pytest.raises(DirectiveError, match=problem):
        parse_prompt(prompt)
