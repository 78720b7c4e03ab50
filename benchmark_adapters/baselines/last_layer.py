"""The layer whose rows are the classes: what a control that only touches answers changes."""

from __future__ import annotations

from torch import Tensor, nn

from suli_plugin.session import Session


def last_layer(model: nn.Module, session: Session) -> nn.Linear | nn.Conv2d:
    """The model's last linear layer, or its last convolution if it has none.

    An all-convolutional network ends in a convolution. Raises ValueError if there is neither.
    """
    for kind in (nn.Linear, nn.Conv2d):
        layers = [module for module in model.modules() if isinstance(module, kind)]
        if layers:
            return layers[-1]
    raise ValueError(
        f"{session.method} needs a model with a last layer, nn.Linear or nn.Conv2d; "
        f"{type(model).__name__} has neither"
    )


def last_bias(model: nn.Module, session: Session) -> Tensor:
    """The last layer's bias, (K,). Raises ValueError if it has none."""
    bias = last_layer(model, session).bias
    if bias is None:
        raise ValueError(
            f"{session.method} needs a model whose last layer, nn.Linear or nn.Conv2d, has a bias"
        )
    return bias


def forgotten_rows(model: nn.Module, session: Session) -> list[int]:
    """The last layer's rows of what is forgotten, now or earlier.

    Raises ValueError for a class that the layer has no row for.
    """
    classes, outputs = list(session.forbidden_classes), len(last_layer(model, session).weight)
    if max(classes) >= outputs:
        raise ValueError(
            f"forgotten class {max(classes)} is out of range: the model has {outputs} outputs"
        )
    return classes


def resize(layer: nn.Linear | nn.Conv2d, weight: Tensor, bias: Tensor | None) -> None:
    """Give the layer these rows, (K, ...) and (K,), and as many outputs; gradient flags stay."""
    layer.weight = nn.Parameter(weight, requires_grad=layer.weight.requires_grad)
    if layer.bias is not None and bias is not None:
        layer.bias = nn.Parameter(bias, requires_grad=layer.bias.requires_grad)
    if isinstance(layer, nn.Linear):
        layer.out_features = len(weight)
    else:
        layer.out_channels = len(weight)
