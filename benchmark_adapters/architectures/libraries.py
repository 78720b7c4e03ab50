"""The families `torchvision/NAME`, `timm/NAME` and `transformers/TYPE`, imported when used."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from torch import Tensor, nn

# What would fetch weights or run foreign code, in place of describing an architecture.
_NOT_OPTIONS = {
    "torchvision": {"weights", "weights_backbone", "progress"},
    "timm": {
        *("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained_model_args"),
        *("checkpoint_path", "cache_dir", "scriptable", "exportable"),
    },
}
# Of a transformers configuration: code to download, kernels to download, dead weight. Of the
# names of `architectures` transformers takes those of its own classes for the type, no others.
_NOT_CONFIG = {
    *("auto_map", "trust_remote_code", "quantization_config", "use_kernels", "custom_pipelines"),
    *("attn_implementation", "experts_implementation", "transformers_version"),
    *("dtype", "torch_dtype", "model_type"),
}


def torchvision_model(
    num_classes: int, *, variant: str, cifar_stem: bool = False, **options: Any
) -> nn.Module:
    """A classifier of torchvision without weights.

    cifar_stem: a 3x3 first convolution of stride 1 and no max-pool (ResNets).
    """
    models = _imported("torchvision.models")
    _refuse("torchvision", options)
    if variant not in models.list_models(module=models):
        raise ValueError(f"torchvision has no classifier {variant!r}")
    model: nn.Module = models.get_model(variant, weights=None, num_classes=num_classes, **options)
    return _with_cifar_stem(model) if cifar_stem else model


def timm_model(
    num_classes: int, *, variant: str, cifar_stem: bool = False, **options: Any
) -> nn.Module:
    """A model of timm without weights. cifar_stem: as for `torchvision_model`."""
    timm = _imported("timm")
    _refuse("timm", options)
    # A prefix such as hf-hub: would let timm download from anywhere.
    if ":" in variant or not timm.is_model(variant):
        raise ValueError(f"timm {timm.__version__} has no model {variant!r}")
    model: nn.Module = timm.create_model(
        variant, pretrained=False, num_classes=num_classes, **options
    )
    return _with_cifar_stem(model) if cifar_stem else model


def timm_default(variant: str) -> dict[str, Any]:
    """What timm says of a network's own weights: sizes, crop, mean; empty for a name of no such."""
    found = _imported("timm").get_pretrained_cfg(variant)
    return found.to_dict() if found is not None else {}


def transformers_model(
    num_classes: int, *, variant: str, config: Mapping[str, Any] | None = None
) -> nn.Module:
    """An `AutoModelForImageClassification` without weights; its output has `.logits`.

    variant: the model type, `vit` say. config: fields of its configuration; `architectures`
    chooses among the classifiers of a type (DeiT's with and without a distillation head). Code
    and kernels that a configuration names are never loaded.
    """
    transformers = _imported("transformers")
    fields = described_only(config or {})
    labels = fields.get("id2label")
    if labels is None:
        fields["num_labels"] = num_classes
    elif len(labels) != num_classes:
        raise ValueError(f"its id2label names {len(labels)} classes")
    if variant not in transformers.CONFIG_MAPPING:
        raise ValueError(f"transformers {transformers.__version__} has no model type {variant!r}")
    made = transformers.AutoConfig.for_model(variant, **fields)
    import torch

    model: nn.Module = transformers.AutoModelForImageClassification.from_config(
        made, dtype=torch.float32, trust_remote_code=False
    )
    return model


def described_only(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a transformers configuration that describe the architecture, at any depth."""
    return {
        name: described_only(value) if isinstance(value, Mapping) else value
        for name, value in config.items()
        if name not in _NOT_CONFIG and not str(name).startswith("_")
    }


def transformers_loaded(model: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """The model of `transformers_model` with weights as published, whose names may be older.

    In float32, whatever precision they have. Raises ValueError for a missing, unexpected or
    misshapen weight, naming the first few.
    """
    import torch

    with _quiet_transformers():
        loaded, report = type(model).from_pretrained(  # type: ignore[attr-defined]  # one of transformers'
            None,
            config=model.config,
            state_dict=dict(state),
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
        )
    problems = [
        f"{kind.removesuffix('_keys')} {_first_few(sorted(map(str, report[kind])))}"
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if report[kind]
    ]
    if problems:
        raise ValueError(f"the weights do not fit {type(model).__name__}: {'; '.join(problems)}")
    result: nn.Module = loaded
    return result


def _first_few(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _with_cifar_stem(model: nn.Module) -> nn.Module:
    stem = getattr(model, "conv1", None)
    if not isinstance(stem, nn.Conv2d) or not hasattr(model, "maxpool"):
        raise ValueError("cifar_stem is for ResNets, which have conv1 and maxpool")
    model.conv1 = nn.Conv2d(stem.in_channels, stem.out_channels, 3, 1, 1, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.maxpool = nn.Identity()
    return model


def _refuse(library: str, options: Mapping[str, Any]) -> None:
    foreign = sorted(_NOT_OPTIONS[library] & options.keys())
    if foreign:
        raise ValueError(
            f"{', '.join(foreign)} cannot be an option: weights are loaded by us alone"
        )


def _imported(module: str) -> Any:
    """A library's module. Raises ValueError that says what to install."""
    library = module.partition(".")[0]
    try:
        return import_module(module)
    except ImportError as error:
        if library == "torchvision":
            raise ValueError("torchvision is not installed: pip install torchvision") from error
        raise ValueError(
            f"{library} is not installed or does not import "
            f"({str(error).splitlines()[0]}): pip install 'suli-plugin[{library}]'"
        ) from error
    except RuntimeError as error:
        # torchvision's compiled operators miss their torch, and so do those who import it.
        raise ValueError(
            f"{library} does not import, since torchvision and torch do not match "
            f"({str(error).splitlines()[0]}): pip install --upgrade torch torchvision"
        ) from error


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bar and no report of the loading, which is checked and raised instead."""
    logging = _imported("transformers.utils.logging")
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
