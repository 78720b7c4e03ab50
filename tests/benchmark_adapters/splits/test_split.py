import json

import numpy as np
import pytest
import torch
from small_images import (
    CLASSES,
    as_dataset,
    cifar_layout,
    encoded,
    image_folder,
    own_cache,  # noqa: F401  # an autouse fixture
    pixels_of,
)

from benchmark_adapters.images.base_data import BaseData, load_base
from benchmark_adapters.splits.recipes import ClassWise, InstanceWise, Listed, Reference
from benchmark_adapters.splits.split import make_split
from benchmark_adapters.splits.stored import save_split
from benchmark_adapters.splits.verified import load_split


@pytest.fixture
def bases(tmp_path):
    folder = cifar_layout(tmp_path / "d")
    return load_base(folder, split="train"), load_base(folder, split="test")


def test_every_part_has_a_hash_of_ids_pixels_and_labels(bases):
    split = make_split("dogs", ClassWise(classes=(1,)), *bases)
    images = split.image_sets()
    assert split.hashes == {part: of.content_hash() for part, of in images.items()}
    assert len(set(split.hashes.values())) == 4
    assert split.forget_classes == (1,)


def test_the_hash_depends_on_each_of_ids_pixels_and_labels():
    def hashed(pixels, **changes):
        dataset = as_dataset(pixels, changes.get("labels"), uid=changes["uid"])
        base = BaseData(dataset, "m", None, None, "train", ("train",), "img", "label", "uid")
        return make_split("s", Listed(ids=(changes["uid"][0],)), base).sha256

    plain = {"uid": list("abcdef")}
    other = pixels_of(6)
    other[5, 0, 0, 0] ^= 1
    hashes = {
        hashed(pixels_of(6), **plain),
        hashed(other, **plain),
        hashed(pixels_of(6), uid=list("abcdeg")),
        hashed(pixels_of(6), labels=[0, 1, 2, 0, 1, 1], **plain),
    }
    assert len(hashes) == 4


def test_the_hash_does_not_depend_on_the_order_of_the_rows():
    def hashed(order):
        dataset = as_dataset(
            pixels_of(6)[order], [row % 3 for row in order], uid=[f"u{row}" for row in order]
        )
        base = BaseData(dataset, "m", None, None, "train", ("train",), "img", "label", "uid")
        return make_split("s", ClassWise(classes=(1,)), base).sha256

    assert hashed([0, 1, 2, 3, 4, 5]) == hashed([5, 3, 0, 1, 4, 2])


def test_the_image_sets_share_pixels_and_carry_kinds_and_ids(bases):
    split = make_split(
        "some", InstanceWise(n=6), *bases, reference=Reference(fraction=0.25, drawn_from="test")
    )
    images = split.image_sets(mean=(0.5,) * 3, std=(0.5,) * 3)
    assert {part: of.kind for part, of in images.items()} == {
        "forget": "forget", "retain": "retain", "reference": "reference",
        "test_retain": "reference",
    }  # fmt: skip
    assert images["forget"]._store is images["retain"]._store
    assert images["forget"].ids == split.ids("forget") and len(images["forget"]) == 6
    assert all(name.startswith("test-") for name in images["reference"].ids)
    assert list(split.image_sets(["forget"])) == ["forget"]


def test_materialised_parts_keep_the_features(bases):
    from datasets import ClassLabel, Image

    split = make_split("dogs", ClassWise(classes=(1,)), *bases)
    parts = split.dataset_dict()
    assert set(parts) == {"forget", "retain", "test_forget", "test_retain"}
    forget = parts["forget"]
    assert isinstance(forget.features["img"], Image)
    assert forget.features["label"] == ClassLabel(names=list(CLASSES))
    assert forget["id"][:2] == ["train-1", "train-4"] and set(forget["label"]) == {1}
    assert np.array_equal(np.array(forget[1]["img"]), pixels_of(30)[4])
    assert sum(len(part) for part in parts.values()) == 42


