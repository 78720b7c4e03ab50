"""`utkface-allcnn` on generated images under UTKFace's names, the peculiar ones included."""

import json
import shutil

import pytest
import torch
from digits_as_images import suli
from face_images import AGES, LACKING, ODD, put_images, utkface_folder
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks import real_images
from benchmark_adapters.benchmarks.utkface import UTKFaceAllCNN
from benchmark_adapters.originals.checkpoints import CheckpointConfig, save_checkpoint

TOTAL = 6 * len(AGES) + len(ODD)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return utkface_folder(tmp_path_factory.mktemp("faces") / "UTKFace")


@pytest.fixture
def copied(faces, tmp_path):
    """A folder of the same images, to be spoilt."""
    return shutil.copytree(faces, tmp_path / "UTKFace")


def benchmark(folder, **options):
    return UTKFaceAllCNN(data=str(folder), **{"image_size": 16, **options})


def parts(made):
    return real_images._loaded(made).parts


def counts(images):
    return images.labels.bincount(minlength=3).tolist()


def test_ages_become_groups_and_each_group_is_divided(faces):
    found = parts(benchmark(faces))
    totals = [sum(some) for some in zip(*map(counts, vars(found).values()), strict=True)]
    # 0, 1, 19 | 20, 26, 40 and the odd 24 | 41, 77, 110, 116 and the odd 55.
    assert totals == [18, 19, 25] and sum(totals) == TOTAL
    assert counts(found.test) == [4, 4, 5]
    ids = [set(images.ids) for images in vars(found).values()]
    assert len(set.union(*ids)) == TOTAL and len(found.train) + len(found.reference) == TOTAL - 13


def test_the_groups_are_an_option_and_ages_outside_are_left_out_and_counted(faces):
    made = benchmark(faces, age_groups=("19-20", "100-116"))
    said = "\n".join(made.describe())
    assert "class-0 = 19-20 (9 + 2), class-1 = 100-116 (10 + 2)" in said
    assert f"left out: {TOTAL - 24} of ages in none of the groups 19-20, 100-116" in said
    assert made.scenarios()[:3] == ("class-0", "class-1", "instance-64")


def test_malformed_names_are_left_out_counted_and_named(copied):
    before = parts(benchmark(copied)).train.content_hash()
    put_images(copied, LACKING, seed=5)
    renamed = copied.rename(copied.with_name("with-malformed"))
    made = benchmark(renamed)
    said = "\n".join(made.describe())
    assert f"{TOTAL} of {TOTAL + 5} images are kept" in said
    assert "left out: 5 whose names are not AGE_GENDER_RACE_DATE" in said
    assert LACKING[0] in said and "and 2 more" in said
    assert parts(made).train.content_hash() == before


def test_copies_are_kept_once_and_contradictions_not_at_all(copied):
    one = "0_0_0_20170109150557000.jpg.chip.jpg"
    shutil.copy(copied / one, copied / "1_1_1_20200101000000000.jpg")
    shutil.copy(copied / "20_0_0_20170109150557000.jpg.chip.jpg", copied / "90_1_1_2020.jpg")
    made = benchmark(copied)
    said = "\n".join(made.describe())
    assert f"{TOTAL - 1} of {TOTAL + 2} images are kept" in said
    assert "left out: 1 copies, byte for byte" in said
    assert "left out: 2 there byte for byte in several classes" in said
    ids = [name for images in vars(parts(made)).values() for name in images.ids]
    assert len(ids) == len(set(ids)) == TOTAL - 1


def test_names_and_places_of_files_change_nothing(faces, copied):
    (copied / "part1").mkdir()
    for number, path in enumerate(sorted(copied.glob("*.jpg"))):
        age = path.name.partition("_")[0]
        path.rename(copied / "part1" / f"{age}_1_1_{20200101000000999 - number}.jpg")
    one, other = benchmark(faces), benchmark(copied)
    assert one.fingerprint("instance-8", 0) == other.fingerprint("instance-8", 0)


