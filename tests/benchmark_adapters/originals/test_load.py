"""Originals of every layout, from a folder or a file."""

import io
import json
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from original_layouts_example import (
    CIFAR10_MEAN,
    CIFAR10_STD,
    NAMES,
    akamaster,
    as_json,
    edadaltocg,
    ours,
    pickled,
    plain,
    timm,
    transformers,
)

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.originals.checkpoints import save_checkpoint
from benchmark_adapters.originals.load import load_original
from suli_plugin.evaluation import evaluate
from suli_plugin.images import ImageSet
from suli_plugin.runner import run
from suli_plugin.suli import SULI
from suli_plugin.unlearner import ForgetRequest

SLOW = pytest.mark.slow
# From the README of the checkpoints, on the whole test set.
REAL = {
    "resnet20-cifar10": ("cifar_resnet20", 0.9173),
    "resnet56-cifar10": ("cifar_resnet56", 0.9339),
    "resnet18-cifar10": ("cifar_resnet18", 0.9232),
}


def written(folder, files):
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def same(loaded, model):
    pairs = zip(loaded.state_dict().items(), model.state_dict().items(), strict=True)
    return all(one == other and torch.equal(a, b) for (one, a), (other, b) in pairs)


@pytest.fixture(scope="module")
def test_slice(real_data):
    """The first 1,000 images of CIFAR-10's test set and their labels."""
    import pyarrow.parquet
    from PIL import Image

    path = real_data / "cifar10" / "plain_text" / "test-00000-of-00001.parquet"
    rows = pyarrow.parquet.read_table(path, columns=["img", "label"]).slice(0, 1000).to_pylist()
    images = [Image.open(io.BytesIO(row["img"]["bytes"])).convert("RGB") for row in rows]
    return [(image, row["label"]) for image, row in zip(images, rows, strict=True)]


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name", ["resnet20-cifar10", "resnet56-cifar10", pytest.param("resnet18-cifar10", marks=SLOW)]
)
def test_real_originals_score_what_they_are_known_for(name, test_slice, real_data):
    architecture, accuracy = REAL[name]
    original = load_original(real_data / "checkpoints" / name)
    config = original.config
    images = ImageSet(test_slice, mean=config.mean, std=config.std, kind="reference")
    measured = evaluate(original.model, images, Accelerator(cpu=True)).accuracy()
    assert config.architecture == architecture and config.num_classes == 10
    # The slice's own standard error is 0.9 points.
    assert measured == pytest.approx(accuracy, abs=0.02)


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_real_originals_become_checkpoints_of_ours_bit_for_bit(name, tmp_path, real_data):
    original = load_original(real_data / "checkpoints" / name)
    save_checkpoint(tmp_path / "saved", original.model, original.config)
    again = load_original(tmp_path / "saved")
    assert again.config == original.config and same(again.model, original.model)
    if "18" not in name:
        # Their files are named after their hash.
        assert original.weights_file.split("-")[1].startswith(original.sha256[:8])
        assert original.licence_text.startswith("Copyright (c) 2018, Yerlan Idelbayev")


def test_our_layout(tmp_path):
    folder = written(tmp_path / "a", ours(tmp_path / "saved"))
    original = load_original(str(folder))
    assert original.config.architecture == "all_cnn" and original.config.options == {"width": 0.1}
    assert original.config.classes == tuple(NAMES) and original.config.license == "cc-by-4.0"
    assert original.config.training == {"epochs": 2}
    assert original.provenance() == {
        "source": str(folder),
        "commit": None,
        "weights_file": "model.safetensors",
        "sha256": original.sha256,
    }
    twin = original.fresh_model()
    assert not torch.equal(twin.classifier.weight, original.model.classifier.weight)


@pytest.mark.parametrize("as_file", [False, True])
def test_a_cifar_resnet_as_akamaster_saves_it(as_file, tmp_path):
    model = build_architecture("cifar_resnet20", 10)
    folder = written(tmp_path / "a", akamaster(model))
    original = load_original(folder / "resnet20-12fca82f.th" if as_file else folder)
    assert original.config.architecture == "cifar_resnet20" and original.config.num_classes == 10
    assert original.config.mean == (0.485, 0.456, 0.406)
    assert original.config.input_size == (3, 32, 32)
    assert same(original.model, model)
    assert original.licence_text == (None if as_file else "Copyright (c) 2018")


def test_the_layout_of_edadaltocg_is_read_at_the_top_level(tmp_path):
    model = build_architecture("cifar_resnet18", 5)
    original = load_original(written(tmp_path / "a", edadaltocg(model)))
    assert original.config.architecture == "cifar_resnet18" and original.config.num_classes == 5
    assert original.config.mean == tuple(CIFAR10_MEAN) and original.config.std == tuple(CIFAR10_STD)
    assert original.config.input_size == (3, 32, 32) and original.config.license == "mit"
    assert same(original.model, model)


