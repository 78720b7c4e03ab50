"""Architectures by name: ours, and those of torchvision, timm and transformers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from suli_plugin.hookspecs import hookimpl


@hookimpl
def register_architectures(register: Callable[[str, Callable[..., nn.Module]], None]) -> None:
    """Small networks for small images, and the families of other libraries."""
    from benchmark_adapters.architectures import all_cnn, cifar_resnet, libraries
    from benchmark_adapters.architectures.cosine_convnet import CosineConvNet
    from benchmark_adapters.architectures.digits_convnet import digits_convnet

    register("cifar_resnet18", cifar_resnet.cifar_resnet18)
    for depth in cifar_resnet.DEPTHS:
        register(f"cifar_resnet{depth}", partial(cifar_resnet.cifar_resnet, depth))
    register("all_cnn", all_cnn.AllCNN)
    register("cosine_convnet", CosineConvNet)
    register("digits_convnet", digits_convnet)
    register("torchvision/", libraries.torchvision_model)
    register("timm/", libraries.timm_model)
    register("transformers/", libraries.transformers_model)


def build_architecture(name: str, num_classes: int, **options: Any) -> nn.Module:
    """An untrained model, initialised from the global random state.

    name: `net` or `family/variant`, registered by a plugin (see `suli plugins`).
    Raises ValueError for an unknown name and for options or a number of classes that the
    architecture refuses.
    """
    from suli_plugin.plugins import registry

    factory = registry().architecture(name)
    try:
        model = factory(num_classes, **options)
    except Exception as error:
        # A stranger's factory may raise anything; the user made one mistake: name or options.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        given = f" and the options {', '.join(sorted(options))}" if options else ""
        raise ValueError(
            f"the architecture {name!r} cannot be built for {num_classes} classes{given}: {reason}"
        ) from error
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"the architecture {name!r} made {type(model).__name__}, expected an nn.Module"
        )
    return model
