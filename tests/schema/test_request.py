import json
from importlib.resources import files

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from service.core.catalogue import Catalogue, Model
from service.core.delivery import Delivery
from service.core.outcome import Malformed
from service.core.reading import Readable, Reading, RequestReader
from service.core.request_body import NEGATIVE_PROMPT_LIMIT, SEED_MAX, RequestBody
from service.schema import request_schema

SILENT = Model(name="silent", aliases=("mute",), sizes=((832, 480), (480, 832)), durations=(5,), prompt_limit=4)
TALKIE = Model(name="talkie", sizes=((1920, 1080),), durations=(5, 10), audio=True)
CATALOGUE = Catalogue(models=(SILENT, TALKIE))
SCHEMA = request_schema(CATALOGUE)
VALIDATOR = Draft202012Validator(SCHEMA)
READER = RequestReader(CATALOGUE, max_bytes=1_000_000)

CAT = {"prompt": "a cat", "model": "silent"}
TALKING_CAT = {"prompt": "a cat", "model": "talkie"}

BLANKS = "".join(chr(code) for code in range(0x110000) if chr(code).isspace())
TEXTS = st.text(max_size=8) | st.text(f"{BLANKS}\u200b\ufeffx", max_size=8)
# Sizes of either model, and what only looks like one.
SIZES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from([832, 480, 1920, 1080, "0832", 100_000]),
    st.sampled_from("*xX\u00d7, "),
    st.sampled_from([832, 480, 1920, 1080, "\u0661"]),
    st.sampled_from(["", "", "", "\n", " "]),
)
URLS = st.sampled_from(
    ["https://example.org/a.mp3", "HTTP://me@[::1]:8080?a", "ftp://example.org", "http://", "a", ""]
) | (st.text("htps:/@[]?#1a. \n\\\u00e4", max_size=12).map("http://{}".format))
NUMBERS = (
    st.sampled_from([-1, 0, 5, 5.0, 10, 10.5, SEED_MAX, SEED_MAX + 1, 10**30]) | st.integers() | st.floats(-1e9, 1e9)
)
ANYTHING = st.none() | st.booleans() | NUMBERS | TEXTS | st.lists(st.integers(), max_size=2)
FITTING: dict[str, st.SearchStrategy[object]] = {
    "model": st.sampled_from(["silent", "mute", "talkie", "sora", "Silent", "silent\n"]),
    "prompt": TEXTS,
    "duration": NUMBERS,
    "size": SIZES,
    "watermark": st.booleans(),
    "template": TEXTS,
    "negative_prompt": TEXTS | st.just("x" * (NEGATIVE_PROMPT_LIMIT + 1)),
    "prompt_extend": st.booleans(),
    "seed": NUMBERS,
    "audio_url": URLS,
}


def good_for(model: Model) -> st.SearchStrategy[dict[str, object]]:
    """Bodies whose every field the model takes, but for a blank prompt."""
    spellings = [f"{width}{separator}{height}" for width, height in model.sizes for separator in "*xX\u00d7"]
    return st.fixed_dictionaries(
        {"model": st.sampled_from([model.name, *model.aliases]), "prompt": st.just("a cat") | TEXTS},
        optional={
            "duration": st.sampled_from([*model.durations, None]),
            "size": st.sampled_from([*spellings, None]),
            "watermark": st.booleans() | st.none(),
            "template": TEXTS,
            "seed": st.integers(0, SEED_MAX) | st.none(),
            **({"audio_url": st.just("https://example.org/a.mp3")} if model.audio else {}),
        },
    )


def with_one_odd_field(base: dict[str, object]) -> st.SearchStrategy[dict[str, object]]:
    fields = st.sampled_from(sorted(FITTING))
    return fields.flatmap(lambda name: (FITTING[name] | ANYTHING).map(lambda value: {**base, name: value}))


MOSTLY_GOOD = good_for(SILENT) | good_for(TALKIE)
BODIES = (
    MOSTLY_GOOD
    | MOSTLY_GOOD.flatmap(with_one_odd_field)
    | st.dictionaries(st.sampled_from([*sorted(FITTING), "fps"]), ANYTHING)
    | ANYTHING
)


def read(text: str) -> Reading:
    return READER.read(Delivery(text.encode("utf-8", "surrogatepass")))


