"""An original's configuration says what becomes of images, and a checkpoint of ours keeps it."""

import json

import original_layouts_example as layouts
import pytest
import torch
from original_layouts_example import as_json, pickled

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.originals import torchvision_weights
from benchmark_adapters.originals.checkpoints import save_checkpoint
from benchmark_adapters.originals.load import load_original


def written(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_that_of_timm_is_kept_in_a_checkpoint_of_ours(tmp_path):
    pytest.importorskip("timm", reason="the extra timm is not installed")
    torch.manual_seed(0)
    layouts.timm(tmp_path / "timm")
    original = load_original(tmp_path / "timm")
    found = original.config.preprocessing
    assert (found.size, found.resize, found.interpolation) == (32, 35, "bicubic")
    save_checkpoint(tmp_path / "ours", original.model, original.config)
    assert load_original(tmp_path / "ours").config == original.config


def test_timm_itself_knows_it_where_no_file_says_it(tmp_path):
    timm = pytest.importorskip("timm", reason="the extra timm is not installed")
    net = timm.create_model("test_vit", num_classes=5)
    config = {"architecture": "test_vit", "num_classes": 5, "mean": [0.5] * 3, "std": [0.5] * 3}
    files = {"config.json": as_json(config), "pytorch_model.bin": pickled(net.state_dict())}
    found = load_original(written(tmp_path / "a", files)).config.preprocessing
    assert found.said_by == "timm's default_cfg"
    assert (found.size, found.resize, found.interpolation) == (160, 168, "bicubic")
    other = {**config, "input_size": [3, 32, 32]}
    files["config.json"] = as_json(other)
    assert load_original(written(tmp_path / "b", files)).config.preprocessing is None


def test_a_nested_configuration_of_another_size_does_not_count(tmp_path):
    files = layouts.edadaltocg(build_architecture("cifar_resnet18", 5))
    config = json.loads(files["config.json"])
    config["pretrained_cfg"]["crop_pct"] = 0.875
    folder = written(tmp_path / "a", {**files, "config.json": as_json(config)})
    assert load_original(folder).config.preprocessing is None


def test_weights_that_torchvision_publishes_are_known_by_their_hash(tmp_path, monkeypatch):
    facts = torchvision_weights.published_as("f37072fd" + 56 * "0")
    assert facts["architecture"] == "torchvision/resnet18" and facts["num_classes"] == 1000
    assert facts["input_size"] == (3, 224, 224) and facts["preprocessing"].resize == 256
    assert torchvision_weights.published_as("0" * 64) == {}
    # No weights can be fetched here, so weights of our own stand for published ones.
    net = build_architecture("torchvision/resnet18", 1000)
    path = tmp_path / "resnet18.pth"
    path.write_bytes(pickled(net.state_dict()))
    with pytest.raises(ValueError, match="pass architecture="):
        load_original(path)
    import hashlib

    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    known = torchvision_weights._by_digits()
    monkeypatch.setattr(torchvision_weights, "_by_digits", lambda: {digits: known["f37072fd"]})
    original = load_original(path)
    assert original.config.preprocessing == facts["preprocessing"]
    assert original.config.mean == (0.485, 0.456, 0.406)


def test_preprocessing_that_is_none_is_refused(tmp_path):
    files = layouts.ours(tmp_path / "a", preprocessing={"size": 32, "resize": 16})
    with pytest.raises(ValueError, match="preprocessing needs a size, a resize of at least that"):
        load_original(written(tmp_path / "b", files))
    files = layouts.ours(tmp_path / "c", preprocessing="crop")
    with pytest.raises(ValueError, match="preprocessing must be its fields by name"):
        load_original(written(tmp_path / "d", files))