def test_a_repository_with_files_or_with_parquet_gives_the_same_case(hub, faces):
    from datasets import Dataset, Features
    from datasets import Image as ImageFeature

    hub.seed_repo("ada/files", "dataset", faces)
    rows = [{"bytes": p.read_bytes(), "path": p.name} for p in sorted(faces.iterdir())]
    table = Dataset.from_dict({"image": rows}, features=Features({"image": ImageFeature()}))
    hub.seed_repo("ada/parquet", "dataset", {"data/train-0.parquet": _parquet(table)})
    found = {benchmark(data).fingerprint("class-1", 0) for data in (faces, "ada/files")}
    assert found == {benchmark("ada/parquet").fingerprint("class-1", 0)}
    nameless = [{"bytes": row["bytes"], "path": None} for row in rows]
    table = Dataset.from_dict({"image": nameless}, features=Features({"image": ImageFeature()}))
    hub.seed_repo("ada/nameless", "dataset", {"data/train-0.parquet": _parquet(table)})
    with pytest.raises(ValueError, match="none of the 62 images has an age"):
        benchmark("ada/nameless").describe()


def _parquet(table):
    import io

    file = io.BytesIO()
    table.to_parquet(file)
    return file.getvalue()


def test_fingerprints_differ_when_anything_differs(faces):
    changes = [
        {},
        {"image_size": 20},
        {"age_groups": ("0-20", "21-40", "41-116")},
        {"test_fraction": 0.3},
        {"division_seed": 1},
        {"reference_fraction": 0.1},
        {"retain_scored": 9},
    ]
    made = [benchmark(faces, **change).fingerprint("class-1", 0) for change in changes]
    again = UTKFaceAllCNN(**json.loads(json.dumps(benchmark(faces).options())))
    assert len(set(made)) == len(changes) and again == benchmark(faces)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"age_groups": ["0-5", "90-95"]}, "no image of class 90-95.*choose other --age-groups"),
        ({"age_groups": ["20-23", "24-25"]}, "one image of class 24-25"),
        ({"age_groups": ["0-20", "20-40"]}, "0-20 and 20-40 share the age 20"),
        ({"age_groups": ["young", "old"]}, "an age group is YOUNGEST-OLDEST"),
        ({"image_size": 8}, "image_size must be at least 16, got 8"),
        ({"test_fraction": 1.0}, "test_fraction must be above 0 and below 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(faces, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        benchmark(faces, **options).describe()
    assert "\n" not in str(caught.value)


def test_folders_that_hold_no_utkface_are_refused_with_what_is_expected(tmp_path):
    expected = "takes a folder of images named AGE_GENDER_RACE_DATE, such as 26_1_3_2017"
    with pytest.raises(ValueError, match=f"neither here nor a repository.*{expected}"):
        benchmark(tmp_path / "gone").describe()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=f"contain any data files.*{expected}"):
        benchmark(tmp_path / "empty").describe()
    put_images(tmp_path / "other", ["a.jpg", *LACKING])
    with pytest.raises(ValueError, match=f"none of the 6 images has an age.*{expected}"):
        benchmark(tmp_path / "other").describe()
    with pytest.raises(ValueError, match="needs its images: pass --data FOLDER"):
        UTKFaceAllCNN().describe()


