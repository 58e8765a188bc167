from pathlib import Path

import pytest

from service.settings import SecretFileError, read_api_key


def test_a_key_loses_the_line_break_at_its_end(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"sk-1\r\n")
    assert read_api_key(file) == "sk-1"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        (b"\xffhush", "not UTF-8"),
        (b"\n", "the key is empty"),
        (b"Bearer hush", "without 'Bearer'"),
    ],
)
def test_a_file_without_a_key_says_why_and_not_what(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SecretFileError, match=why) as refused:
        read_api_key(file)
    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None
