"""ImageSet: one batched access path, decoded once or streamed."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

from suli_plugin.images import ImageSet, as_image_set

CPU = torch.device("cpu")


class Rows(Dataset):
    """A stranger's dataset that counts its reads."""

    def __init__(self, images, labels):
        self.images, self.labels, self.reads = images, labels, 0

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, position):
        self.reads += 1
        return self.images[position], self.labels[position]


def uint8_images(count=20, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 4, 4), dtype=torch.uint8, generator=draw)


def test_uint8_pixels_are_divided_and_normalised_on_the_device():
    images = uint8_images()
    made = ImageSet.of_tensors(images, torch.arange(20), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    batch = made.batch(torch.tensor([3, 1]), CPU)
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.4])
    expected = (images[[3, 1]] / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(batch.images, expected)
    assert batch.labels.tolist() == [3, 1] and batch.images.dtype == torch.float32


@pytest.mark.parametrize("form", ["tensor", "array", "pil"])
def test_tensors_arrays_and_pil_images_give_the_same_pixels(form):
    images = uint8_images(5)
    convert = {
        "tensor": lambda image: image,
        "array": lambda image: image.permute(1, 2, 0).numpy(),
        "pil": lambda image: Image.fromarray(image.permute(1, 2, 0).numpy()),
    }[form]
    made = ImageSet(Rows([convert(image) for image in images], list(range(5))))
    torch.testing.assert_close(made.batch(torch.arange(5), CPU).images, images / 255)


def test_grey_images_get_one_channel():
    made = ImageSet(Rows([np.zeros((4, 4), dtype=np.uint8)] * 3, [0, 1, 2]))
    assert made.batch(torch.tensor([0]), CPU).images.shape == (1, 1, 4, 4)


def test_a_small_set_is_read_once():
    rows = Rows(uint8_images(), list(range(20)))
    made = ImageSet(rows)
    for _ in range(5):
        made.batch(torch.arange(20), CPU)
    # One image for its size, eight twice for randomness, then all once.
    assert rows.reads == 1 + 16 + 20


def test_a_set_over_the_memory_limit_is_streamed_and_gives_the_same():
    rows = Rows(uint8_images(), list(range(20)))
    streamed = ImageSet(rows, memory_limit=100)
    decoded = ImageSet(rows)
    order = torch.tensor([7, 0, 19])
    torch.testing.assert_close(streamed.batch(order, CPU).images, decoded.batch(order, CPU).images)
    assert streamed.labels.tolist() == decoded.labels.tolist()
    before = rows.reads
    streamed.batch(order, CPU)
    assert rows.reads == before + 3


def test_random_transforms_stay_random():
    class Noisy(Rows):
        def __getitem__(self, position):
            image, label = super().__getitem__(position)
            return image + torch.rand(image.shape), label

    made = ImageSet(Noisy(torch.zeros(10, 3, 4, 4), list(range(10))))
    first, second = (made.batch(torch.arange(10), CPU).images for _ in range(2))
    assert not torch.equal(first, second)


def test_batched_fetch_of_a_dataset_is_used():
    class Batched(Rows):
        def __getitems__(self, positions):
            self.batches = getattr(self, "batches", 0) + 1
            return [(self.images[p], self.labels[p]) for p in positions]

    rows = Batched(uint8_images(), list(range(20)))
    ImageSet(rows).batch(torch.arange(20), CPU)
    assert rows.reads == 0 and rows.batches > 0


def test_subsets_of_subsets_keep_pixels_labels_and_ids():
    made = ImageSet.of_tensors(uint8_images(), torch.arange(20))
    part = made.subset([5, 6, 7, 8]).subset([3, 0])
    assert part.labels.tolist() == [8, 5] and part.ids == ["8", "5"]
    torch.testing.assert_close(part[0][0], made[8][0])
    assert len(part) == 2


def test_new_labels_do_not_touch_the_set_they_came_from():
    made = ImageSet.of_tensors(uint8_images(), torch.arange(20))
    other = made.relabelled(torch.zeros(20))
    assert other.labels.tolist() == [0] * 20 and made.labels.tolist() == list(range(20))
    assert other.subset([4]).batch(torch.tensor([0]), CPU).labels.tolist() == [0]
    with pytest.raises(ValueError, match="expected 20 labels"):
        made.relabelled(torch.zeros(3))


def test_augmentation_happens_in_training_only_and_follows_the_generator():
    def shift(images, generator):
        return images + torch.rand(len(images), 1, 1, 1, generator=generator)

    made = ImageSet.of_tensors(uint8_images(), torch.arange(20), augment=shift)
    plain = made.batch(torch.arange(4), CPU).images
    torch.testing.assert_close(plain, uint8_images()[:4] / 255)
    twice = [
        made.batch(torch.arange(4), CPU, torch.Generator().manual_seed(1)).images for _ in "ab"
    ]
    assert torch.equal(*twice) and not torch.equal(twice[0], plain)


def test_the_content_hash_ignores_order_and_sees_one_pixel_one_label_and_one_id():
    images, labels = uint8_images(), torch.arange(20)
    made = ImageSet.of_tensors(images, labels)
    known = made.content_hash()
    shuffled = made.subset(torch.randperm(20, generator=torch.Generator().manual_seed(0)))
    assert shuffled.content_hash() == known
    altered = images.clone()
    altered[3, 0, 0, 0] ^= 1
    assert ImageSet.of_tensors(altered, labels).content_hash() != known
    assert made.relabelled(labels.flip(0)).content_hash() != known
    ids = [*map(str, range(19)), "x"]
    assert ImageSet.of_tensors(images, labels, ids=ids).content_hash() != known
    assert made.subset(range(19)).content_hash() != known


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([torch.zeros(3, 4, 4), torch.zeros(3, 5, 5)], "one shape"),
        ([torch.zeros(3, 4, 4), torch.zeros(1, 4, 4)], "one shape"),
    ],
)
def test_images_of_different_shapes_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        ImageSet(Rows(rows, [0, 1])).batch(torch.arange(2), CPU)


def test_rows_that_are_not_pairs_are_refused_and_shown():
    class Triples(Rows):
        def __getitem__(self, position):
            return self.images[position], self.labels[position], position

    with pytest.raises(ValueError, match=r"\(image, label\) pairs.*got tuple"):
        ImageSet(Triples(uint8_images(), list(range(20)))).batch(torch.arange(2), CPU)


def test_a_loader_is_refused_with_what_to_pass_instead():
    loader = torch.utils.data.DataLoader(Rows(uint8_images(), list(range(20))))
    with pytest.raises(TypeError, match=r"pass its `\.dataset`"):
        as_image_set(loader)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_batch_is_normalised_by_three_channels_and_what_is_stored_stays(channels):
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (4, channels, 8, 8), dtype=torch.uint8, generator=draw)
    before, cpu = pixels.clone(), torch.device("cpu")
    images = ImageSet.of_tensors(
        pixels, torch.zeros(4), mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)
    ).batch(torch.arange(4), cpu)
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7)))
    assert torch.equal(images.images, (before.float() / 255 - mean) / std)
    assert torch.equal(pixels, before)
