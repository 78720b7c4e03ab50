"""What tests share is made once, and what a test could leave behind in the process is seen."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from made_once import made_once
from process_state import process_state


def test_of_many_who_ask_at_once_one_makes_the_folder(tmp_path_factory):
    made = []
    # pytest makes its own folder when it is first asked, which is not for threads.
    tmp_path_factory.getbasetemp()

    def make(folder):
        made.append(folder)
        folder.mkdir()

    with ThreadPoolExecutor() as pool:
        found = set(pool.map(lambda _: made_once(tmp_path_factory, "by-many", make), range(8)))
    assert found == set(made) and len(made) == 1 and made[0].is_dir()


def test_a_folder_whose_making_failed_is_made_anew(tmp_path_factory):
    def fail(folder):
        folder.mkdir()
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        made_once(tmp_path_factory, "failed", fail)
    # mkdir refuses a folder that is there.
    assert made_once(tmp_path_factory, "failed", lambda folder: folder.mkdir()).is_dir()


CHANGES = {
    "environment": lambda: os.environ.update(SULI_CACHE="elsewhere"),
    "folder": lambda: os.chdir("/"),
    "threads": lambda: torch.set_num_threads(2),
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "gradients": lambda: torch.set_grad_enabled(False),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_test_would_leave_behind_is_seen(what, monkeypatch):
    monkeypatch.setenv("SULI_CACHE", "here")
    monkeypatch.chdir(os.getcwd())
    before = process_state()
    try:
        CHANGES[what]()
        after = process_state()
    finally:
        torch.set_num_threads(1)
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
    assert {name for name in before if before[name] != after[name]} == {what}
