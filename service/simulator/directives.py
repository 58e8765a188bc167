"""Reads the fault directive of a prompt: `[sim: 503 x2 then 200]` (docs/simulator.md lists the words)."""

import re
from difflib import get_close_matches
from typing import Any

from service.simulator.fate import USUAL_REASON, TaskEnd
from service.simulator.reaction import SILENT_ENDINGS, Content, DateIn, Ending, Reaction, Shape
from service.simulator.script import Script, Step

# Every "[sim" counts as an attempt, so that a typo such as "[sim 429]" cannot pass as plain prompt text.
_ATTEMPT = re.compile(r"\[\s*sim\b", re.IGNORECASE)
_DIRECTIVE = re.compile(r"\[\s*sim\s*:((?:\"[^\"]*\"|[^\]\"])*)\]", re.IGNORECASE)
_WORD = re.compile(r"\s*(,|(?:\"[^\"]*\"|[^\s,\"])+)")
_STATUS = re.compile(r"[2-5]\d\d")
_COUNT = re.compile(r"x([1-9]\d*)")
_ACCEPT_THEN = re.compile(r"accept-then-([2-5]\d\d)")
_DATE_IN = re.compile(r"date([+-]\d{1,9}(?:\.\d+)?)")
_SECONDS = re.compile(r"\d+(?:\.\d+)?")

_PLAIN_WORDS: dict[str, dict[str, Any]] = {
    "hold": {"hold": True},
    "hang": {"hang": True},
    "task-fails": {"task_end": TaskEnd.FAILS, "fail_reason": USUAL_REASON},
    "task-stuck": {"task_end": TaskEnd.STUCK},
    "task-missing": {"task_end": TaskEnd.MISSING},
    **{str(ending): {"ending": ending} for ending in Ending if ending is not Ending.WHOLE},
    **{str(content): {"content": content} for content in Content if content is not Content.JSON},
}
_OPTIONS = (
    *("status", "code", "message", "shape", "retry-after", "retry-after-ms", "latency", "task-id-under"),
    *("task-fails", "task-seconds"),
)
_OF_THE_TASK = frozenset({"task_end", "task_seconds", "fail_reason"})


class DirectiveError(ValueError):
    """A directive that cannot be understood; the text names the mistake."""


def parse_prompt(prompt: str) -> Script | None:
    """Find and read the directive of a prompt; None where there is none.

    Raises:
        DirectiveError: the directive is broken, or there are two.
    """
    attempts = len(_ATTEMPT.findall(prompt))
    if attempts == 0:
        return None
    found = _DIRECTIVE.search(prompt)
    if found is None:
        raise DirectiveError('a directive must look like "[sim: 429 x2]", with a colon and a closing bracket')
    if attempts > 1:
        raise DirectiveError("a prompt takes one directive; join steps with `then`")
    return parse_script(found[1])


def parse_script(text: str) -> Script:
    """Read the inside of a directive: steps that are joined by a comma or by `then`.

    Raises:
        DirectiveError: a word is unknown, misplaced or contradicts another one.
    """
    steps: list[list[str]] = [[]]
    for word in _words(text):
        if word == "," or word.lower() == "then":
            steps.append([])
        else:
            steps[-1].append(word)
    if not all(steps):
        raise DirectiveError("a step is empty; write at least one word in each, for instance `200`")
    return Script(tuple(_step(words) for words in steps))


def _words(text: str) -> list[str]:
    words: list[str] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            raise DirectiveError(f"a quotation mark is not closed in {text!r}")
        words.append(match[1])
        position = match.end()
    return words


def _step(words: list[str]) -> Step:
    times: int | None = None
    fields: dict[str, Any] = {}
    for word in words:
        if count := _COUNT.fullmatch(word):
            if times is not None:
                raise DirectiveError(f"a step takes one count; {word!r} is the second")
            times = int(count[1])
            continue
        meaning = _meaning(word)
        if twice := fields.keys() & meaning.keys():
            raise DirectiveError(f"{word!r} sets the {min(twice)} a second time; separate steps with `then`")
        fields |= meaning
    reaction = Reaction(**fields)
    _refuse_contradiction(reaction, fields)
    return Step(reaction, times)


