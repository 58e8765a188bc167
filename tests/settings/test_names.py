import pytest

from service.settings.names import suggestion


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("VIDEOGEN_WORKER__CONCURENCY", "VIDEOGEN_WORKER__CONCURRENCY"),
        ("VIDEOGEN_WROKER__CONCURENCY", "VIDEOGEN_WORKER__CONCURRENCY"),
        ("VIDEOGEN_WORKER_CONCURRENCY", "VIDEOGEN_WORKER__CONCURRENCY"),
        ("VIDEOGEN_CONCURRENCY", "VIDEOGEN_WORKER__CONCURRENCY"),
        ("VIDEOGEN_ENDPOINT__KEEP_ALIVE", "VIDEOGEN_ENDPOINT__KEEPALIVE"),
        ("VIDEOGEN_MODELFILE", "VIDEOGEN_MODELS_FILE"),
    ],
)
def test_group_and_key_may_each_be_misspelt(unknown: str, meant: str) -> None:
    assert suggestion(unknown) == meant


@pytest.mark.parametrize("unknown", ["VIDEOGEN_RETRY__COLOUR", "VIDEOGEN_ENDPOINT__COLOUR", "VIDEOGEN_TRACING__URL"])
def test_a_group_that_is_right_makes_no_key_look_alike(unknown: str) -> None:
    assert suggestion(unknown) is None
