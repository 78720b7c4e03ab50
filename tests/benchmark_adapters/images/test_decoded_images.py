import logging
import multiprocessing
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from counted_decoding import decode_and_count
from PIL import Image
from small_images import (
    all_pixels,
    as_dataset,
    base_of,
    cifar_layout,
    dataset_of,
    encoded,
    image_folder,
    own_cache,  # noqa: F401  # an autouse fixture
    pixels_of,
)

from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.images.distinct_images import content_hashes
from benchmark_adapters.images.encoded_images import EncodedImages, SizesDiffer
from suli_plugin.failure import Failure

CPU = torch.device("cpu")


def cached_files(folder):
    return sorted(folder.glob("*.safetensors"))


def test_images_ids_and_labels_come_in_the_order_of_the_base(tmp_path):
    base = load_base(cifar_layout(tmp_path / "d"), split="train")
    images = image_set(base, mean=(0.5,) * 3, std=(0.25,) * 3, kind="forget")
    expected = torch.from_numpy(pixels_of(30)).permute(0, 3, 1, 2)
    assert torch.equal(all_pixels(images), expected) and all_pixels(images).dtype == torch.uint8
    assert images.ids == base.ids and torch.equal(images.labels, base.labels)
    first = images.batch(torch.tensor([0]), CPU)
    assert torch.allclose(first.images[0], (expected[0] / 255 - 0.5) / 0.25) and (
        first.kind == "forget"
    )


def test_streamed_images_are_the_decoded_ones(tmp_path):
    base = load_base(cifar_layout(tmp_path / "d"), split="train")
    streamed, kept = image_set(base, memory_limit=1), image_set(base)
    some = torch.tensor([7, 3, 29, 3])
    assert torch.equal(streamed.pixels(some, CPU)[0], kept.pixels(some, CPU)[0])
    assert streamed.content_hash() == kept.content_hash()
    assert streamed.subset(some[:3]).content_hash() == kept.subset(some[:3]).content_hash()


def test_labels_of_streamed_images_are_known_without_decoding(monkeypatch):
    base = base_of(as_dataset(pixels_of(9)))
    images = image_set(base, memory_limit=1)
    monkeypatch.setattr(EncodedImages, "__getitems__", lambda *_: pytest.fail("decoded"))
    assert images.known_labels() is not None
    assert images.labels.tolist() == [0, 1, 2] * 3


def test_images_are_decoded_once_for_each_content(own_cache, monkeypatch):  # noqa: F811  # the fixture
    base = base_of(as_dataset(pixels_of(9)))
    first = all_pixels(image_set(base)).clone()
    assert len(cached_files(own_cache)) == 1
    monkeypatch.setattr(EncodedImages, "decode_all", lambda _: pytest.fail("decoded again"))
    assert torch.equal(all_pixels(image_set(base)), first)
    relabelled = base_of(as_dataset(pixels_of(9), labels=[1] * 9), split="other")
    assert image_set(relabelled).labels.tolist() == [1] * 9


def test_other_content_other_order_and_other_size_have_other_keys():
    dataset = as_dataset(pixels_of(9))
    keys = {
        EncodedImages(base_of(dataset)).key(),
        EncodedImages(base_of(dataset), size=4).key(),
        EncodedImages(base_of(dataset.select([1, 0, *range(2, 9)]))).key(),
        EncodedImages(base_of(dataset.select(range(8)))).key(),
        EncodedImages(base_of(as_dataset(pixels_of(9, seed=5)))).key(),
    }
    assert len(keys) == 5


