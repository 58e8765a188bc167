import pytest

from service.simulator.directives import parse_script


def _could_be_accepted(step: str) -> bool:
    return parse_script(step).steps[0].reaction.could_be_accepted


@pytest.mark.parametrize(
    "step",
    [
        "200",
        "200 no-task-id",
        "html 200",
        "truncated",
        "408",
        "502",
        "504",
        "524",
        "html 500",
        "500 truncated",
        "500 code=read_response_body_failed",
        "accept-then-502",
        "half",
        "close",
        "close-before",
        "reset",
        "reset-before",
        "hang",
    ],
)
def test_a_client_must_reckon_with_a_task(step: str) -> None:
    assert _could_be_accepted(step)


@pytest.mark.parametrize(
    "step",
    [
        "429",
        "400",
        "401",
        "403 code=insufficient_user_quota",
        "500",
        "500 shape=flat",
        "503",
        "html 503",
        "521",
        "502 code=DataInspectionFailed",
        "200 code=InternalError",
        "300",
        # Accepted all the same: only the server knows.
        "accept-then-503",
    ],
)
def test_a_client_can_rule_out_a_task(step: str) -> None:
    assert not _could_be_accepted(step)
