import pytest

from tests.docs.outside_pages import ROOT, outside, repository_path, site_path, turned, with_plain_bars


def test_a_page_keeps_its_path_and_the_readme_gets_another_name() -> None:
    assert site_path("docs/howto/add-a-model.md") == "howto/add-a-model.md"
    assert site_path("deploy/kubernetes/README.md") == "deploy/kubernetes/README.md"
    assert (site_path("README.md"), site_path("docs/README.md")) == ("overview.md", "README.md")


@pytest.mark.parametrize("path", ["README.md", "docs/README.md", "docs/tls.md", "deploy/README.md"])
def test_the_way_back_leads_to_the_same_file(path: str) -> None:
    assert repository_path(site_path(path)) == path


def test_every_file_that_is_taken_in_is_there() -> None:
    assert {"README.md", "deploy/README.md", "deploy/monitoring/alerts.yml"} <= set(outside())
    assert [path for path in outside() if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize(
    ("place", "link", "there"),
    [
        ("runbook.md", "../deploy/monitoring/alerts.yml", "deploy/monitoring/alerts.yml"),
        ("howto/rotate-the-key.md", "../../deploy/kubernetes/README.md", "../deploy/kubernetes/README.md"),
        ("deploy/kubernetes/README.md", "../../docs/ledger.md#redis", "../../ledger.md#redis"),
        ("overview.md", "docs/tutorial.md", "tutorial.md"),
        ("overview.md", "docs/decisions/", "decisions/README.md"),
        ("README.md", "../README.md", "overview.md"),
        ("messages.md", "errors.md", "errors.md"),
        ("messages.md", "#result", "#result"),
        ("messages.md", "https://example.com/docs/tls.md", "https://example.com/docs/tls.md"),
    ],
)
def test_a_link_leads_to_the_same_page_in_the_site(place: str, link: str, there: str) -> None:
    assert turned(f"see [it]({link}).", place) == f"see [it]({there})."


def test_a_link_to_a_folder_without_a_page_becomes_its_text() -> None:
    link = "[the component](../deploy/kubernetes/components/monitoring)"
    assert turned(f"see {link}.", "runbook.md") == "see the component."


def test_what_stands_in_a_fenced_block_and_pictures_are_left_as_they_are() -> None:
    text = "```md\n[it](../README.md)\n```\n\n![it](pictures/queues.png)\n"
    assert turned(text, "monitoring.md") == text


def test_an_escaped_bar_within_code_of_a_table_loses_its_backslash_there_alone() -> None:
    row = "| a \\| b | `^(x\\|y)$` |\n"
    assert with_plain_bars(row) == "| a \\| b | `^(x|y)$` |\n"
    assert with_plain_bars("grep `a\\|b`\n") == "grep `a\\|b`\n"