def test_a_column_id_of_the_base_is_not_overwritten(tmp_path):
    folder = cifar_layout(tmp_path / "d", id="x{}".format)
    anonymous = load_base(folder, split="train")
    with pytest.raises(ValueError, match="has a column 'id' that does not hold"):
        make_split("s", InstanceWise(n=3), anonymous).dataset_dict()
    named = load_base(folder, split="train", id_column="id")
    split = make_split("s", Listed(ids=("x3", "x8")), named)
    assert split.dataset_dict()["forget"]["id"][:] == ["x3", "x8"]


def test_copies_of_forgotten_images_are_found_wherever_they_are(tmp_path):
    train = pixels_of(30)
    train[7] = train[4]  # another label, the same pixels
    train[10] = train[1]  # forgotten, too
    train[12] = pixels_of(12, seed=1)[4]  # in test
    base = cifar_layout(tmp_path / "d", train=train)
    bases = load_base(base, split="train"), load_base(base, split="test")
    split = make_split("dogs", Listed(ids=("train-4", "train-1", "train-10", "train-12")), *bases)
    found = {(d.part, d.id, d.forgotten) for d in split.duplicates}
    assert found == {("retain", "train-7", "train-4"), ("test_retain", "test-4", "train-12")}


def test_images_of_different_sizes_can_be_split_and_checked(tmp_path):
    from datasets import Dataset, Features, Value
    from datasets import Image as ImageFeature

    files = [encoded(pixels_of(1, seed=side, side=side)[0]) for side in range(4, 10)]
    dataset = Dataset.from_dict(
        {"img": [{"bytes": f, "path": None} for f in files], "label": [0, 1] * 3},
        features=Features({"img": ImageFeature(), "label": Value("int64")}),
    )
    dataset.save_to_disk(tmp_path / "d")
    split = make_split("s", ClassWise(classes=(1,)), load_base(tmp_path / "d", split="train"))
    assert len(split.hashes["forget"]) == 64
    sets = split.image_sets(size=5)
    assert sets["forget"].pixels(torch.tensor([0]), torch.device("cpu"))[0].shape == (1, 3, 5, 5)


def test_the_hash_of_a_part_does_not_depend_on_the_channels_of_others(tmp_path):
    from datasets import Dataset, Features, Value
    from datasets import Image as ImageFeature

    def hashes(folder, last):
        files = [*(encoded(image[:, :, 0]) for image in pixels_of(5)), last]
        Dataset.from_dict(
            {"img": [{"bytes": f, "path": None} for f in files], "label": [0, 1] * 3},
            features=Features({"img": ImageFeature(), "label": Value("int64")}),
        ).save_to_disk(folder)
        return make_split("s", ClassWise(classes=(0,)), load_base(folder, split="train")).hashes

    gray = hashes(tmp_path / "gray", encoded(pixels_of(1, seed=9)[0, :, :, 0]))
    mixed = hashes(tmp_path / "mixed", encoded(pixels_of(1, seed=9)[0]))
    assert gray["forget"] == mixed["forget"] and gray["retain"] != mixed["retain"]


def test_a_split_of_photos_stays_valid_by_its_paths(tmp_path):
    photos = image_folder(tmp_path / "d", "train", "test")
    base = load_base(photos, split="train")
    made = make_split("s", Listed(ids=("dog/1.png",)), base)
    assert made.ids("forget") == ["dog/1.png"] and made.describe()["base"]["ids"] == "path"
    save_split(made, tmp_path / "splits")
    assert load_split(tmp_path / "splits", "s").sha256 == made.sha256


def test_a_split_from_before_paths_were_ids_is_still_verified(tmp_path):
    photos = image_folder(tmp_path / "d", "train", "test")
    base = load_base(photos, split="train", by_row=True)
    made = make_split("s", Listed(ids=("train-3",)), base)
    path = save_split(made, tmp_path / "splits") / "split.json"
    described = json.loads(path.read_text())
    assert described["base"].pop("ids") == "row"
    path.write_text(json.dumps(described))
    again = load_split(tmp_path / "splits", "s")
    assert again.sha256 == made.sha256 and again.ids("forget") == ["train-3"]
