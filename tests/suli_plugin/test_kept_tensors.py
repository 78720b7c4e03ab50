"""What is made once for a key is read from then on, whole or not at all."""

import logging
from threading import Barrier, Thread

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given, settings
from hypothesis import strategies as st

from suli_plugin.kept_tensors import cache_folder, kept_tensors, read_tensors, write_tensors

MADE = {"weights": torch.arange(6.0).view(2, 3), "count": torch.tensor(7)}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SULI_CACHE", str(tmp_path / "cache"))


class Maker:
    """Makes the tensors and counts how often."""

    def __init__(self, made=MADE):
        self.made, self.times = made, 0

    def __call__(self):
        self.times += 1
        return self.made


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype and torch.equal(one[name], other[name])


@pytest.mark.parametrize("accelerated", [False, True])
def test_tensors_are_made_once_for_a_key(accelerated):
    make, accelerator = Maker(), Accelerator(cpu=True) if accelerated else None
    for _ in range(3):
        assert_same(kept_tensors("importances-1", make, accelerator), MADE)
    assert make.times == 1
    kept_tensors("importances-2", make, accelerator)
    assert make.times == 2
    assert [path.suffix for path in cache_folder().iterdir()].count(".safetensors") == 2


def test_what_is_made_of_a_graph_or_of_a_view_is_kept_as_it_is():
    leaf = torch.rand(4, 3, requires_grad=True)
    make = Maker({"view": (leaf * 2).t()})
    for _ in range(2):
        found = kept_tensors("view", make)["view"]
        assert not found.requires_grad and torch.equal(found, (leaf * 2).t())


TYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool)
SHAPES = st.lists(st.integers(0, 3), max_size=3)


@settings(max_examples=20)
@given(st.dictionaries(st.text("ab.é", min_size=1), st.tuples(st.sampled_from(TYPES), SHAPES)))
def test_any_type_and_shape_comes_back(tmp_path_factory, forms):
    path = tmp_path_factory.mktemp("forms") / "forms.safetensors"
    tensors = {name: (torch.rand(shape) * 9).to(dtype) for name, (dtype, shape) in forms.items()}
    assert write_tensors(path, tensors, {"of": "a test"})
    found, told = read_tensors(path)
    assert_same(found, tensors)
    assert told["of"] == "a test"


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_file_is_made_anew(caplog, damage):
    make = Maker()
    kept_tensors("damaged", make)
    path = cache_folder() / "damaged.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 0xFF
    path.write_bytes({"flip": content, "truncate": content[:-9], "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        assert_same(kept_tensors("damaged", make), MADE)
    assert make.times == 2 and "made anew" in caplog.text
    kept_tensors("damaged", make)
    assert make.times == 2


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SULI_CACHE", str(tmp_path / "file" / "cache"))
    make = Maker()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert_same(kept_tensors("nowhere", make), MADE)
    assert make.times == 2 and "are not kept" in caplog.text


def test_what_fails_to_be_made_leaves_no_file():
    def fails():
        raise ValueError("out of images")

    with pytest.raises(ValueError, match="out of images"):
        kept_tensors("failed", fails)
    assert not list(cache_folder().glob("*.safetensors"))
    assert_same(kept_tensors("failed", Maker()), MADE)


def test_of_runs_that_ask_together_one_makes():
    make, together, found = Maker(), Barrier(4), []

    def ask():
        together.wait()
        found.append(kept_tensors("together", make))

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert make.times == 1 and len(found) == 4
    for each in found:
        assert_same(each, MADE)
