import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.catalogue import Catalogue, Model
from service.core.contract import VideoRequest
from service.core.delivery import Delivery
from service.core.reading import Readable, RequestReader

CATALOGUE = Catalogue(models=(Model(name="talkie", sizes=((832, 480), (480, 832)), durations=(5, 10), audio=True),))


def optional(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | values


REQUESTS = st.builds(
    VideoRequest,
    prompt=st.text(st.characters(codec="utf-8"), min_size=1, max_size=50).filter(lambda text: text.strip()),
    model=st.just("talkie"),
    duration=optional(st.sampled_from([5, 10])),
    size=optional(st.sampled_from([(832, 480), (480, 832)])),
    watermark=optional(st.booleans()),
    template=optional(st.text(st.characters(codec="utf-8"), max_size=20)),
    negative_prompt=optional(st.text(st.characters(codec="utf-8"), max_size=20)),
    prompt_extend=optional(st.booleans()),
    seed=optional(st.integers(0, 2**31 - 1)),
    audio_url=optional(st.just("https://example.org/voice.wav")),
)


def test_unset_fields_are_left_out_of_the_body() -> None:
    assert VideoRequest(prompt="a cat", model="talkie").payload() == {"prompt": "a cat", "model": "talkie"}


def test_false_zero_and_the_empty_text_are_sent() -> None:
    request = VideoRequest(prompt="a cat", model="talkie", watermark=False, prompt_extend=False, seed=0, template="")

    body = request.payload()

    assert {"watermark": False, "prompt_extend": False, "seed": 0, "template": ""}.items() <= body.items()


@pytest.mark.parametrize(("separator", "size"), [("*", "832*480"), ("x", "832x480")])
def test_the_size_is_written_with_the_separator(separator: str, size: str) -> None:
    request = VideoRequest(prompt="a cat", model="talkie", size=(832, 480))

    assert request.payload(separator)["size"] == size


@given(REQUESTS, st.sampled_from("*xX\u00d7"))
def test_a_body_that_is_sent_reads_back_as_the_same_request(request: VideoRequest, separator: str) -> None:
    body = json.dumps(request.payload(separator)).encode()

    reading = RequestReader(CATALOGUE, max_bytes=262_144).read(Delivery(body))

    assert reading == Readable(request, warnings=(), deadline=None)
