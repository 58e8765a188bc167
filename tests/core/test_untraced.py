from service.core.delivery import Delivery, Identity
from service.core.untraced import Untraced


def test_with_tracing_off_no_object_is_made_for_a_message() -> None:
    untraced = Untraced()
    contexts = {id(untraced.processing(Delivery(b""), Identity(f"r-{n}", "c", made_up=False))) for n in range(3)}

    assert len(contexts) == 1


def test_with_tracing_off_any_number_of_messages_are_processed_at_once() -> None:
    untraced, identity = Untraced(), Identity("r", "c", made_up=False)

    with untraced.processing(Delivery(b""), identity) as one, untraced.processing(Delivery(b""), identity) as other:
        assert (one, other) == (None, None)
