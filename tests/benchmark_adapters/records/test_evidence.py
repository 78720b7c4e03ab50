"""What lies beside a record for others to check it, and what of a stranger is refused."""

import gzip
import hashlib

import pytest
import safetensors.torch
import torch
from small_problem import convnet

from benchmark_adapters.records.evidence import (
    evidence_path,
    load_unlearned,
    packed_logits,
    read_logits,
    write_evidence,
)
from benchmark_adapters.records.provenance import state_hash


def logits_of(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        "forget": torch.randn(7, 10, generator=generator),
        "test": torch.randn(4, 10, generator=generator),
    }


@pytest.fixture
def kept(tmp_path):
    """The folder and the entry of a record's evidence."""
    return tmp_path, write_evidence(tmp_path / "0-abc", convnet(seed=3), logits_of())


def test_logits_and_weights_come_back_bit_for_bit(kept):
    folder, entry = kept
    assert {key: value["file"] for key, value in entry.items()} == {
        "model": "0-abc.safetensors", "logits": "0-abc.logits.safetensors.gz",
    }  # fmt: skip
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        value["file"] for value in entry.values()
    )
    for value in entry.values():
        found = hashlib.sha256((folder / value["file"]).read_bytes()).hexdigest()
        assert found == value["sha256"]
    read = read_logits(folder / entry["logits"]["file"], entry["logits"]["sha256"])
    assert read.keys() == logits_of().keys()
    assert all(torch.equal(read[name], value) for name, value in logits_of().items())
    path, sha256 = folder / entry["model"]["file"], entry["model"]["sha256"]
    assert state_hash(load_unlearned(path, sha256, convnet(seed=9))) == state_hash(convnet(seed=3))


def test_the_same_logits_give_the_same_bytes_and_others_others():
    assert packed_logits(logits_of()) == packed_logits(logits_of()) != packed_logits(logits_of(1))


def test_logits_that_are_a_view_of_others_are_written_whole(tmp_path):
    everything = torch.arange(24.0).reshape(4, 6)
    entry = write_evidence(tmp_path / "0", convnet(), {"forget": everything[:, ::2]})
    read = read_logits(tmp_path / entry["logits"]["file"])
    assert torch.equal(read["forget"], everything[:, ::2])


@pytest.mark.parametrize("key", ["model", "logits"])
def test_another_hash_is_refused_before_anything_is_read(kept, key):
    folder, entry = kept
    path = folder / entry[key]["file"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"has sha256 .*, expected {entry[key]['sha256']}"):
        if key == "logits":
            read_logits(path, entry[key]["sha256"])
        else:
            load_unlearned(path, entry[key]["sha256"], convnet())


@pytest.mark.parametrize("left", [0, 5, 30, -20, -1])
def test_a_file_that_was_cut_is_refused(kept, left):
    folder, entry = kept
    path = folder / entry["logits"]["file"]
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ValueError, match="is not a compressed file of logits"):
        read_logits(path)


def test_cut_weights_are_refused(kept):
    folder, entry = kept
    path = folder / entry["model"]["file"]
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="is not a whole safetensors file"):
        load_unlearned(path, None, convnet())


def test_a_file_that_would_fill_the_memory_is_refused(tmp_path):
    import tracemalloc

    path = tmp_path / "bomb.logits.safetensors.gz"
    path.write_bytes(gzip.compress(bytes(200 * 2**20), 9))
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"holds more than {2**20} bytes of logits"):
        read_logits(path, limit=2**20)
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def test_as_many_bytes_as_the_limit_says_are_read(tmp_path):
    path = tmp_path / "x.logits.safetensors.gz"
    plain = safetensors.torch.save(logits_of())
    path.write_bytes(gzip.compress(plain))
    assert read_logits(path, limit=len(plain))["test"].shape == (4, 10)
    with pytest.raises(ValueError, match="holds more than"):
        read_logits(path, limit=len(plain) - 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"plain text", "is not a compressed file of logits"),
        (gzip.compress(b"plain text", mtime=0), "is not a compressed file of logits"),
        (packed_logits({"forget": torch.zeros(3)}), r"expected float32 \(N, K\) for 'forget'"),
        (packed_logits({"a": torch.zeros(3, 2).double()}), r"got torch.float64 \(3, 2\)"),
    ],
)
def test_what_holds_no_logits_is_refused(tmp_path, content, message):
    path = tmp_path / "x.logits.safetensors.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_logits(path)


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"x\.gz cannot be read: No such file"):
        read_logits(tmp_path / "x.gz")


def test_weights_of_another_network_are_refused(kept):
    folder, entry = kept
    other = convnet(batch_norm=False)
    with pytest.raises(ValueError, match="the weights do not fit the original's architecture"):
        load_unlearned(folder / entry["model"]["file"], entry["model"]["sha256"], other)


def test_evidence_is_looked_for_beside_the_record_alone(kept):
    folder, entry = kept
    record_path = folder / "0-abc.json"
    found = evidence_path(record_path, {"evidence": entry}, "logits")
    assert found == folder / entry["logits"]["file"]
    outside = {"evidence": {"logits": {"file": "../../elsewhere/0-abc.logits.safetensors.gz"}}}
    assert evidence_path(record_path, outside, "logits") == found
    assert evidence_path(record_path, {"evidence": None}, "logits") is None
    assert evidence_path(record_path, {}, "model") is None
    found.unlink()
    assert evidence_path(record_path, {"evidence": entry}, "logits") is None
