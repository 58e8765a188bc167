import pytest

from service.core.delivery import Delivery, Identity
from service.core.identity import NO_MESSAGE_ID, identify


def _made_up() -> str:
    return "made-up"


@pytest.mark.parametrize(
    ("delivery", "identity"),
    [
        (
            Delivery(b"", message_id="m", correlation_id="c"),
            Identity("m", "c", made_up=False),
        ),
        (Delivery(b"", message_id="m"), Identity("m", "m", made_up=False)),
        (Delivery(b"", correlation_id="c"), Identity("made-up", "c", made_up=True)),
        (Delivery(b""), Identity("made-up", "made-up", made_up=True)),
        (Delivery(b"", message_id="", correlation_id=""), Identity("made-up", "made-up", made_up=True)),
        (Delivery(b"", message_id="m", headers={"x-made-up-id": True}), Identity("m", "m", made_up=True)),
        (Delivery(b"", message_id="m", headers={"x-made-up-id": "yes"}), Identity("m", "m", made_up=False)),
    ],
)
def test_ids_are_taken_from_the_message_or_made_up(delivery: Delivery, identity: Identity) -> None:
    assert identify(delivery, _made_up) == identity


def test_the_warning_says_what_to_set() -> None:
    assert "Set a message_id" in NO_MESSAGE_ID
