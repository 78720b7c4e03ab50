"""A benchmark's original and images as files: the very same that the benchmark has."""

import torch
from digits_as_images import suli

from benchmark_adapters.benchmarks.digits import Digits, digits_original, digits_parts
from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.originals.load import load_original
from benchmark_adapters.records.provenance import state_hash


def test_original_and_images_are_read_back_exactly(tmp_path):
    done = suli("bench", "export", "digits", "--output", tmp_path / "digits", "--seed", 1)
    assert "359 images" in done.output and "1079 images" in done.output
    original = load_original(str(tmp_path / "digits" / "original"))
    assert state_hash(original.model) == state_hash(digits_original(1))
    assert original.config.training == Digits().original_recipe()
    parts = digits_parts()
    for split, wanted in (("train", parts.train), ("test", parts.test)):
        base = load_base(str(tmp_path / "digits" / "images"), split=split)
        images = image_set(base, mean=original.config.mean, std=original.config.std)
        assert sorted(map(pixels_of, images)) == sorted(map(pixels_of, wanted))


def pixels_of(sample):
    image, label = sample
    return label, image.double().mul(1e4).round().to(torch.int64).flatten().tolist()


def test_a_folder_that_is_not_free_and_an_unknown_benchmark_are_refused(tmp_path):
    (tmp_path / "digits" / "original").mkdir(parents=True)
    (tmp_path / "digits" / "original" / "notes.txt").write_text("mine")
    done = suli("bench", "export", "digits", "--output", tmp_path / "digits", code=1)
    assert "--output" in done.output and not (tmp_path / "digits" / "images").exists()
    assert "digits" in suli("bench", "export", "digitz", code=2).output