def is_known_difference(body: object, reading: Reading) -> bool:
    """Whether the worker refuses for nothing but what JSON Schema cannot say, as the schema's description tells."""
    assert not isinstance(reading, Readable)
    if isinstance(reading.outcome, Malformed):
        return isinstance(body, dict)
    assert isinstance(body, dict)
    wrong = {problem.field for problem in reading.outcome.problems}
    return all(isinstance(body.get(name), float) for name in wrong & {"duration", "seed"}) and wrong <= {
        "duration",
        "seed",
        "audio_url",
    }


@given(BODIES)
@example({**TALKING_CAT, "duration": 10, "size": "1920\u00d71080", "audio_url": "HTTP://[::1]:8080", "seed": 0})
@example({**CAT, "seed": 5.0})
@example({**CAT, "prompt": "    x"})
@example({**CAT, "prompt": "   x"})
@example({**CAT, "prompt": "\ud83d"})
@example({**CAT, "prompt": "\x1f\x85\ufeff"})
@example({**TALKING_CAT, "audio_url": "http://a:99999"})
@example({**TALKING_CAT, "size": "1920x1080\n"})
def test_the_schema_and_the_worker_say_the_same_of_any_body(body: object) -> None:
    text = json.dumps(body)
    reading = read(text)
    passes = VALIDATOR.is_valid(json.loads(text))

    if isinstance(reading, Readable):
        assert passes
    elif passes:
        assert is_known_difference(body, reading)


@pytest.mark.parametrize("difference", [{"seed": 5.0}, {"duration": 5.0}, {"prompt": "\ud83d"}])
def test_the_known_differences_are_there_still(difference: dict[str, object]) -> None:
    text = json.dumps({**CAT, **difference})

    assert VALIDATOR.is_valid(json.loads(text))
    assert not isinstance(read(text), Readable)


@pytest.mark.parametrize("url", ["http://a:99999", "http://[::1", "http://a/\u200b"])
def test_urls_that_a_pattern_cannot_judge_pass_the_schema_alone(url: str) -> None:
    body = {**TALKING_CAT, "audio_url": url}

    assert VALIDATOR.is_valid(body)
    assert not isinstance(read(json.dumps(body)), Readable)


@pytest.mark.parametrize(
    "url", ["", "example.org/a", "ftp://a/b", "http://", "http:///a", "http://:80/a", "http://u@/a"]
)
def test_urls_that_are_plainly_wrong_are_refused_by_the_schema(url: str) -> None:
    assert not VALIDATOR.is_valid({**TALKING_CAT, "audio_url": url})


def test_every_known_difference_is_in_the_description() -> None:
    for word in ("5.0", "surrogate", "stands twice", "too large", "compressed", "NaN", "audio_url", "cuts"):
        assert word in SCHEMA["description"]


@pytest.mark.parametrize("size", ["832*480", "832x480", "832X480", "832\u00d7480"])
def test_each_spelling_of_a_size_passes(size: str) -> None:
    assert VALIDATOR.is_valid({**CAT, "size": size})


def test_a_size_of_another_model_is_refused() -> None:
    assert not VALIDATOR.is_valid({**CAT, "size": "1920*1080"})


def test_audio_is_for_models_with_audio_alone() -> None:
    assert VALIDATOR.is_valid({**TALKING_CAT, "audio_url": "https://example.org/a.mp3"})
    assert not VALIDATOR.is_valid({**CAT, "audio_url": "https://example.org/a.mp3"})
    assert VALIDATOR.is_valid({**CAT, "audio_url": None})


def test_every_field_of_the_worker_is_described() -> None:
    described = {name for name, field in SCHEMA["properties"].items() if field["description"]}

    assert described == set(RequestBody.model_fields)


def test_what_cannot_be_spelled_is_no_size() -> None:
    huge = Model(name="huge", sizes=((100_000, 5), (5, 5)), durations=(5,))

    schema = request_schema(Catalogue(models=(huge,)))

    assert schema["allOf"][0]["then"]["properties"]["size"]["enum"] == ["5*5", "5x5", "5X5", "5\u00d75", None]


def test_the_example_passes_the_schema_and_the_worker() -> None:
    shipped = Catalogue.model_validate_json((files("service") / "data/models.json").read_bytes(), strict=True)
    schema = request_schema(shipped)
    (body,) = schema["examples"]

    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid(body)
    reading = RequestReader(shipped, 10_000).read(Delivery(json.dumps(body).encode()))
    assert isinstance(reading, Readable)
    assert reading.warnings == ()
