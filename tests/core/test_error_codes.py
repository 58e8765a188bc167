import pytest

from service.core.error_codes import Meaning, code_meaning, phrase_meaning

# Every code of the endpoint facts, in the case in which it was seen.
SEEN = {
    Meaning.BLOCKED: (
        "insufficient_user_quota pre_consume_token_quota_failed Arrearage PrepaidBillOverdue PostpaidBillOverdue "
        "CommodityNotPurchased AllocationQuota.FreeTierOnly insufficient_quota"
    ),
    Meaning.FORBIDDEN: "AccessDenied AccessDenied.Unpurchased Model.AccessDenied Workspace.AccessDenied",
    Meaning.FOR_GOOD: (
        "InvalidParameter InvalidParameter.Size InvalidURL BadRequest.TooLarge invalid_request_error ModelNotFound "
        "model_not_found DataInspectionFailed data_inspection_failed IPInfringementSuspect build_request_failed"
    ),
    Meaning.THROTTLED: "Throttling Throttling.RateQuota Throttling.AllocationQuota limit_requests",
    Meaning.FOR_NOW: (
        "do_request_failed InternalError InternalError.Algo SystemError ModelServingError ModelUnavailable"
    ),
    Meaning.UNCERTAIN: ("read_response_body_failed unmarshal_response_body_failed invalid_response RequestTimeOut"),
}
ROWS = [(code, meaning) for meaning, codes in SEEN.items() for code in codes.split()]


@pytest.mark.parametrize(("code", "meaning"), ROWS)
def test_every_code_that_was_seen_has_its_meaning_in_any_case(code: str, meaning: Meaning) -> None:
    for written in (code, code.lower(), code.upper()):
        assert code_meaning(written, "") is meaning


@pytest.mark.parametrize("code", ["", "new_code", "xThrottling", "Arrearage2", "BadRequest", "throttle", "*"])
def test_an_unknown_code_has_no_meaning(code: str) -> None:
    assert code_meaning(code, "") is None


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("Rate limit: 60 requests per minute", Meaning.THROTTLED),
        ("You exceeded the tokens per minute of your plan", Meaning.THROTTLED),
        ("limit of tokens/min reached", Meaning.THROTTLED),
        ("TPM limit reached", Meaning.THROTTLED),
        ("You exceeded your current quota, please check your plan and billing details", Meaning.BLOCKED),
        ("no requests left", Meaning.BLOCKED),
        ("", Meaning.BLOCKED),
    ],
)
def test_insufficient_quota_is_a_rate_only_where_the_message_says_so(message: str, meaning: Meaning) -> None:
    assert code_meaning("insufficient_quota", message) is meaning


def test_other_quota_codes_ignore_the_message() -> None:
    assert code_meaning("insufficient_user_quota", "requests per minute") is Meaning.BLOCKED


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("Free allocated quota exceeded.", Meaning.BLOCKED),
        ("Invalid size: 1*1", Meaning.FOR_GOOD),
        ("all is well", None),
    ],
)
def test_some_phrases_have_a_meaning(message: str, meaning: Meaning | None) -> None:
    assert phrase_meaning(message) is meaning
