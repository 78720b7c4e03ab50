"""Links of the Markdown files to files beside them lead somewhere."""

import re

import pytest
from repository import ROOT

PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "leaderboards").glob("*.md"),
    ROOT / "leaderboards/page/boards.md",
    ROOT / "benchmark_adapters/harnesses/README.md",
]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_to_a_file_that_is_there(page):
    linked = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in linked if not (page.parent / target).exists()] == []
