"""The files of a store, read while others write there."""

from pathlib import Path

import pytest

from leaderboards.store.files import FolderFiles


@pytest.fixture
def replaced_while_read(tmp_path, monkeypatch):
    """A store where a file has been written under another name, and gets its own just then."""
    written, name = tmp_path / "verdicts/.a.json.x7", tmp_path / "verdicts/a.json"
    written.parent.mkdir()
    written.write_bytes(b"new")
    name.write_bytes(b"former")
    is_file = Path.is_file

    def just_then(path):
        there = is_file(path)
        if path == written and there:
            written.replace(name)
        return there

    monkeypatch.setattr(Path, "is_file", just_then)
    return tmp_path


def test_a_file_that_gets_its_name_while_a_folder_is_looked_at_is_there_once(replaced_while_read):
    store = FolderFiles(replaced_while_read)
    assert store.sizes == {"verdicts/a.json": 3} and store.read("verdicts/a.json") == b"new"


def test_a_file_that_is_gone_when_it_is_read_is_named_in_one_line(tmp_path):
    (tmp_path / "a.json").write_bytes(b"a")
    store = FolderFiles(tmp_path)
    assert store.sizes == {"a.json": 1}
    (tmp_path / "a.json").unlink()
    with pytest.raises(ValueError, match=r"a\.json cannot be read: No such file or directory"):
        store.read("a.json")
