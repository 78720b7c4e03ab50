"""Originals in each layout that `load_original` reads, small, as dictionaries of files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.originals.checkpoints import CheckpointConfig, save_checkpoint

CIFAR10_MEAN, CIFAR10_STD = [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.201]
NAMES = ["airplane", "automobile", "bird", "cat", "deer"]


Teach = Callable[[nn.Module], object]


def as_it_is(model: nn.Module) -> None:
    """Teaches nothing."""


def pickled(value: Any, **options: Any) -> bytes:
    """What torch.save writes."""
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def as_json(document: Any) -> bytes:
    """UTF-8 JSON."""
    return json.dumps(document).encode()


def ours(folder: Path, **changes: Any) -> dict[str, bytes]:
    """A small All-CNN in our own layout, with a card."""
    config = CheckpointConfig(
        architecture="all_cnn",
        num_classes=5,
        mean=tuple(CIFAR10_MEAN),
        std=tuple(CIFAR10_STD),
        options={"width": 0.1},
        input_size=(3, 32, 32),
        classes=tuple(NAMES),
        training={"epochs": 2},
    )
    save_checkpoint(folder, build_architecture("all_cnn", 5, width=0.1), config)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    config_json = {**json.loads(files["config.json"]), **changes}
    card = b"---\nlicense: cc-by-4.0\ntags: [x]\n---\n# A card\n"
    return {**files, "config.json": as_json(config_json), "README.md": card}


def akamaster(model: nn.Module | None = None) -> dict[str, bytes]:
    """A CIFAR ResNet as akamaster/pytorch_resnet_cifar10 saves it."""
    model = model or build_architecture("cifar_resnet20", 10)
    state = {
        f"module.{key}": value
        for key, value in model.state_dict().items()
        if "num_batches_tracked" not in key
    }
    data = pickled({"state_dict": state, "best_prec1": 91.7}, _use_new_zipfile_serialization=False)
    return {"resnet20-12fca82f.th": data, "LICENSE": b"Copyright (c) 2018"}


def edadaltocg(model: nn.Module, architecture: str = "resnet18") -> dict[str, bytes]:
    """The layout of edadaltocg/resnet18_cifar10; the nested part is wrong in some siblings."""
    config = {
        **{"architecture": architecture, "num_classes": 5, "num_features": 512},
        **{"mean": CIFAR10_MEAN, "std": CIFAR10_STD, "input_size": [3, 32, 32]},
        "pretrained_cfg": {
            **{"mean": [0.5] * 3, "std": [0.5] * 3, "num_classes": 1000},
            **{"input_size": [3, 224, 224], "classifier": "fc"},
        },
    }
    card = b"---\nlicense: mit\nlibrary_name: timm\n---\n"
    weights = pickled(model.state_dict())
    return {"config.json": as_json(config), "pytorch_model.bin": weights, "README.md": card}


def timm(folder: Path, teach: Teach = as_it_is) -> tuple[nn.Module, dict[str, bytes]]:
    """A small ViT as timm itself writes it. teach: what the model learns before."""
    from timm import create_model
    from timm.models import save_for_hf

    model = create_model("vit_tiny_patch16_224", num_classes=5, img_size=32, patch_size=8, depth=1)
    teach(model)
    save_for_hf(model, str(folder), safe_serialization=True)
    return model, {path.name: path.read_bytes() for path in folder.iterdir()}


def transformers(
    folder: Path, model_type: str = "vit", teach: Teach = as_it_is
) -> tuple[nn.Module, dict[str, bytes]]:
    """A small image classifier as transformers itself writes it, with its image processor."""
    from transformers import AutoConfig, AutoModelForImageClassification

    attention = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    stages = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "patch_size": 4}
    small = {
        **(stages if model_type in ("resnet", "convnext") else {**attention, "patch_size": 8}),
        **{"image_size": 32, "id2label": dict(enumerate(NAMES))},
    }
    config = AutoConfig.for_model(model_type, **small)
    model = AutoModelForImageClassification.from_config(config)
    teach(model)
    model.save_pretrained(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    processor = {
        **{"do_normalize": True, "do_rescale": True, "rescale_factor": 0.00392156862745098},
        **{"image_mean": CIFAR10_MEAN, "image_std": CIFAR10_STD, "size": {"shortest_edge": 32}},
    }
    return model, {**files, "preprocessor_config.json": as_json(processor)}


def plain(model: nn.Module) -> bytes:
    """A plain state dict in safetensors."""
    return safetensors.torch.save(model.state_dict())
