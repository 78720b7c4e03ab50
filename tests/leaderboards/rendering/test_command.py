"""`suli leaderboard render`, on a store that has the paper's rows alone."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from repository import ROOT

from leaderboards.board.board import board_names
from leaderboards.rendering.command import render

MARKED = "# Ours\n\n<!-- leaderboard cifar10-resnet18.class-wise -->\n<!-- /leaderboard -->\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current folder, with an empty store in its usual place and a README."""
    monkeypatch.chdir(tmp_path)
    Path("leaderboards/results").mkdir(parents=True)
    Path("README.md").write_text(MARKED, encoding="utf-8")
    return tmp_path


def run(*arguments, code=0):
    done = CliRunner().invoke(render, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done


def test_page_and_tables_are_written_where_nothing_else_is_said():
    said = run().stdout.splitlines()
    page = [f"written: leaderboards/page/{name}" for name in ("README.md", "index.html")]
    assert said[:2] == page and "written: README.md" in said
    assert "| `suli` | reported | 96.0 ± 0.1 |" in Path("README.md").read_text(encoding="utf-8")
    text = Path("leaderboards/page/index.html").read_text(encoding="utf-8")
    assert text.count("<section") == len(board_names()) >= 10
    assert run().stdout == "4 files are as the store says\n"


@pytest.mark.skipif(
    not (ROOT / "leaderboards" / "results").is_dir(), reason="no results are shipped yet"
)
def test_the_files_of_this_repository_are_as_its_results_say(monkeypatch):
    monkeypatch.chdir(ROOT)
    run("--check")


def test_everybody_may_read_what_was_written():
    run()
    modes = {path.stat().st_mode & 0o777 for path in Path("leaderboards/page").iterdir()}
    assert modes == {0o644} == {Path("README.md").stat().st_mode & 0o777}


def test_check_writes_nothing_and_names_what_is_stale():
    done = run("--check", code=1)
    assert "stale: README.md" in done.stderr and not Path("leaderboards/page").exists()
    assert "suli leaderboard render" in done.stderr
    run()
    assert run("--check").stdout == "4 files are as the store says\n"
    page = Path("leaderboards/page/index.html")
    page.write_text(page.read_text(encoding="utf-8").replace("96.0", "99.0"), encoding="utf-8")
    assert run("--check", code=1).stderr.splitlines()[0] == f"stale: {page}"


def test_another_store_output_and_document(tmp_path):
    (tmp_path / "store").mkdir()
    Path("BOARDS.md").write_text(MARKED, encoding="utf-8")
    run("store", "--output", "space", "--document", "BOARDS.md")
    assert Path("space/index.html").exists() and "reported" in Path("BOARDS.md").read_text()
    assert Path("README.md").read_text(encoding="utf-8") == MARKED


def test_a_store_on_the_hub_gives_what_its_folder_gives(hub, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "README.md").write_text("# Results\n", encoding="utf-8")
    hub.seed_repo("org/results", "dataset", tmp_path / "store")
    run("org/results", "--output", "from-hub")
    run("store", "--output", "from-folder")
    pages = [Path(name, "index.html").read_bytes() for name in ("from-hub", "from-folder")]
    assert pages[0] == pages[1]


def test_without_a_readme_the_page_is_written_all_the_same():
    Path("README.md").unlink()
    assert "README.md" not in run("--output", "space").stdout.replace("space/README.md", "")


def test_json_lists_what_was_written_and_what_is_stale():
    assert "README.md" in json.loads(run("--json").stdout)["written"]
    found = json.loads(run("--json", "--check").stdout)
    assert found["stale"] == [] and len(found["files"]) == 4


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--document", "none.md"], "cannot fill in none.md"),
        (["--output", "README.md/page"], "Not a directory"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, said):
    done = run(*arguments, code=1)
    assert said in done.stderr and done.stderr.count("\n") == 1 and "Traceback" not in done.output


def test_without_a_store_it_says_how_to_name_one():
    Path("leaderboards/results").rmdir()
    assert "there is no leaderboards/results here; name a store" in run(code=1).stderr


def test_a_submission_that_cannot_be_read_is_named():
    path = Path("leaderboards/results/submissions")
    path.mkdir()
    (path / "x.json").write_text("{", encoding="utf-8")
    assert "submissions/x.json" in run(code=1).stderr


def test_a_marker_of_an_unknown_board_is_named():
    Path("README.md").write_text(MARKED.replace("class-wise", "class"), encoding="utf-8")
    assert "no board 'cifar10-resnet18.class'; there are" in run(code=1).stderr