def test_a_damaged_image_is_named_by_its_file(copied):
    (copied / "30_0_0_20170109150557999.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"30_0_0_20170109150557999\.jpg.*can't be decoded"):
        benchmark(copied).describe()


def saved_original(folder, outputs, classes=None):
    config = CheckpointConfig(
        architecture="all_cnn", num_classes=outputs, mean=(0.1,) * 3, std=(0.2,) * 3,
        classes=classes,
    )  # fmt: skip
    save_checkpoint(folder, config.build(), config)
    return str(folder)


def test_an_original_is_taken_when_its_outputs_fit(faces, tmp_path):
    made = benchmark(faces, original=saved_original(tmp_path / "three", 3))
    case = made.case("class-1", 0)
    assert case.original_source["kind"] == "published"
    # Normalised as that original takes them, and the stop rule's images are none of its own.
    assert case.forget.mean.flatten().tolist() == pytest.approx([0.1] * 3)
    assert len(case.forget) + len(case.retain) == TOTAL - 13
    assert len(case.reference) + len(case.test) == 13
    assert "is taken to have been trained on these training images" in "\n".join(made.describe())


def test_an_original_whose_outputs_do_not_fit_is_refused(faces, tmp_path):
    ten = saved_original(tmp_path / "ten", 10)
    with pytest.raises(ValueError, match=r"ten has 10 outputs, but .* has 3 classes \(0-19, 20-40"):
        benchmark(faces, original=ten).describe()
    turned = saved_original(tmp_path / "turned", 3, classes=("41-116", "20-40", "0-19"))
    with pytest.raises(ValueError, match=r"output 0 of .* is '41-116', which is class 2"):
        benchmark(faces, original=turned).describe()


def test_the_original_is_trained_on_what_is_not_held_out(faces, monkeypatch):
    monkeypatch.setattr(UTKFaceAllCNN, "recipe", Retrain(epochs=1, batch_size=32))
    case = benchmark(faces).case("class-2", 0)
    assert case.forget_classes == (2,) and set(case.forget.labels.tolist()) == {2}
    assert case.forget.augment is None and case.test.augment is None
    first = case.retain.batch(torch.tensor([0]), torch.device("cpu"))
    assert first.images.shape == (1, 3, 16, 16)
    assert case.original.classifier.out_channels == 3
    assert case.original_source["recipe"]["epochs"] == 1


def test_the_command_says_what_it_read_before_it_runs_and_json_stays_json(tmp_path, monkeypatch):
    # Ten test images of the forgotten class are what membership inference needs.
    folder = utkface_folder(tmp_path / "UTKFace", each=20)
    put_images(folder, LACKING, seed=5)
    monkeypatch.setattr(UTKFaceAllCNN, "recipe", Retrain(epochs=1, batch_size=64))
    monkeypatch.setattr(UTKFaceAllCNN, "relearn_updates", 0)
    done = suli(
        *("bench", "run", "utkface-allcnn", "--data", folder, "--image-size", 16),
        *("--age-groups", "0-20, 21-60,61-116", "--scenarios", "class-[1]", "--seeds", 0),
        *("--methods", "original,su,logit_mask", "--output", tmp_path / "runs", "--json"),
    )
    summary = json.loads(done.stdout)
    original, su, mask = summary["records"]
    assert [record["method"] for record in (original, su, mask)] == ["original", "su", "logit_mask"]
    assert original["options"]["age_groups"] == ["0-20", "21-60", "61-116"]
    assert original["scenario"] == "class-1" and mask["metrics"]["forget_accuracy"] == 0
    assert "left out: 5 whose names are not AGE_GENDER_RACE_DATE" in done.stderr
    assert "class-1 = 21-60 (49 + 12)" in done.stderr
    again = UTKFaceAllCNN(**original["options"])
    assert again.fingerprint("class-1", 0) == original["case"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--age-groups", "0-19"], "two age groups or more"),
        (["--identities", 3], "utkface-allcnn takes no --identities: it takes --data"),
        (["--scenarios", "class-7", "--methods", "original"], "class-7"),
    ],
)
def test_wrong_usage_is_said_in_one_line(faces, tmp_path, arguments, message, monkeypatch):
    monkeypatch.setattr(UTKFaceAllCNN, "recipe", Retrain(epochs=1, batch_size=64))
    line = ["bench", "run", "utkface-allcnn", "--data", faces, "--image-size", 16]
    done = suli(*line, "--seeds", 0, "--output", tmp_path / "runs", *arguments, code=2)
    assert message in done.stderr and "Traceback" not in done.stderr