def test_the_key_does_not_depend_on_how_arrow_chunks_the_rows():
    from datasets import concatenate_datasets

    dataset = as_dataset(pixels_of(9))
    chunked = concatenate_datasets([dataset.select(range(4)), dataset.select(range(4, 9))])
    assert EncodedImages(base_of(chunked)).key() == EncodedImages(base_of(dataset)).key()


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_cache_is_noticed_and_made_anew(own_cache, caplog, damage):  # noqa: F811
    base = base_of(as_dataset(pixels_of(9)))
    expected = all_pixels(image_set(base)).clone()
    (path,) = cached_files(own_cache)
    content = bytearray(path.read_bytes())
    content[-5] ^= 0xFF
    path.write_bytes({"flip": content, "truncate": content[:-100], "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        assert torch.equal(all_pixels(image_set(base)), expected)
    assert "made anew" in caplog.text
    caplog.clear()
    assert torch.equal(all_pixels(image_set(base)), expected) and not caplog.text


def test_a_cache_that_cannot_be_written_does_not_stop_the_run(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SULI_CACHE", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING):
        images = image_set(base_of(as_dataset(pixels_of(9))))
    assert len(all_pixels(images)) == 9 and "are not kept" in caplog.text


def test_of_processes_that_start_together_one_decodes(tmp_path):
    folder = cifar_layout(tmp_path / "d")
    load_base(folder, split="train")
    # Spawned: a fork of a process that has threads may hang.
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=decode_and_count, args=(str(folder), str(tmp_path / "count")))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 3
    assert (tmp_path / "count").read_text() == "decoded\n"


def test_images_in_files_are_read_from_there(tmp_path):
    base = load_base(image_folder(tmp_path / "d", "forget", "retain"), split="retain")
    expected = np.concatenate([pixels_of(2, seed=10 + label) for label in range(3)])
    assert torch.equal(all_pixels(image_set(base)), torch.from_numpy(expected).permute(0, 3, 1, 2))
    (tmp_path / "d" / "retain" / "cat" / "0.png").unlink()
    with pytest.raises(Failure, match=r"cat/0\.png is gone"):
        image_set(base)
    with pytest.raises(Failure, match=r"cat/0\.png is gone"):
        content_hashes(base)


def test_gray_images_have_one_channel_and_mixed_ones_three():
    gray = [encoded(image[:, :, 0]) for image in pixels_of(3)]
    assert all_pixels(image_set(base_of(dataset_of(gray)))).shape == (3, 1, 8, 8)
    mixed = [*gray, encoded(pixels_of(1)[0])]
    pixels = all_pixels(image_set(base_of(dataset_of(mixed))))
    assert pixels.shape == (4, 3, 8, 8)
    assert torch.equal(pixels[0, 0], pixels[0, 2])


def test_what_is_decoded_is_what_datasets_decodes():
    import io

    side = pixels_of(1, side=6)[0]
    file = io.BytesIO()
    turned = Image.fromarray(side)
    exif = turned.getexif()
    exif[274] = 6
    turned.save(file, "JPEG", exif=exif)
    alpha = np.dstack([side, side[:, :, 0]])
    palette = io.BytesIO()
    Image.fromarray(side).quantize(16).save(palette, "PNG")
    dataset = dataset_of([encoded(side), file.getvalue(), encoded(alpha), palette.getvalue()])
    pixels = all_pixels(image_set(base_of(dataset)))
    for row in range(4):
        theirs = np.array(dataset[row]["img"].convert("RGB"))
        assert np.array_equal(pixels[row].permute(1, 2, 0).numpy(), theirs)


def test_images_of_different_sizes_need_a_size():
    files = [encoded(pixels_of(1, side=8)[0]), encoded(pixels_of(1, side=6)[0])]
    base = base_of(dataset_of(files))
    with pytest.raises(SizesDiffer, match="8x8 at row 0 and 6x6 at row 1; pass --image-size"):
        image_set(base)
    pixels = all_pixels(image_set(base, size=6))
    assert pixels.shape == (2, 3, 6, 6)
    assert torch.equal(pixels[1].permute(1, 2, 0), torch.from_numpy(pixels_of(1, side=6)[0]))


def test_an_image_that_cannot_be_decoded_is_named():
    good = encoded(pixels_of(1)[0])
    deep = encoded(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000)
    for bad, message in ((good[:60], "can't be decoded"), (deep, "8 bits a channel")):
        # A command ends with exit code 1: the data are at fault, not the request.
        with pytest.raises(Failure, match=f"row 1: .*{message}"):
            image_set(base_of(dataset_of([good, bad])))


def test_an_empty_split_is_refused():
    with pytest.raises(ValueError, match="split 'train' holds no image"):
        image_set(base_of(as_dataset(pixels_of(3)).select([])))


CAPPED = """
    import resource, sys
    from pathlib import Path
    import torch
    from accelerate import Accelerator
    from datasets import concatenate_datasets
    from benchmark_adapters.images.base_data import BaseData, load_base
    from benchmark_adapters.images.decoded_images import image_set
    from suli_plugin.runner import run
    from suli_plugin.suli import SULI
    from suli_plugin.unlearner import ForgetRequest

    def used():
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmData:")[2].split()[0]) * 1024

    images = concatenate_datasets([load_base(sys.argv[1], split="test").dataset] * 2)
    base = BaseData(images, "cifar10", None, None, "test", ("test",), "img", "label")
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, stride=4), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(256, 10),
    )
    suli = SULI(sweeps=1, inner_steps=1, stop="never", lr=1e-3)
    accelerator = Accelerator(cpu=True)

    def unlearn(images):
        # All of one class, as a class-wise request must be.
        forget = images.relabelled(torch.ones(len(images), dtype=torch.int64))
        request = ForgetRequest(forget=forget, forget_classes=(1,))
        return run(suli, model, request, accelerator=accelerator)

    # Whatever is allocated once is there before the cap is set.
    unlearn(image_set(base, memory_limit=1).subset(range(1000)))
    cap = used() + 40 * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (cap, cap))
    try:
        image_set(base)
    except MemoryError:
        print("decoded: does not fit")
    done = unlearn(image_set(base, memory_limit=1))
    print("streamed:", done.passes["forward"]["forget"], len(done.history))
"""


@pytest.mark.real_data
@pytest.mark.slow
def test_a_forget_set_larger_than_memory_is_unlearned_from_a_stream(real_data):
    # Whoever converts the files gives memory back under its cap, by chance enough to decode all.
    load_base(real_data / "cifar10", split="test")
    # With a heap for each thread that decodes, what the same images take differs by chance.
    single = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CAPPED), str(real_data / "cifar10")],
        env={**os.environ, **single},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # 20,000 images are 59 MiB decoded: one pass each for entropies and updates, two to measure.
    assert done.stdout.splitlines() == ["decoded: does not fit", "streamed: 80000 2"]
