"""`image-folder`: photos of different sizes, and originals of three libraries."""

import importlib.util
import io
import json
import sys
from functools import partial

import pytest
import torch
from digits_as_images import suli
from photo_folders import (
    CLASSES,
    photo,
    photo_folder,
    timm_original,
    torchvision_original,
    transformers_original,
)
from PIL import Image
from repository import ROOT
from small_images import own_cache as own_cache  # an autouse fixture

from benchmark_adapters.benchmarks import image_folder, real_images
from benchmark_adapters.benchmarks.image_folder import ImageFolder
from benchmark_adapters.images.encoded_images import EncodedImages
from suli_plugin.planned_reads import planned
from suli_plugin.runner import run
from suli_plugin.su import SU

CPU = torch.device("cpu")
ORIGINALS = {
    "torchvision": torchvision_original,
    "timm": timm_original,
    "transformers": transformers_original,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photo_folder(tmp_path_factory.mktemp("photos") / "all", {"train": 12, "val": 12})


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    return torchvision_original(tmp_path_factory.mktemp("net") / "net")


@pytest.fixture
def streaming(monkeypatch):
    """Whatever size a set has, it is streamed, from two processes."""
    made = partial(image_folder.image_set, memory_limit=1)
    monkeypatch.setattr(image_folder, "image_set", made)
    monkeypatch.setenv("SULI_DECODE_WORKERS", "2")


def benchmark(folder, original, **options):
    options = {"reference_fraction": 0.2, **options}
    return ImageFolder(data=str(folder), original=str(original), **options)


def said(made):
    return "\n".join(made.describe())


@pytest.mark.parametrize("library", ORIGINALS)
def test_images_are_made_as_the_original_says(library, photos, tmp_path):
    if library != "torchvision":
        pytest.importorskip(library, reason=f"the extra {library} is not installed")
    made = benchmark(photos, ORIGINALS[library](tmp_path / "net"))
    expected = {
        "torchvision": "to 36 pixels (bilinear), the middle 32x32, says no file of the original",
        "timm": "to 35 pixels (bicubic), the middle 32x32, says timm's pretrained_cfg",
        "transformers": "(bilinear), the middle 32x32, says transformers' preprocessor_config.json",
    }
    text = said(made)
    assert f"{expected[library]}" in text and "test images: the split val" in text
    case = made.case("class-2", 0)
    assert case.original_source["preprocessing"]["size"] == 32
    assert len(case.forget) == 12 and set(case.forget.labels.tolist()) == {2}
    assert (len(case.retain), len(case.reference), len(case.test)) == (48, 12, 48)
    assert case.original_source["reference"].startswith("from the test set")
    assert case.original(case.test.batch(torch.arange(2), CPU).images) is not None
    assert ImageFolder(**json.loads(json.dumps(made.options()))) == made


def test_they_are_those_of_timms_own_transform_to_the_last_bit(photos, tmp_path):
    timm = pytest.importorskip("timm", reason="the extra timm is not installed")
    folder = timm_original(tmp_path / "net")
    case = benchmark(photos, folder).case("class-1", 0)
    config = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    theirs = timm.data.create_transform(**timm.data.resolve_data_config({}, pretrained_cfg=config))
    for name, ours in zip(case.forget.ids, case.forget.batch(torch.arange(12), CPU).images,
                          strict=True):  # fmt: skip
        image = Image.open(photos / "train" / name).convert("RGB")
        torch.testing.assert_close(ours, theirs(image), rtol=0, atol=1e-6)


def test_streamed_images_give_what_kept_ones_do(photos, net, streaming, monkeypatch):
    made = benchmark(photos, net)
    streamed = made.case("instance-7", 3)
    assert streamed.retain._store.pixels is None
    method = SU(epochs=2, batch_size=4, stop="never")
    ours = run(method, streamed.original, streamed.request)
    hashes = [of.content_hash() for of in (streamed.forget, streamed.test)]
    key = made.fingerprint("instance-7", 3)
    monkeypatch.undo()
    real_images.forget_what_was_read()
    kept = benchmark(photos, net).case("instance-7", 3)
    assert kept.retain._store.pixels is not None
    assert [of.content_hash() for of in (kept.forget, kept.test)] == hashes
    assert benchmark(photos, net).fingerprint("instance-7", 3) == key
    theirs = run(method, kept.original, kept.request)
    for (name, one), other in zip(
        ours.model.state_dict().items(), theirs.model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name


def test_a_case_of_the_benchmark_is_known_without_decoding_an_image(
    photos, net, streaming, monkeypatch
):
    whole = EncodedImages.__getitems__
    rows = []
    monkeypatch.setattr(
        EncodedImages, "__getitems__", lambda self, of: rows.extend(of) or whole(self, of)
    )
    made = benchmark(photos, net)
    made.fingerprint("class-1", 0)
    made.case("class-1", 0)
    assert set(rows) <= {0}


def test_the_size_is_the_originals_own_unless_it_is_said(photos, net):
    made = benchmark(photos, net, image_size=48)
    assert made.case("class-0", 0).forget.image_shape == (3, 48, 48)
    assert "the shortest side to 54 pixels" in said(made)
    ours = benchmark(photos, net)
    assert made.fingerprint("class-0", 0) != ours.fingerprint("class-0", 0)


def test_a_dataset_in_parquet_files_gives_its_validation_where_test_labels_are_secret(
    hub, photos, net
):
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as ImageFeature

    features = Features({"image": ImageFeature(), "label": ClassLabel(names=list(CLASSES))})

    def shard(part, secret=False):
        paths = sorted((photos / part).rglob("*.jpg"))
        labels = [-1 if secret else CLASSES.index(path.parent.name) for path in paths]
        images = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
        file = io.BytesIO()
        rows = {"image": images, "label": labels}
        Dataset.from_dict(rows, features=features).to_parquet(file)
        return file.getvalue()

    files = {"data/train-0.parquet": shard("train"), "data/validation-0.parquet": shard("val"),
             "data/test-0.parquet": shard("val", secret=True)}  # fmt: skip
    hub.seed_repo("ada/photos", "dataset", files)
    made = benchmark("ada/photos", net)
    assert "test images: the split validation" in said(made)
    found, expected = (of.case("class-3", 0) for of in (made, benchmark(photos, net)))
    positions = torch.arange(12)
    assert torch.equal(
        found.forget.batch(positions, CPU).images, expected.forget.batch(positions, CPU).images
    )
    with pytest.raises(ValueError, match=r"have no label \(-1"):
        benchmark("ada/photos", net, test_split="test").describe()


def test_what_does_not_fit_is_said_in_one_line(photos, net, tmp_path):
    def refused(folder, why, original=net, **options):
        with pytest.raises(ValueError, match=why) as caught:
            benchmark(folder, original, **options).describe()
        assert "\n" not in str(caught.value)

    only = photo_folder(tmp_path / "only", {"train": 2})
    refused(only, "has no part that was never trained on: expected one named test")
    flat = photo_folder(tmp_path / "flat", {"": 2})
    refused(flat, "--test-split; the parts there: train")
    other = photo_folder(tmp_path / "other", {"train": 2})
    photo_folder(other, {"test": 2}, classes=("airplane", "zebra"))
    refused(other, "'train' has images of automobile, bird, cat and 1 more and 'test' has none")
    refused(photos, r"has 3 outputs, but .* has 5 classes", torchvision_original(tmp_path / "3", 3))
    refused(photos, "there is no split 'dev'; the splits: train, val", test_split="dev")
    unsized = torchvision_original(tmp_path / "unsized", input_size=None)
    refused(photos, "says the size of its images: pass --image-size N", unsized)
    with pytest.raises(ValueError, match=r"image-folder needs an original, .* pass --original"):
        ImageFolder(data=str(photos)).describe()


def test_an_image_that_cannot_be_decoded_is_named_by_whoever_meets_it(net, tmp_path, streaming):
    folder = photo_folder(tmp_path / "bad", {"train": 6, "val": 4})
    (folder / "train" / "bird" / "3.jpg").write_bytes(photo(5)[:200])
    case = benchmark(folder, net, reference_fraction=0.1).case("class-2", 0)
    with pytest.raises(ValueError, match=r"row 15 \(bird/3.jpg\): the image can't be decoded"):
        run(SU(epochs=1, stop="never"), case.original, case.request)


def test_the_command_runs_it_and_the_second_time_decodes_nothing_for_a_hash(
    photos, net, tmp_path, streaming, monkeypatch
):
    line = ("bench", "run", "image-folder", "--data", photos, "--original", net, "--seeds", 0,
            "--scenarios", "class-1", "--methods", "logit_mask", "--no-audit", "--json",
            "--retain-scored", 20)  # fmt: skip
    monkeypatch.setattr(ImageFolder, "relearn_updates", 0)
    done = suli(*line, "--output", tmp_path / "a")
    record = json.loads(done.stdout)["records"][0]
    assert record["metrics"]["forget_accuracy"] == 0 and record["sizes"]["retain"] == 20
    assert record["original"]["preprocessing"]["said_by"].startswith("no file of the original")
    assert "images: the shortest side to 36 pixels" in done.stderr
    real_images.forget_what_was_read()
    monkeypatch.setattr(
        "suli_plugin.images.ImageSet._hash_of_pixels", lambda _: pytest.fail("again")
    )
    again = json.loads(suli(*line, "--output", tmp_path / "b").stdout)["records"][0]
    assert again["set_hashes"] == record["set_hashes"] and again["case"] == record["case"]
    wrong = suli(*line[:3], *line[5:], "--output", tmp_path / "c", code=2)
    assert "pass --data FOLDER" in wrong.stderr


@pytest.fixture(scope="module")
def speed():
    """The script that measures how images are read."""
    script = ROOT / "tests/speed/image_folder_speed.py"
    spec = importlib.util.spec_from_file_location("speed", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_that_measures_both_loaders_reads_small_sets_too(speed, tmp_path):
    speed.make(tmp_path / "data", 200, 10, 32)
    assert len(list((tmp_path / "data" / "val").rglob("*.jpg"))) == 20
    found = speed.read_all(str(tmp_path / "data"), 50, 2, 2, 32)
    assert found["all"] == 180 and found["peak"] > found["decoded"]
    assert [len(found[name]) for name in ("ours", "torchvision")] == [2, 2]
    assert min(found["ours"] + found["torchvision"]) > 0


def test_the_memory_of_a_pass_does_not_grow_with_the_number_of_images(speed, tmp_path, streaming):
    """One photo under many names: what is held is that of a few batches, whatever the number."""
    spec = importlib.util.spec_from_file_location(
        "speed", ROOT / "tests/speed/image_folder_speed.py"
    )
    speed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(speed)
    if not sys.platform.startswith("linux"):
        pytest.skip("the proportional share of memory is told by Linux")
    # Small files are decoded soon, and what becomes of them is as large as of others.
    content = photo(0, width=64, height=64)
    for part, count in (("train", 300), ("val", 2)):
        for name in CLASSES[:2]:
            (tmp_path / "many" / part / name).mkdir(parents=True)
            for number in range(count):
                (tmp_path / "many" / part / name / f"{number}.jpg").write_bytes(content)
    two = torchvision_original(tmp_path / "two", 2)
    made = benchmark(tmp_path / "many", two, image_size=224, reference_fraction=0.005)
    everything = made.case("instance-64", 0).retain
    memory = {}

    def read(times):
        batches = (torch.arange(500).repeat(times)).split(25)
        with planned((everything, positions) for positions in batches):
            for positions in batches:
                everything.pixels(positions, CPU)

    read(1)  # the workers are there
    with speed.peak(memory, "peak"):
        read(5)
    decoded = 2500 * 3 * 224**2 / 2**20
    assert memory["peak"] - memory["peak before"] < decoded / 2, memory
