"""`suli bench report` as it is called, and the page that it makes as a reader sees it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from click.testing import CliRunner, Result

from suli_plugin.cli import main


def report(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["bench", "report", *map(str, arguments)])


class Page(HTMLParser):
    """Elements with their attributes, the text a reader sees, and the tables' rows of cells."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self._cell = False
        self.feed(source)

    @classmethod
    def of(cls, folder: Path) -> Page:
        """The page in a folder that a report was written to."""
        return cls((folder / "index.html").read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data):
        self.text += data
        if self._cell:
            self.rows[-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def row(self, *start: str) -> list[str]:
        """The first row whose cells begin with these."""
        return next(row for row in self.rows if row[: len(start)] == list(start))
