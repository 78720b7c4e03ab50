"""What the layouts of published originals say about their weights, in the words of ours."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from benchmark_adapters.architectures.cifar_resnet import DEPTHS
from benchmark_adapters.architectures.libraries import timm_default
from benchmark_adapters.originals.checkpoints import CONFIG, FORMAT, CheckpointConfig
from benchmark_adapters.originals.skeleton import outputs
from benchmark_adapters.originals.torchvision_weights import published_as
from benchmark_adapters.originals.weight_files import Weights
from benchmark_adapters.preprocessing.published import of_timm, of_transformers

PROCESSOR = "preprocessor_config.json"
# Key names and shapes of these are torchvision's in timm, too.
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
# akamaster/pytorch_resnet_cifar10 trains with ImageNet's statistics on CIFAR-10.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_TIMM_DEFAULTS = (("in_chans", 3), ("global_pool", "avg"))

Facts = dict[str, Any]
"""Fields of `CheckpointConfig`; what is not known is absent."""


def facts_of(config: Mapping[str, Any], processor: Mapping[str, Any]) -> Facts:
    """What config.json, and preprocessor_config.json beside it, say. Raises ValueError."""
    if FORMAT in config:
        ours = CheckpointConfig.from_json(config)
        return {item.name: getattr(ours, item.name) for item in dataclasses.fields(ours)}
    found = _of_transformers(config, processor) if "model_type" in config else _of_timm(config)
    return {name: value for name, value in found.items() if value is not None}


def is_transformers(config: Mapping[str, Any]) -> bool:
    """Whether this is a configuration of transformers, whose weights it loads itself."""
    return FORMAT not in config and "model_type" in config


def parsed(text: bytes | None, name: str) -> dict[str, Any]:
    """A JSON object; nothing if there is no such file. Raises ValueError for anything else."""
    if text is None:
        return {}
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {str(error).splitlines()[0]}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{name} must be a JSON object, got {type(document).__name__}")
    return document


def completed(facts: Facts, weights: Weights) -> Facts:
    """The facts with what the weights themselves show: architecture, stem, classes.

    A plain state dict of a CIFAR ResNet names nothing but is unmistakable; timm's configuration
    says `resnet18` for a network with a 3x3 stem as well, which timm itself cannot load.
    """
    shown = dict(facts)
    if "architecture" not in shown:
        shown["architecture"] = _cifar_resnet(weights) or _of_torchvision(weights)
    shown = {**_of_library(shown, weights), **shown}
    _mark_cifar_stem(shown, weights)
    if "num_classes" not in shown:
        shown["num_classes"] = outputs(shown, weights.state)
    if _is_akamaster(shown["architecture"], weights):
        shown.setdefault("mean", IMAGENET_MEAN)
        shown.setdefault("std", IMAGENET_STD)
    if str(shown["architecture"]).startswith("cifar_resnet"):
        shown.setdefault("input_size", (3, 32, 32))
    return {name: value for name, value in shown.items() if value is not None}


def _of_torchvision(weights: Weights) -> str:
    """The name of the network that torchvision publishes these weights of. Raises ValueError."""
    known = published_as(weights.sha256)
    if not known:
        raise ValueError(
            "neither config.json nor the names of the weights say which architecture this is: "
            "pass architecture="
        )
    return str(known["architecture"])


def _of_library(facts: Facts, weights: Weights) -> Facts:
    """What the library knows of a network of its own, where no file says it."""
    library, _, name = str(facts["architecture"]).partition("/")
    if library == "torchvision":
        return published_as(weights.sha256)
    if library != "timm" or "preprocessing" in facts or "img_size" in facts.get("options", {}):
        return {}
    default = timm_default(name)
    sizes = [tuple(each["input_size"]) for each in (facts, default) if each.get("input_size")]
    if len(set(sizes)) != 1:
        return {}
    return {"preprocessing": of_timm(default, "timm's default_cfg")}


def _of_timm(config: Mapping[str, Any]) -> Facts:
    """timm's layout, which edadaltocg/resnet18_cifar10 has, too; the top level is right.

    In some siblings of that repository the nested `pretrained_cfg` still describes ImageNet.
    """
    nested = config.get("pretrained_cfg")
    both = {**(nested if isinstance(nested, dict) else {}), **config}
    name = config.get("architecture")
    options = config.get("model_args")
    named = both.get("classes", both.get("label_names"))
    return {
        "architecture": f"timm/{name}" if isinstance(name, str) else None,
        "options": {
            key: value
            for key, value in (options if isinstance(options, dict) else {}).items()
            if key != "num_classes"
        },
        "num_classes": both.get("num_classes"),
        "mean": both.get("mean"),
        "std": both.get("std"),
        "input_size": both.get("input_size"),
        "classes": named if isinstance(named, list) else None,
        "license": both.get("license"),
        "training": both.get("recipe", both.get("training")),
        "preprocessing": of_timm(_consistent(both, nested)),
    }


def _consistent(both: Mapping[str, Any], nested: Any) -> Mapping[str, Any]:
    """Both levels; nothing where the nested one describes inputs of another size."""
    same = not isinstance(nested, dict) or nested.get("input_size") == both.get("input_size")
    return both if same else {}


def _of_transformers(config: Mapping[str, Any], processor: Mapping[str, Any]) -> Facts:
    labels = config.get("id2label")
    count = len(labels) if isinstance(labels, dict) else config.get("num_labels")
    return {
        "architecture": f"transformers/{config['model_type']}",
        "options": {"config": dict(config)},
        "num_classes": count,
        "classes": _class_names(labels),
        "license": config.get("license"),
        **_normalisation(processor),
        "input_size": _input_size(config, processor),
        "preprocessing": of_transformers(processor),
    }


def _class_names(labels: Any) -> tuple[str, ...] | None:
    """The names under 0 to K-1, unless they are transformers' own placeholders."""
    if not isinstance(labels, dict):
        return None
    names = [labels.get(str(number)) for number in range(len(labels))]
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"id2label of {CONFIG} must name the outputs 0 to {len(labels) - 1}")
    if all(name == f"LABEL_{number}" for number, name in enumerate(names)):
        return None
    return tuple(map(str, names))


