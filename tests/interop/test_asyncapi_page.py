"""The page of the contract in a real browser: does it show what a producer has to know?"""

import json
from collections.abc import Iterator

import pytest

from tests.contract.documents import DOCS, PAGE
from tests.interop.chromium import INSTALL_LIMIT, BrowserPage, NoBrowserError, browser_page

pytestmark = pytest.mark.timeout(INSTALL_LIMIT)


# What a click unfolds is drawn some frames later, so the end is where nothing was closed for many of them.
UNFOLD = """async () => {
    let clicks = 0;
    for (let quiet = 0, rounds = 0; quiet < 60 && rounds < 1000; quiet++, rounds++) {
        const closed = [...document.querySelectorAll("button")].filter(
            (button) => button.offsetParent && button.textContent.trim() === "Expand all");
        closed.forEach((button) => button.click());
        clicks += closed.length;
        if (closed.length) quiet = 0;
        await new Promise(requestAnimationFrame);
    }
    return clicks;
}"""


@pytest.fixture(scope="module")
def shown() -> Iterator[BrowserPage]:
    """The page, with every schema unfolded."""
    try:
        with browser_page(print) as browser:
            browser.page.goto(PAGE.as_uri())
            browser.page.locator("#introduction").first.wait_for(state="attached")
            unfold(browser)
            yield browser
    except NoBrowserError as error:
        pytest.fail(str(error), pytrace=False)


def unfold(browser: BrowserPage) -> None:
    """Click on everything that a reader could expand, until nothing is left."""
    clicks = browser.page.evaluate(UNFOLD)

    assert clicks > 0, "nothing on the page can be expanded: look for what its buttons are called now"


def text_of(browser: BrowserPage) -> str:
    return str(browser.page.locator("body").inner_text())


def fields(name: str) -> set[str]:
    schema = json.loads((DOCS / f"schemas/{name}.json").read_text(encoding="utf-8"))
    parts = [schema, *schema.get("$defs", {}).values()]
    return {field for part in parts for field in part.get("properties", {})}


@pytest.mark.parametrize("name", ["request", "result", "error", "completion"])
def test_every_field_is_on_the_page(name: str, shown: BrowserPage) -> None:
    text = text_of(shown)

    assert fields(name)
    assert {field for field in fields(name) if field not in text} == set()


@pytest.mark.parametrize(
    "name", ["videogen.requests", "videogen.results", "videogen.completions", "x-deadline", "x-error-code", "reply_to"]
)
def test_queues_and_headers_are_on_the_page(name: str, shown: BrowserPage) -> None:
    assert name in text_of(shown)


def test_the_page_complains_of_nothing(shown: BrowserPage) -> None:
    assert shown.complaints == []


def test_the_page_loads_nothing_from_elsewhere(shown: BrowserPage) -> None:
    assert [url for url in shown.requests if not url.startswith("data:")] == [PAGE.as_uri()]
