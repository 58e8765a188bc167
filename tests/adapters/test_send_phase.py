import pytest

from service.adapters.send_phase import Phase, SendPhase


def test_a_request_starts_in_the_queue() -> None:
    assert SendPhase().phase is Phase.QUEUED


@pytest.mark.parametrize("later", Phase)
@pytest.mark.parametrize("earlier", Phase)
def test_a_request_never_gets_back_to_an_earlier_phase(earlier: Phase, later: Phase) -> None:
    sent = SendPhase()
    sent.reached(earlier)
    sent.reached(later)
    assert sent.phase is max(earlier, later)
