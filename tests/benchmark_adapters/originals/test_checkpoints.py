"""Writing checkpoints: whole or not at all, and what they may not be."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from repository import ROOT, SUPPORT

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.originals.checkpoints import (
    CheckpointConfig,
    save_checkpoint,
)
from benchmark_adapters.originals.load import load_original
from benchmark_adapters.originals.whole_folder import whole_folder

CONFIG = CheckpointConfig(
    architecture="cifar_resnet20",
    num_classes=10,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.201),
    input_size=(3, 32, 32),
)
VIT = {
    **{"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8},
    **{"intermediate_size": 32, "image_size": 32, "id2label": {"0": "cat", "1": "dog"}},
}
FAMILIES = {
    "cifar_resnet18": (10, {}),
    "cifar_resnet20": (10, {"in_channels": 1}),
    "cifar_resnet110": (100, {}),
    "all_cnn": (10, {"width": 0.5, "batch_norm": True}),
    "digits_convnet": (10, {}),
    "torchvision/resnet18": (3, {"cifar_stem": True}),
    "torchvision/mobilenet_v3_small": (3, {}),
    "torchvision/squeezenet1_1": (3, {}),
    "timm/resnet18": (3, {"cifar_stem": True}),
    "timm/vit_tiny_patch16_224": (3, {"img_size": [32, 32], "patch_size": 8, "depth": 1}),
    "transformers/vit": (2, {"config": VIT}),
}


@pytest.fixture
def model():
    return build_architecture("cifar_resnet20", 10)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_comes_back_bit_for_bit(name, tmp_path):
    if name.startswith(("timm", "transformers")):
        library = name.partition("/")[0]
        pytest.importorskip(library, reason=f"the extra {library} is not installed")
    classes, options = FAMILIES[name]
    model = build_architecture(name, classes, **options)
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.data.uniform_(0.5, 2)
    config = CheckpointConfig(
        **{"architecture": name, "num_classes": classes, "options": options},
        **{"mean": (0.5,), "std": (0.25,), "license": "mit", "training": {"epochs": 3}},
        **{"classes": tuple(map(str, range(classes))), "unlearning": {"method": "suli"}},
    )
    sha256 = save_checkpoint(tmp_path / "saved", model, config)
    loaded = load_original(tmp_path / "saved")
    assert loaded.config == config
    assert loaded.sha256 == sha256 and loaded.commit is None
    assert not loaded.model.training
    state = loaded.model.state_dict()
    assert list(state) == list(model.state_dict())
    for key, value in model.state_dict().items():
        assert torch.equal(state[key], value) and state[key].dtype == value.dtype, key
    assert save_checkpoint(tmp_path / "again", loaded.model, loaded.config) == sha256


def test_a_model_in_channels_last_is_written_contiguous(model, tmp_path):
    model = model.to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "saved", model, CONFIG)
    state = load_original(tmp_path / "saved").model.state_dict()
    assert torch.equal(state["conv1.weight"], model.conv1.weight)
    assert state["conv1.weight"].is_contiguous()


def test_saving_leaves_the_model_and_the_random_state_alone(model, tmp_path):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    save_checkpoint(tmp_path / "saved", model.train(), CONFIG)
    load_original(tmp_path / "saved")
    assert torch.equal(torch.get_rng_state(), random_state)
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_an_existing_folder_stays_as_it_is_unless_forced(model, tmp_path):
    folder = tmp_path / "saved"
    save_checkpoint(folder, model, CONFIG)
    before = (folder / "config.json").read_bytes()
    other = replace(CONFIG, license="mit")
    with pytest.raises(ValueError, match="saved exists; choose another folder"):
        save_checkpoint(folder, model, other)
    assert (folder / "config.json").read_bytes() == before
    (folder / "README.md").write_text("old")
    save_checkpoint(folder, model, other, force=True)
    assert load_original(folder).config.license == "mit"
    assert not (folder / "README.md").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_force_replaces_checkpoints_only(model, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(ValueError, match="thesis holds no checkpoint"):
        save_checkpoint(tmp_path / "thesis", model, CONFIG, force=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file is not a folder"):
        save_checkpoint(tmp_path / "file", model, CONFIG, force=True)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "years of work"


def test_an_interruption_leaves_the_old_checkpoint(model, tmp_path):
    sha256 = save_checkpoint(tmp_path / "saved", model, CONFIG)
    with (
        pytest.raises(KeyboardInterrupt),
        whole_folder(tmp_path / "saved", force=True) as unfinished,
    ):
        (unfinished / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt
    assert load_original(tmp_path / "saved").sha256 == sha256
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.slow
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    # A limit on the size of files stands for the full disk; it needs no rights to mount one.
    code = """
