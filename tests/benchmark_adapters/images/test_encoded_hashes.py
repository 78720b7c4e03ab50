"""What files hold is hashed once, and anew when they were written again."""

import dataclasses
import os

import pytest
import torch
from photo_folders import photo, photo_folder
from small_images import as_dataset, base_of, cifar_layout, pixels_of
from small_images import own_cache as own_cache  # an autouse fixture

from benchmark_adapters.images import encoded_hashes as module
from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.images.distinct_images import content_hashes
from benchmark_adapters.images.encoded_hashes import encoded_hashes
from benchmark_adapters.images.encoded_images import EncodedImages


@pytest.fixture
def photos(tmp_path):
    return photo_folder(tmp_path / "photos", {"train": 4}, classes=("cat", "dog"))


def reading_fails(monkeypatch):
    monkeypatch.setattr(module, "contents", lambda chunk: pytest.fail("read again"))


def decoding_fails(monkeypatch):
    monkeypatch.setattr(EncodedImages, "arrays", lambda *_: pytest.fail("decoded again"))


def written(path, content, later=1):
    """Write a file as if it were so many seconds later."""
    then = path.stat().st_mtime_ns + later * 10**9
    path.write_bytes(content)
    os.utime(path, ns=(then, then))


def streamed(folder, size=24):
    """A set over the folder that is streamed, from two processes."""
    images = image_set(load_base(folder, split="train"), size=size, mean=(0.5,) * 3, memory_limit=1)
    assert images._store.pixels is None and images._store.workers == 2
    return images


@pytest.fixture
def two_workers(monkeypatch):
    monkeypatch.setenv("SULI_DECODE_WORKERS", "2")


def test_hashes_are_those_of_the_bytes_and_read_once(photos, monkeypatch):
    import hashlib

    base = load_base(photos, split="train")
    found = encoded_hashes(base)
    paths = sorted(photos.rglob("*.jpg"))
    assert [bytes(row).hex() for row in found.tolist()] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    ]
    reading_fails(monkeypatch)
    again = load_base(photos, split="train")
    assert torch.equal(encoded_hashes(again), found)
    assert content_hashes(again) == [bytes(row).hex() for row in found.tolist()]


@pytest.mark.parametrize("change", ["written", "added", "gone"])
def test_a_file_that_was_written_added_or_taken_away_makes_them_stale(photos, change):
    before = encoded_hashes(load_base(photos, split="train"))
    one = photos / "train" / "cat" / "2.jpg"
    if change == "written":
        written(one, photo(77))
    elif change == "added":
        (one.parent / "22.jpg").write_bytes(photo(78))
    else:
        one.unlink()
    after = encoded_hashes(load_base(photos, split="train"))
    count = {"written": 8, "added": 9, "gone": 7}[change]
    assert len(after) == count and {bytes(r) for r in after.tolist()} != {
        bytes(r) for r in before.tolist()
    }


def test_images_in_parquet_files_are_known_by_the_file(tmp_path, monkeypatch):
    folder = cifar_layout(tmp_path / "a", pixels_of(6))
    found = encoded_hashes(load_base(folder, split="train"))
    monkeypatch.setattr(module, "contents", lambda chunk: pytest.fail("read again"))
    assert torch.equal(encoded_hashes(load_base(folder, split="train")), found)
    monkeypatch.undo()
    cifar_layout(folder, pixels_of(6, seed=3))
    assert not torch.equal(encoded_hashes(load_base(folder, split="train")), found)


def test_images_in_memory_are_hashed_each_time(monkeypatch, own_cache):
    one, other = (base_of(as_dataset(pixels_of(3, seed=seed))) for seed in (0, 1))
    assert not torch.equal(encoded_hashes(one), encoded_hashes(other))
    assert not list(own_cache.glob("encoded-*"))


@pytest.mark.usefixtures("two_workers")
def test_the_hash_of_a_streamed_set_is_that_of_its_pixels_and_kept(photos, monkeypatch):
    expected = image_set(load_base(photos, split="train"), size=24, mean=(0.5,) * 3).content_hash()
    assert streamed(photos).content_hash() == expected
    some = [5, 0, 3]
    part = streamed(photos).subset(some).content_hash()
    decoding_fails(monkeypatch)
    # Touched, but with the bytes they had: they are read again, and nothing is decoded.
    for path in photos.rglob("*.jpg"):
        written(path, path.read_bytes())
    assert streamed(photos).content_hash() == expected
    assert streamed(photos).subset(some).content_hash() == part
    monkeypatch.undo()
    monkeypatch.setenv("SULI_DECODE_WORKERS", "2")
    assert streamed(photos, size=20).content_hash() != expected
    written(photos / "train" / "dog" / "0.jpg", photo(99))
    assert streamed(photos).content_hash() != expected
    assert streamed(photos).subset([0, 3]).content_hash() != part


@pytest.mark.usefixtures("two_workers")
def test_the_source_hash_is_known_without_decoding_an_image(photos, monkeypatch):
    kept = image_set(load_base(photos, split="train"), size=24, mean=(0.5,) * 3)
    images = streamed(photos)
    decoding_fails(monkeypatch)
    assert images.source_hash() == kept.source_hash()
    assert images.subset([1, 0]).source_hash() == images.subset([0, 1]).source_hash()
    other = images.relabelled(1 - images.labels)
    hashes = {of.source_hash() for of in (images, images.subset([0]), other)}
    assert len(hashes) == 3


def test_rows_that_were_chosen_in_parquet_files_are_not_taken_for_others(tmp_path):
    base = load_base(cifar_layout(tmp_path / "a", pixels_of(6)), split="train")
    whole = encoded_hashes(base)
    for rows in ([3, 1], [1, 3]):
        part = dataclasses.replace(base, dataset=base.dataset.select(rows))
        assert torch.equal(encoded_hashes(part), whole[rows])
