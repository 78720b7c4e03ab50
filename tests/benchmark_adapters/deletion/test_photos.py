"""A deletion request on photos of different sizes, made for the original as its files say."""

import os
from functools import partial

import pytest
import torch
from digits_as_images import UNLEARN, suli
from photo_folders import photo, photo_folder, timm_original
from small_images import own_cache as own_cache  # an autouse fixture

from benchmark_adapters.benchmarks.image_folder import ImageFolder
from benchmark_adapters.deletion import needed_images
from benchmark_adapters.deletion.data import load_deletion_data
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.originals.load import load_original
from suli_plugin.read_ahead import ReadAhead

pytest.importorskip("timm", reason="the extra timm is not installed")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photo_folder(tmp_path_factory.mktemp("photos") / "all", {"train": 6, "val": 6})


@pytest.fixture(scope="module")
def net(tmp_path_factory, photos):
    return timm_original(tmp_path_factory.mktemp("net") / "net", photos)


@pytest.fixture(autouse=True)
def streaming(monkeypatch):
    """Whatever size a set has, it is streamed, from two processes."""
    streamed = partial(needed_images.pixel_store, memory_limit=1)
    monkeypatch.setattr(needed_images, "pixel_store", streamed)
    monkeypatch.setenv("SULI_DECODE_WORKERS", "2")


def loaded(folder, net):
    config = load_original(net).config
    options = DataOptions(dataset=str(folder), forget_classes=("bird",), test="val", image_size=32)
    return load_deletion_data(
        options, mean=config.mean, std=config.std, preprocessing=config.preprocessing
    )


def test_the_command_resizes_them_as_the_original_says_and_the_receipt_is_verified(
    photos, net, tmp_path
):
    ask = (*UNLEARN, "--model", net, "--dataset", photos, "--forget-class", "bird", "--test", "val",
           "--method", "su", "--set", "epochs=1", "--output", tmp_path / "out")  # fmt: skip
    assert "takes 32x32; pass --image-size 32" in suli(*ask, code=2).stderr
    done = suli(*ask, "--image-size", "32")
    how = "the shortest side to 35 pixels (bicubic), the middle 32x32, says timm's pretrained_cfg"
    assert f"images are resized: {how}" in done.stderr
    receipt = read_receipt(tmp_path / "out")
    assert receipt["dataset"]["sets"]["test"]["count"] == 30
    kept = load_original(tmp_path / "out").config.preprocessing
    assert kept == load_original(net).config.preprocessing
    checks = suli("receipt", "verify", tmp_path / "out", "--model", net, "--dataset", photos)
    assert "matches" in checks.stdout and "differs" not in checks.stdout


def test_they_are_what_the_benchmark_makes_of_them(photos, net):
    data = loaded(photos, net)
    benchmark = ImageFolder(data=str(photos), original=str(net), reference_fraction=0.2)
    case, positions = benchmark.case("class-2", 0), torch.arange(6)
    ours, theirs = (of.batch(positions, torch.device("cpu")) for of in (data.forget, case.forget))
    assert torch.equal(ours.images, theirs.images) and data.forget.ids == case.forget.ids


def test_many_are_decoded_ahead_for_their_hash_which_stays_the_same(tmp_path, net, monkeypatch):
    folder = photo_folder(tmp_path / "many", {"train": 3, "val": 27})
    taken, take = [], ReadAhead.take

    def noted(self, rows):
        found = take(self, rows)
        taken.append(found is not None)
        return found

    monkeypatch.setattr(ReadAhead, "take", noted)
    hashes = loaded(folder, net).hashes
    assert taken == [True, True]  # 135 test images
    monkeypatch.setenv("SULI_DECODE_WORKERS", "0")
    monkeypatch.setenv("SULI_CACHE", str(tmp_path / "another"))
    assert loaded(folder, net).hashes == hashes
    assert taken == [True, True]


def test_hashes_are_kept_under_the_bytes_whatever_time_a_file_has(
    photos, net, tmp_path, monkeypatch
):
    folder = photo_folder(tmp_path / "own", {"train": 3, "val": 3})
    first = loaded(folder, net).hashes
    whole = needed_images.NeededImages._hash_of_pixels
    monkeypatch.setattr(
        needed_images.NeededImages, "_hash_of_pixels", lambda *_: pytest.fail("decoded again")
    )
    assert loaded(folder, net).hashes == first
    monkeypatch.setattr(needed_images.NeededImages, "_hash_of_pixels", whole)
    one = folder / "train" / "bird" / "1.jpg"
    before = one.stat()
    one.write_bytes(photo(123, width=50, height=40))
    os.utime(one, ns=(before.st_atime_ns, before.st_mtime_ns))
    then = loaded(folder, net).hashes
    assert then["forget"] != first["forget"] and then["test"] == first["test"]
