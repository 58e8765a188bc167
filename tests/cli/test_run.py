from pathlib import Path

import pytest

from tests.support.environment import environment
from tests.support.process import process


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VIDEOGEN_BROKER__CA_FILE", str(Path(__file__))),
        ("VIDEOGEN_ENDPOINT__CA_FILE", str(Path(__file__))),
        ("VIDEOGEN_ENDPOINT__BASE_URL", "http://exämple..com"),
        ("VIDEOGEN_ENDPOINT__BASE_URL", "https://☃.example"),
        ("SSL_CERT_FILE", "/nope"),
        ("HTTPS_PROXY", "foo://bar"),
    ],
)
async def test_what_can_never_work_ends_with_status_2_and_its_name_and_no_traceback(
    name: str, value: str, prefix: str
) -> None:
    settings = environment("amqps://127.0.0.1:9/", prefix, "https://127.0.0.1:9") | {name: value}
    async with process("run", environment=settings) as worker:
        assert await worker.exits() == 2

    said = "\n".join(worker.output)
    assert name in said
    assert "Traceback" not in said