import resource
from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.originals.checkpoints import save_checkpoint
from test_checkpoints import CONFIG
model = build_architecture("cifar_resnet20", 10)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_checkpoint("saved", model, CONFIG)
except ValueError as error:
    print(error)
"""
    paths = os.pathsep.join(map(str, (ROOT, Path(__file__).parent, SUPPORT)))
    done = subprocess.run(
        [sys.executable, "-c", code],
        **{"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": paths}},
        **{"capture_output": True, "text": True},
    )
    assert done.stdout.startswith("cannot write saved: "), done.stderr
    assert "File too large" in done.stdout and done.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_folder_has_the_permissions_of_the_umask(model, tmp_path):
    before = os.umask(0o027)
    try:
        save_checkpoint(tmp_path / "saved", model, CONFIG)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "saved").stat().st_mode) == 0o750


def test_a_config_that_does_not_describe_the_model_is_not_written(model, tmp_path):
    wrong = {
        r"linear.weight is \(10, 64\) float32 instead of \(7, 64\) float32": {"num_classes": 7},
        "missing: layer1.3.conv1.weight": {"architecture": "cifar_resnet32"},
        "unknown architecture 'nosuch'": {"architecture": "nosuch"},
        "and the options depth": {"options": {"depth": 4}},
    }
    for reason, change in wrong.items():
        with pytest.raises(ValueError, match=reason):
            save_checkpoint(tmp_path / "saved", model, replace(CONFIG, **change))
    with pytest.raises(ValueError, match=r"is .* bfloat16 instead of .* float32"):
        save_checkpoint(tmp_path / "saved", model.bfloat16(), CONFIG)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"num_classes": 0}, "num_classes must be a whole number above 0, got 0"),
        ({"num_classes": True}, "num_classes must be a whole number"),
        ({"num_classes": "10"}, "num_classes must be a whole number"),
        ({"architecture": 3}, "architecture must be a name"),
        ({"mean": ()}, "mean must be numbers"),
        ({"mean": "0.5"}, "mean must be numbers"),
        ({"mean": (float("nan"),) * 3}, "mean must be numbers"),
        ({"std": (0.0, 1.0, 1.0)}, "std must be numbers above 0"),
        ({"std": (1.0,)}, "std must be numbers above 0, as many as mean has"),
        ({"std": 3}, "std must be numbers above 0"),
        ({"input_size": (1, 32, 32)}, "with as many channels as mean has"),
        ({"input_size": (32, 32)}, "input_size must be"),
        ({"classes": ("cat",)}, "classes must be 10 names"),
        ({"classes": tuple(range(10))}, "classes must be 10 names"),
        ({"options": ["width"]}, "options must be options by name"),
        ({"license": 3}, "license must be an identifier"),
        ({"training": {"lr": {1, 2}}}, "training and unlearning must be JSON"),
        ({"unlearning": float("inf")}, "training and unlearning must be JSON"),
    ],
)
def test_a_field_that_does_not_fit_is_named(change, reason):
    with pytest.raises(ValueError, match=reason) as raised:
        replace(CONFIG, **change)
    assert "\n" not in str(raised.value)


def test_the_document_is_readable_and_says_its_version(model, tmp_path):
    save_checkpoint(tmp_path / "saved", model, replace(CONFIG, training={"by": "Zoë"}))
    text = (tmp_path / "saved" / "config.json").read_text(encoding="utf-8")
    document = json.loads(text)
    assert "Zoë" in text and document["suli_checkpoint"] == 1
    with pytest.raises(ValueError, match="suli_checkpoint must be 1, got 2: written by another"):
        CheckpointConfig.from_json({**document, "suli_checkpoint": 2})
    with pytest.raises(ValueError, match="it lacks num_classes, std"):
        CheckpointConfig.from_json({"suli_checkpoint": 1, "architecture": "x", "mean": [0.5]})
    assert CheckpointConfig.from_json({**document, "new": 1}).training == {"by": "Zoë"}


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_every_file_is_readable_as_the_umask_says(mask, model, tmp_path):
    before = os.umask(mask)
    try:
        save_checkpoint(tmp_path / "saved", model, CONFIG)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "saved").iterdir()}
    assert modes == {0o666 & ~mask}