def _meaning(word: str) -> dict[str, Any]:
    if _STATUS.fullmatch(word):
        return {"status": int(word)}
    if accepted := _ACCEPT_THEN.fullmatch(word):
        return {"status": int(accepted[1]), "charged": True}
    if word in _PLAIN_WORDS:
        return _PLAIN_WORDS[word]
    name, equals, value = word.partition("=")
    if equals and name in _OPTIONS:
        return _option(name, value.replace('"', ""))
    raise DirectiveError(_unknown(name if equals else word))


def _option(name: str, value: str) -> dict[str, Any]:
    match name:
        case "status" if _STATUS.fullmatch(value):
            return {"status": int(value)}
        case "shape" if value in set(Shape):
            return {"shape": Shape(value)}
        case "latency" | "task-seconds" if _SECONDS.fullmatch(value):
            return {name.replace("-", "_"): float(value)}
        case "task-fails":
            return {"task_end": TaskEnd.FAILS, "fail_reason": value}
        case "retry-after" if ahead := _DATE_IN.fullmatch(value):
            return {"retry_after": DateIn(float(ahead[1]))}
        case "task-id-under" if value in {"data", "output"}:
            return {"task_id_under": value}
        case "code" | "message":
            return {name: value}
        case "retry-after" | "retry-after-ms" if value and value.isprintable():
            return {name.replace("-", "_"): value}
        case _:
            raise DirectiveError(f"{name}={value} is not possible; {_EXPECTED[name]}")


_EXPECTED = {
    "status": "a status has three digits, 200 to 599",
    "shape": f"shape is one of {', '.join(Shape)}",
    "latency": "latency is seconds, for instance 2.5",
    "task-seconds": "task-seconds is seconds, for instance 2.5",
    "retry-after": 'quote a text with blanks in "", or write date+5 for an HTTP date in 5 seconds',
    "retry-after-ms": "it is sent word for word, for instance 1500",
    "task-id-under": "task-id-under is data or output",
}


def _unknown(word: str) -> str:
    known = [*_PLAIN_WORDS, *(f"{option}=" for option in _OPTIONS), "accept-then-502", "then"]
    close = get_close_matches(word, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "a status (200 to 599), x2, or one of " + ", ".join(known)
    return f"the word {word!r} is not known; {hint}"


def _refuse_contradiction(reaction: Reaction, fields: dict[str, Any]) -> None:
    about_answer = fields.keys() - {"ending", "latency", "hold"} - _OF_THE_TASK
    if reaction.tells_of_a_task and not reaction.accepts:
        raise DirectiveError("a step that accepts nothing makes no task, so it takes nothing about one")
    if reaction.task_end is TaskEnd.STUCK and reaction.task_seconds is not None:
        raise DirectiveError("a task that is stuck never ends, so it takes no task-seconds")
    if reaction.hang and fields.keys() - {"hang", "latency", "hold"} - _OF_THE_TASK:
        raise DirectiveError("hang never answers, so it takes nothing about the answer")
    if reaction.ending in SILENT_ENDINGS and about_answer:
        raise DirectiveError(f"{reaction.ending} gives no answer, so it takes no {min(about_answer)}")
    if reaction.content is Content.HTML and fields.keys() & {"code", "message", "shape", "task_id_under"}:
        raise DirectiveError("an html page carries no code, message, shape or task id")
    if reaction.content is Content.HTML and "status" not in fields:
        raise DirectiveError("html needs a status, for instance `html 502`")
    if reaction.is_error and (reaction.content is Content.NO_TASK_ID or reaction.task_id_under):
        raise DirectiveError("an error carries no task id; no-task-id and task-id-under go with a 2xx")