def _normalisation(processor: Mapping[str, Any]) -> Facts:
    if not processor:
        return {}
    factor = processor.get("rescale_factor", 1 / 255)
    scaled = processor.get("do_rescale", True) and not processor.get("rescale_offset", False)
    if not scaled or not isinstance(factor, (int, float)) or abs(factor * 255 - 1) > 1e-3:
        raise ValueError(f"{PROCESSOR} scales pixels otherwise than by 1/255: pass mean= and std=")
    if not processor.get("do_normalize", True):
        return {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    return {"mean": processor.get("image_mean"), "std": processor.get("image_std")}


def _input_size(config: Mapping[str, Any], processor: Mapping[str, Any]) -> Any:
    sizes = (config.get("image_size"), processor.get("crop_size"), processor.get("size"))
    for size in sizes:
        pair = size
        if isinstance(size, dict):
            edge = size.get("shortest_edge")
            pair = [size.get("height", edge), size.get("width", edge)]
        if type(pair) is int:
            pair = [pair, pair]
        if isinstance(pair, list) and len(pair) == 2 and all(type(side) is int for side in pair):
            return (config.get("num_channels", 3), *pair)
    return None


def _cifar_resnet(weights: Weights) -> str | None:
    """The name of the CIFAR ResNet that the keys and shapes show; None if it is none."""
    state = weights.state
    stem = state.get("conv1.weight")
    width = stem.shape[0] if stem is not None and stem.shape[-1:] == (3,) else 0
    blocks = len({key.split(".")[1] for key in state if key.startswith("layer1.")})
    if width == 16 and "linear.weight" in state and 6 * blocks + 2 in DEPTHS:
        return f"cifar_resnet{6 * blocks + 2}"
    plain = not any(re.match(r"layer\d+\.\d+\.conv3\.", key) for key in state)
    if width == 64 and "fc.weight" in state and blocks == 2 and plain:
        return "cifar_resnet18"
    return None


def _mark_cifar_stem(facts: Facts, weights: Weights) -> None:
    family, _, variant = str(facts["architecture"]).partition("/")
    variant = re.sub(r"_(cifar10|cifar100|svhn)$", "", variant)
    stem = weights.state.get("conv1.weight")
    small = stem is not None and stem.dim() == 4 and stem.shape[-1] == 3
    if family not in ("timm", "torchvision") or variant not in RESNETS or not small:
        return
    options = facts.get("options") or {}
    if family == "timm" and all(item in _TIMM_DEFAULTS for item in options.items()):
        # The same network without the need of timm.
        family, options = "torchvision", {}
    facts["architecture"] = f"{family}/{variant}"
    facts["options"] = {**options, "cifar_stem": True}
    if family == "torchvision" and variant == "resnet18" and not options:
        facts["architecture"], facts["options"] = "cifar_resnet18", {}


def _is_akamaster(architecture: Any, weights: Weights) -> bool:
    depths = {f"cifar_resnet{depth}" for depth in DEPTHS}
    return weights.pickled and weights.parallel and architecture in depths
