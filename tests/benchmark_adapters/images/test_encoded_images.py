"""Images that can't be decoded, and gray ones among colour."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from small_images import all_pixels, base_of, dataset_of, encoded, image_folder, pixels_of

from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.images.encoded_images import EncodedImages


def damaged(form):
    """The bytes of an image whose header is whole and whose pixels are cut."""
    file = io.BytesIO()
    Image.fromarray(pixels_of(1, side=64)[0]).save(file, form)
    return file.getvalue()[: len(file.getvalue()) // 2]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_what_is_cut_is_named_with_its_row_and_file(form, tmp_path):
    folder = image_folder(tmp_path / "d", "train", "test")
    (folder / "train" / "dog" / "1.png").write_bytes(damaged(form))
    base = load_base(folder, split="train")
    with pytest.raises(ValueError, match=r"split 'train', row 3 \(dog/1\.png\): the image can't"):
        image_set(base)
    images = EncodedImages(base, channels="own")
    assert [pixels is None for pixels in images.readable(range(6))] == [False] * 3 + [
        True, False, False,
    ]  # fmt: skip


def test_a_file_that_is_gone_is_named_with_its_row(tmp_path):
    base = load_base(image_folder(tmp_path / "d"), split="train")
    (tmp_path / "d" / "dog" / "1.png").unlink()
    with pytest.raises(ValueError, match=r"row 3 \(dog/1\.png\): the image file .* is gone"):
        EncodedImages(base).arrays([2, 3])


def test_an_image_is_gray_or_colour_as_the_model_takes_it():
    colour, gray = pixels_of(3), [image[:, :, 0] for image in pixels_of(3, seed=1)]
    base = base_of(dataset_of([encoded(image) for image in (*colour, *gray)]))
    for mean, mode in (((0.5,) * 3, "RGB"), ((0.5,), "L")):
        pixels = all_pixels(image_set(base, mean=mean, std=mean))
        for row, image in enumerate((*colour, *gray)):
            expected = np.asarray(Image.fromarray(image).convert(mode))
            assert np.array_equal(pixels[row].permute(1, 2, 0).squeeze().numpy(), expected)


def test_one_colour_file_does_not_decide_for_the_others():
    gray = [encoded(image[:, :, 0]) for image in pixels_of(3)]
    whole = base_of(dataset_of([*gray, encoded(pixels_of(1)[0])]))
    own = EncodedImages(whole, channels="own").arrays(range(4))
    assert [image.shape[0] for image in own] == [1, 1, 1, 3]
    alone = image_set(base_of(dataset_of(gray)), mean=(0.5,), std=(0.5,))
    among = image_set(whole, mean=(0.5,), std=(0.5,))
    assert torch.equal(all_pixels(alone), all_pixels(among)[:3])