def test_a_sibling_of_edadaltocg_with_bottlenecks(tmp_path):
    model = build_architecture("torchvision/resnet50", 5, cifar_stem=True)
    original = load_original(written(tmp_path / "a", edadaltocg(model, "resnet50")))
    assert original.config.architecture == "torchvision/resnet50"
    assert original.config.options == {"cifar_stem": True}
    assert same(original.model, model)


def test_timm(tmp_path):
    pytest.importorskip("timm", reason="the extra timm is not installed")
    model, files = timm(tmp_path / "a")
    original = load_original(written(tmp_path / "b", files))
    assert original.config.architecture == "timm/vit_tiny_patch16_224"
    assert original.config.input_size == (3, 32, 32) and original.config.mean == (0.5, 0.5, 0.5)
    assert same(original.model, model)
    save_checkpoint(tmp_path / "c", original.model, original.config)
    assert same(load_original(tmp_path / "c").model, model)


@pytest.mark.parametrize("model_type", ["vit", "resnet", "convnext", "dinov2"])
def test_transformers(model_type, tmp_path):
    pytest.importorskip("transformers", reason="the extra transformers is not installed")
    model, files = transformers(tmp_path / "a", model_type)
    original = load_original(written(tmp_path / "b", files))
    assert original.config.architecture == f"transformers/{model_type}"
    assert original.config.classes == tuple(NAMES) and original.config.mean == tuple(CIFAR10_MEAN)
    assert same(original.model, model) and not original.model.training
    assert original.config.input_size == (3, 32, 32)
    save_checkpoint(tmp_path / "c", original.model, original.config)
    again = load_original(tmp_path / "c")
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(again.model(images).logits, model.eval()(images).logits)


@pytest.mark.parametrize("library", ["ours", "transformers"])
def test_an_original_is_unlearned_and_published_in_our_layout(library, tmp_path):
    if library == "ours":
        files = akamaster()
    else:
        pytest.importorskip("transformers", reason="the extra transformers is not installed")
        _, files = transformers(tmp_path / "a")
    original = load_original(written(tmp_path / "b", files))
    config = original.config
    pixels = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    forget = ImageSet.of_tensors(
        pixels, torch.ones(8), mean=config.mean, std=config.std, kind="forget"
    )
    accelerator = Accelerator(cpu=True)
    request = ForgetRequest(forget=forget, forget_classes=(1,))
    done = run(SULI(sweeps=1, stop="never"), original.model, request, accelerator=accelerator)
    config = replace(config, unlearning=done.as_dict())
    save_checkpoint(tmp_path / "c", done.model, config)
    again = load_original(tmp_path / "c")
    assert again.config == config and same(again.model, done.model)
    assert not same(again.model, original.model)
    logits = [evaluate(model, forget, accelerator).logits for model in (again.model, done.model)]
    assert torch.equal(*logits)


def test_transformers_weights_that_do_not_fit_are_named(tmp_path, capfd):
    pytest.importorskip("transformers", reason="the extra transformers is not installed")
    model, files = transformers(tmp_path / "a")
    state = model.state_dict()
    state["classifier.weight"] = torch.zeros(5, 33)
    state["extra"] = state.pop("vit.embeddings.cls_token")
    folder = written(tmp_path / "b", files)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickled(state))
    with pytest.raises(ValueError, match="do not fit ViTForImageClassification: missing") as got:
        load_original(folder)
    assert "missing vit.embeddings.cls_token; unexpected extra; mismatched" in str(got.value)
    assert "\n" not in str(got.value) and "MISSING" not in capfd.readouterr().err


def test_a_processor_that_does_not_scale_to_one_is_refused(tmp_path):
    pytest.importorskip("transformers", reason="the extra transformers is not installed")
    _, files = transformers(tmp_path / "a")
    for change, reason in (
        ({"rescale_factor": 1 / 127.5}, "otherwise than by 1/255"),
        ({"do_rescale": False}, "otherwise than by 1/255"),
        ({"image_mean": None}, "nothing here says its mean and std"),
    ):
        processor = {**json.loads(files["preprocessor_config.json"]), **change}
        folder = written(tmp_path / "b", {**files, "preprocessor_config.json": as_json(processor)})
        with pytest.raises(ValueError, match=reason):
            load_original(folder)
    raw = {**json.loads(files["preprocessor_config.json"]), "do_normalize": False}
    folder = written(tmp_path / "b", {**files, "preprocessor_config.json": as_json(raw)})
    assert load_original(folder).config.std == (1.0, 1.0, 1.0)


