"""`vggface2-resnet50` on generated images in VGGFace2's folders."""

import json
import shutil

import pytest
import torch
from digits_as_images import suli
from face_images import put_images, vggface2_folder
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks import real_images
from benchmark_adapters.benchmarks.vggface2 import VGGFace2ResNet50


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return vggface2_folder(tmp_path_factory.mktemp("faces") / "vggface2")


@pytest.fixture
def copied(faces, tmp_path):
    return shutil.copytree(faces, tmp_path / "vggface2")


def benchmark(folder, **options):
    return VGGFace2ResNet50(data=str(folder), **{"image_size": 32, **options})


def parts(made):
    return real_images._loaded(made).parts


def said(made):
    return "\n".join(made.describe())


def test_identities_of_the_training_folder_are_classes_that_keep_their_names(faces):
    made = benchmark(faces)
    assert real_images._loaded(made).class_names == ("n000002", "n000003", "n000004", "n000005")
    assert "not read: the splits test, which are of other people" in said(made)
    assert "class-3 = n000005 (5 + 1)" in said(made)
    assert made.scenarios()[:5] == ("class-0", "class-1", "class-2", "class-3", "instance-64")
    found = parts(made)
    assert sorted(found.test.labels.tolist()) == [0, 1, 2, 3]
    assert len(found.train) + len(found.reference) == 20


def test_the_first_identities_are_used_and_the_others_not_even_opened(copied):
    expected = parts(benchmark(copied, identities=2)).train.content_hash()
    for path in (copied / "train" / "n000005").iterdir():
        path.write_bytes(f"no image {path.name}".encode())
    for place in (copied, copied / "train"):
        made = benchmark(place, identities=2, division_seed=0, reference_fraction=0.01)
        assert real_images._loaded(made).class_names == ("n000002", "n000003")
        assert made.scenarios()[:3] == ("class-0", "class-1", "instance-64")
        assert parts(made).train.content_hash() == expected
    with pytest.raises(ValueError, match=r"n000005.*can't be decoded"):
        benchmark(copied).describe()


def test_more_identities_leave_the_division_of_the_first_ones(faces):
    test = {n: set(parts(benchmark(faces, identities=n)).test.ids) for n in (2, 4)}
    assert test[2] < test[4]


def test_labels_of_a_parquet_repository_are_identities_too(hub, faces):
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as ImageFeature

    paths = sorted((faces / "train").rglob("*.jpg"))
    rows = {
        "image": [{"bytes": path.read_bytes(), "path": path.name} for path in paths],
        "label": [int(path.parent.name[1:]) for path in paths],
    }
    # Numbers 0, 1 and 6 have a name, but no image, as of people in another split.
    names = [f"n{number:06}" for number in range(7)]
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=names)})
    import io

    file = io.BytesIO()
    Dataset.from_dict(rows, features=features).to_parquet(file)
    hub.seed_repo("ada/vggface2", "dataset", {"data/train-0.parquet": file.getvalue()})
    for options in ({}, {"identities": 3}):
        found = {benchmark(data, **options).fingerprint("class-1", 0)
                 for data in (faces, "ada/vggface2")}  # fmt: skip
        assert len(found) == 1
    assert "left out: 6 of other identities" in said(benchmark("ada/vggface2", identities=3))


def test_copies_within_an_identity_are_kept_once_and_between_two_not_at_all(copied):
    train = copied / "train"
    shutil.copy(train / "n000002" / "0001_01.jpg", train / "n000002" / "0007_01.jpg")
    shutil.copy(train / "n000003" / "0001_01.jpg", train / "n000004" / "0007_01.jpg")
    text = said(benchmark(copied))
    assert "23 of 26 images are kept" in text
    assert "left out: 1 copies" in text and "left out: 2 there byte for byte" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"identities": 5}, "has 4 identities, --identities asks for 5"),
        ({"identities": 1}, "identities must be at least 2, got 1"),
    ],
)
def test_a_wrong_number_of_identities_is_refused(faces, options, message):
    with pytest.raises(ValueError, match=message):
        benchmark(faces, **options).describe()


def test_folders_without_identities_are_refused_with_what_is_expected(faces, tmp_path):
    expected = "takes two or more folders of images, one for each identity, such as n000002/0001_01"
    with pytest.raises(ValueError, match=expected):
        benchmark(faces / "train" / "n000002").describe()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=expected):
        benchmark(tmp_path / "empty").describe()
    put_images(tmp_path / "small", ["n1/a.jpg", "n1/b.jpg", "n2/a.jpg"])
    with pytest.raises(ValueError, match=r"one image of class n2, copies aside.*take its folder"):
        benchmark(tmp_path / "small").describe()


def test_a_resnet_50_with_an_output_for_each_identity_is_trained(faces, monkeypatch):
    monkeypatch.setattr(VGGFace2ResNet50, "recipe", Retrain(epochs=1, batch_size=20))
    made = benchmark(faces, identities=3)
    case = made.case("class-2", 0)
    assert case.original.fc.out_features == 3 and case.original.conv1.kernel_size == (7, 7)
    assert case.forget_classes == (2,) and set(case.forget.labels.tolist()) == {2}
    seen = case.forget.batch(torch.tensor([0]), torch.device("cpu"))
    assert seen.images.shape == (1, 3, 32, 32)
    assert VGGFace2ResNet50(**json.loads(json.dumps(made.options()))) == made


def test_options_of_other_benchmarks_are_refused(faces, tmp_path):
    line = ("bench", "run", "vggface2-resnet50", "--data", faces, "--output", tmp_path / "runs")
    done = suli(*line, "--age-groups", "0-19,20-116", code=2)
    assert "vggface2-resnet50 takes no --age-groups: it takes --data" in done.stderr
