from hypothesis import given
from hypothesis import strategies as st

from service.core.upstream_text import LIMIT, fit


def test_plain_text_is_kept() -> None:
    assert fit("Prompt refused: 提示词") == "Prompt refused: 提示词"


def test_nothing_is_none() -> None:
    assert fit(" \n\t\x00") is None


def test_control_characters_and_line_breaks_become_one_blank() -> None:
    assert fit("a\r\n\x1b[31mb\x00\u202e c\ud800") == "a [31mb c"


def test_long_text_is_cut_and_says_so() -> None:
    assert fit("x" * (LIMIT + 1)) == "x" * (LIMIT - 1) + "…"


def test_text_at_the_limit_is_kept() -> None:
    assert fit("x" * LIMIT) == "x" * LIMIT


def test_a_secret_is_blotted_out_even_where_the_cut_would_fall() -> None:
    text = fit("x" * (LIMIT - 5) + "sk-secret", secret="sk-secret")
    assert text is not None
    assert "sk-" not in text


@given(st.text(st.characters(exclude_categories=[]), max_size=3000))
def test_any_text_becomes_one_printable_line_that_utf8_can_carry(text: str) -> None:
    line = fit(text)
    assert line is None or (0 < len(line) <= LIMIT and line.isprintable() and line.encode())