def test_any_state_dict_whose_architecture_is_named(tmp_path):
    model = build_architecture("torchvision/mobilenet_v3_small", 4)
    path = tmp_path / "net.safetensors"
    path.write_bytes(plain(model))
    say = {"architecture": "torchvision/mobilenet_v3_small", "mean": (0.5,) * 3, "std": (0.5,) * 3}
    with pytest.raises(ValueError, match=r"neither config.json nor the names of the weights"):
        load_original(path)
    for more in ({}, {"num_classes": 4}):
        loaded = load_original(path, **say, **more)
        assert same(loaded.model, model) and loaded.config.num_classes == 4
    digits = build_architecture("digits_convnet", 10)
    path.write_bytes(plain(digits))
    say = {"architecture": "digits_convnet", "mean": (0.5,), "std": (0.5,)}
    with pytest.raises(ValueError, match="nothing here says its num_classes: pass num_classes="):
        load_original(path, **say)
    assert same(load_original(path, **say, num_classes=10).model, digits)
    small = build_architecture("torchvision/resnet18", 4, cifar_stem=True, width_per_group=64)
    path.write_bytes(plain(small))
    named = load_original(
        path, **{**say, "architecture": "torchvision/resnet18"}, options={"width_per_group": 64}
    )
    assert named.config.options == {"width_per_group": 64, "cifar_stem": True}
    assert named.config.num_classes == 4 and same(named.model, small)


def test_a_plain_state_dict_of_a_cifar_resnet_needs_its_normalisation_only(tmp_path):
    model = build_architecture("cifar_resnet18", 7)
    (tmp_path / "net.pt").write_bytes(pickled(model.state_dict()))
    with pytest.raises(ValueError, match="nothing here says its mean and std: pass mean= and std="):
        load_original(tmp_path)
    loaded = load_original(tmp_path, mean=CIFAR10_MEAN, std=CIFAR10_STD)
    assert loaded.config.architecture == "cifar_resnet18" and loaded.config.num_classes == 7


def test_safetensors_is_preferred_to_a_pickle(tmp_path):
    files = ours(tmp_path / "saved")
    folder = written(tmp_path / "a", {**files, "pytorch_model.bin": b"never read"})
    assert load_original(folder).weights_file == "model.safetensors"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_classes": 6, "classes": None}, "should have 6 classes, but none of its weights"),
        ({"num_classes": 10**12, "classes": None}, "none of its weights has 1000000000000 outputs"),
        ({"num_classes": 19, "classes": None}, r"classifier.weight is \(5, 19, 1, 1\) .* instead"),
        ({"classes": ["cat"]}, "classes must be 5 names"),
        ({"architecture": "nosuch"}, "unknown architecture 'nosuch'; known: all_cnn"),
        ({"architecture": "evil/../net"}, "unknown architecture"),
        ({"architecture": "cifar_resnet20", "options": {}}, "missing: conv1.weight, bn1.weight"),
        ({"options": {"width": 0.2}}, r"features.0.0.weight is \(9, 3, 3, 3\) .* instead of \(19"),
        ({"options": {"height": 2}}, "cannot be built for 5 classes and the options height"),
        ({"options": {"batch_norm": True}}, "missing: features.0.1.weight.*unexpected: "),
        ({"suli_checkpoint": 9}, "config.json: suli_checkpoint must be 1, got 9"),
        ({"mean": "grey"}, "config.json: mean must be numbers"),
    ],
)
def test_a_config_that_contradicts_the_weights_or_itself(changes, reason, tmp_path):
    folder = written(tmp_path / "a", ours(tmp_path / "saved", **changes))
    with pytest.raises(ValueError, match=reason) as got:
        load_original(folder)
    assert str(got.value).startswith(f"cannot load {folder}: ") and "\n" not in str(got.value)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "expected one file of weights .* there are none"),
        ({"a.pt": b"", "b.th": b""}, "there are several: a.pt, b.th; keep one"),
        ({"model.safetensors.index.json": b"{}"}, "split over several files"),
        ({"config.json": b"[1]", "a.pt": b""}, "config.json must be a JSON object, got list"),
        ({"config.json": b"{", "a.pt": b""}, "config.json is not JSON"),
        ({"config.json": b"[" * 10**6, "a.pt": b""}, "config.json is not JSON"),
        ({"model.safetensors": b"\xff" * 100}, "not a whole safetensors file"),
        ({"model.safetensors": b""}, "not a whole safetensors file"),
    ],
)
def test_a_folder_that_is_no_original(files, reason, tmp_path):
    with pytest.raises(ValueError, match=reason) as got:
        load_original(written(tmp_path / "a", files))
    assert "\n" not in str(got.value)


def test_the_hash_that_a_request_names_is_verified(tmp_path):
    folder = written(tmp_path / "a", ours(tmp_path / "saved"))
    sha256 = load_original(folder).sha256
    assert load_original(folder, sha256=sha256).sha256 == sha256
    with pytest.raises(ValueError, match=f"has sha256 {sha256}, expected {'0' * 64}"):
        load_original(folder, sha256="0" * 64)
    with pytest.raises(ValueError, match="64 hexadecimal digits, got 'abc'"):
        load_original(folder, sha256="abc")


def test_what_is_neither_here_nor_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source in ("nosuch", "a/b/c", "https://huggingface.co/a/b", "", "../../etc/passwd"):
        with pytest.raises(ValueError, match="org/name") as got:
            load_original(source)
        assert "\n" not in str(got.value)
    with pytest.raises(ValueError, match="has no revision 'v1'"):
        load_original(tmp_path, revision="v1")
