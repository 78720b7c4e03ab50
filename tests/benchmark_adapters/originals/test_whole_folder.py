"""A folder that is written whole or not at all, and what is known before."""

import pytest
import torch

from benchmark_adapters.originals.whole_folder import check_room, check_writable, whole_folder
from suli_plugin.failure import Failure


@pytest.mark.parametrize("problem", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_nothing(problem, tmp_path):
    with pytest.raises(problem), whole_folder(tmp_path / "saved") as unfinished:
        (unfinished / "model.safetensors").write_bytes(b"half")
        raise problem
    assert list(tmp_path.iterdir()) == []


def test_somebody_who_was_faster_is_not_overwritten(tmp_path):
    with (
        pytest.raises(ValueError, match="saved exists"),
        whole_folder(tmp_path / "saved") as unfinished,
    ):
        (unfinished / "config.json").write_text("{}")
        (tmp_path / "saved").mkdir()
    assert list((tmp_path / "saved").iterdir()) == []


def test_weights_for_which_no_disk_has_room_are_told(tmp_path):
    check_room(tmp_path / "saved", torch.nn.Linear(2, 2))
    # No disk has room for 4 EB, and a meta tensor takes none.
    vast = torch.nn.Linear(2**30, 2**30, bias=False, device="meta")
    with pytest.raises(Failure, match=rf"the disk of {tmp_path} has .* MB left") as refused:
        check_room(tmp_path / "new" / "saved", vast)
    assert "the weights take 4611686018427.4 MB" in str(refused.value)


def test_what_cannot_be_written_is_found_beforehand(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in ("/proc/nowhere/out", tmp_path / "file" / "out", tmp_path / ("x" * 300)):
        with pytest.raises(Failure, match="cannot write"):
            check_writable(folder)
    check_writable(tmp_path / "not" / "there" / "yet")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
