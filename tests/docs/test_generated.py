from pathlib import Path

import pytest

from service.core.result import ErrorCode
from tests.docs.generated import DOCS, PARTS, RENEWAL, MarkerError, named, pages, renewed
from tests.docs.tables.errors import FAILURES, _error
from tests.docs.tables.markdown import listed, table

PAGES = pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_each_page_says_what_the_code_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == renewed(text), f"{page.name} is out of date. Renew it: {RENEWAL}"


def test_every_part_that_can_be_generated_stands_on_a_page() -> None:
    used = {name for page in PAGES for name in named(page.read_text(encoding="utf-8"))}
    assert used == set(PARTS)


def test_the_failures_of_the_table_are_every_error_code() -> None:
    assert [*dict.fromkeys(_error(failure).code for failure in FAILURES)] == list(ErrorCode)


def test_what_stands_between_the_comments_is_replaced_and_the_rest_is_kept() -> None:
    text = "before\n\n<!-- generated: backoff -->\n\nold\n\n<!-- end of generated -->\n\nafter\n"
    done = renewed(text)
    assert done.startswith("before\n\n<!-- generated: backoff -->\n\n| after call |")
    assert done.endswith("|\n\n<!-- end of generated -->\n\nafter\n")
    assert "old" not in done
    assert renewed(done) == done


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- generated: backof -->\n<!-- end of generated -->", "is not known; name one of settings,"),
        ("<!-- generated: backoff -->\n", "has no end"),
        ("<!-- generated: backoff -->\n<!-- generated: tiers -->\n<!-- end of generated -->", "has no end"),
    ],
)
def test_a_comment_that_cannot_be_followed_is_named(text: str, said: str) -> None:
    with pytest.raises(MarkerError, match=said):
        renewed(text)


def test_a_group_without_settings_is_an_error() -> None:
    with pytest.raises(ValueError, match="no setting belongs to"):
        renewed("<!-- generated: settings brokers -->\n<!-- end of generated -->")


def test_a_bar_in_a_cell_does_not_end_the_cell() -> None:
    assert table(("a", "b"), [("x|y", "")]) == "| a | b |\n|---|---|\n| x\\|y | |"


def test_values_are_listed_in_words() -> None:
    assert (listed(["a"]), listed(["a", "b", "c"])) == ("`a`", "`a`, `b` or `c`")
