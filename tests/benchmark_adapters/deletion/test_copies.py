"""Copies of forgotten photos are looked for in every split that is read."""

import json
import shutil

import pytest
from digits_as_images import NAMES, UNLEARN, digits_as_png, suli
from PIL import Image
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.data import load_deletion_data
from benchmark_adapters.deletion.options import DataOptions


@pytest.fixture
def data(tmp_path):
    """Photos with two further splits; in each a copy of the first `three`, one gray, as a BMP."""
    folder = tmp_path / "photos"
    for split, rows in (("train", 0), ("held", 200), ("test", 400)):
        digits_as_png(folder, keep=slice(rows, rows + 100), split=split)
    three = min((folder / "train" / "three").iterdir())
    Image.open(three).convert("L").save(folder / "test" / "three" / "again.bmp")
    shutil.copy(three, folder / "held" / "three" / "again.png")
    shutil.copy(three, folder / "train" / "eight" / "again.png")
    return folder


def found(data, **more):
    options = DataOptions(dataset=str(data), forget_classes=("three",), **more)
    read = load_deletion_data(options, mean=[0.3] * 3, std=[0.37] * 3, classes=NAMES)
    return read.copies, read.notes


def test_copies_are_found_in_every_split_that_is_read_and_in_no_other(data):
    places = {"train": {"train"}, "held": {"train", "held"}, "test": {"train", "held", "test"}}
    options = {"train": {}, "held": {"reference": "held"}}
    options["test"] = {**options["held"], "test": "test"}
    for name, more in options.items():
        copies, _ = found(data, **more)
        assert {copy.part for copy in copies} == places[name]
        assert all("again" in copy.id for copy in copies)
    copies, _ = found(data, retain="held")
    assert {copy.part for copy in copies} == {"train", "held"}


def test_in_a_large_split_the_same_files_are_found(data, monkeypatch):
    monkeypatch.setattr("benchmark_adapters.deletion.copies.MEMORY_LIMIT", 0)
    copies, notes = found(data, reference="held", test="test")
    assert {copy.part for copy in copies} == {"train", "held"}  # not the BMP
    assert any("split 'test' is large" in note for note in notes)
    for split in ("train/eight/again.png", "held/three/again.png"):
        (data / split).unlink()
    assert found(data, reference="held", test="test")[0] is None


def test_the_command_warns_and_the_card_says_so(original, data, tmp_path):
    out = tmp_path / "out"
    done = suli(*UNLEARN, "--model", original, "--dataset", data, "--forget-class", "three",
                "--method", "su", "--set", "epochs=1", "--test", "test",
                "--output", out)  # fmt: skip
    assert "warning: 2 other samples are exact copies" in done.stderr
    assert "2 other samples are exact copies" in (out / "README.md").read_text()
    copies = json.loads((out / "unlearning.json").read_text())["forget_set"]["copies"]
    assert {copy["part"] for copy in copies} == {"train", "test"}
