"""The files that show a leaderboard: what is written, and when it is stale."""

import pytest
from leaderboard_example import aggregate, boards

from leaderboards.rendering.rendered_files import rendered_files, stale, write_files
from leaderboards.rendering.rows import board_rows

MARKED = "# Ours\n\n<!-- leaderboard digits -->\n<!-- /leaderboard -->\n\nEnd.\n"


@pytest.fixture
def readme(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(MARKED, encoding="utf-8")
    return path


def files(tmp_path, readme, rows=None):
    rows = board_rows(aggregate() if rows is None else rows)
    return rendered_files(boards(), rows, tmp_path / "page", [readme])


def test_a_static_space_and_the_readmes_tables_are_written(tmp_path, readme):
    changed = write_files(files(tmp_path, readme))
    page = tmp_path / "page"
    assert set(changed) == {page / "README.md", page / "index.html", page / "boards.md", readme}
    assert "sdk: static" in (page / "README.md").read_text(encoding="utf-8")
    assert (page / "index.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    text = readme.read_text(encoding="utf-8")
    assert "### Digits, one class" in text and "### Digits, 64 samples" in text
    assert text.startswith("# Ours\n") and text.endswith("\n\nEnd.\n") and "CIFAR" not in text
    assert "### CIFAR-10" in (page / "boards.md").read_text(encoding="utf-8")


def test_what_is_as_it_should_be_is_neither_stale_nor_written_again(tmp_path, readme):
    write_files(files(tmp_path, readme))
    before = {path: path.stat().st_mtime_ns for path in files(tmp_path, readme)}
    assert write_files(files(tmp_path, readme)) == []
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("name", ["page/README.md", "page/index.html", "page/boards.md"])
@pytest.mark.parametrize("harm", [lambda p: p.unlink(), lambda p: p.write_bytes(b"\xff")])
def test_a_file_that_is_gone_or_changed_is_stale(tmp_path, readme, name, harm):
    write_files(files(tmp_path, readme))
    harm(tmp_path / name)
    assert stale(files(tmp_path, readme)) == [tmp_path / name]


def test_a_figure_typed_into_the_readme_is_stale(tmp_path, readme):
    write_files(files(tmp_path, readme))
    readme.write_text(readme.read_text(encoding="utf-8").replace("93.8", "99.8"), encoding="utf-8")
    assert stale(files(tmp_path, readme)) == [readme]


def test_a_new_figure_makes_page_and_tables_stale_but_not_the_card(tmp_path, readme):
    write_files(files(tmp_path, readme))
    found = stale(files(tmp_path, readme, rows=aggregate()[1:]))
    assert {path.name for path in found} == {"index.html", "boards.md", "README.md"}
    assert tmp_path / "page" / "README.md" not in found


def test_a_row_of_an_unknown_board_is_refused(tmp_path, readme):
    row = {**aggregate()[0], "board": "letters.class-wise"}
    with pytest.raises(ValueError, match=r"'original' is for board 'letters\.class-wise', but"):
        files(tmp_path, readme, rows=[row])


def test_a_document_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"cannot fill in .*none\.md: "):
        files(tmp_path, tmp_path / "none.md")
