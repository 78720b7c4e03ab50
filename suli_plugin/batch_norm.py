"""What becomes of BatchNorm while a method trains, said and never left over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, get_args

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

BatchNorm = Literal["update", "keep", "frozen"]
"""update: batch statistics, running buffers move. keep: batch statistics, buffers stay.
frozen: running statistics; scale and shift still learn."""
BATCH_NORM: tuple[BatchNorm, ...] = get_args(BatchNorm)


@contextmanager
def training_mode(model: nn.Module, batch_norm: BatchNorm) -> Iterator[None]:
    """Training mode under this policy; every module's own flags come back afterwards."""
    with _flags_restored(model):
        model.train()
        for layer in batch_norms(model):
            layer.train(batch_norm != "frozen")
            layer.track_running_stats = layer.track_running_stats and batch_norm != "keep"
        with _lone_values_spared(model):
            yield


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every module's own flags come back afterwards."""
    with _flags_restored(model), torch.no_grad():
        # Some (LeViT) keep what they compute from weights until they are next put into training.
        model.train()
        model.eval()
        yield


@contextmanager
def statistics_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, but BatchNorm sees batch statistics and moves its running ones."""
    with evaluation_mode(model), _lone_values_spared(model):
        for layer in batch_norms(model):
            layer.train()
        yield


@contextmanager
def buffers_kept(model: nn.Module) -> Iterator[None]:
    """Batch statistics stay in use, running statistics stay as they are."""
    with _flags_restored(model):
        for layer in batch_norms(model):
            if layer.training:
                layer.track_running_stats = False
        yield


@contextmanager
def buffers_moved_twice(model: nn.Module) -> Iterator[None]:
    """Make one forward pass move the running statistics as two passes of the same batch would.

    Both see the same batch statistics, so r <- (1-m) r + m s done twice is once with momentum
    1 - (1-m)^2. With `momentum=None` (the plain average) the n-th update weighs 1/n.
    """
    moving = [b for b in batch_norms(model) if b.training and b.track_running_stats]
    momenta = [layer.momentum for layer in moving]
    for layer in moving:
        layer.momentum = _momentum_of_two(layer)
    try:
        yield
    finally:
        for layer, momentum in zip(moving, momenta, strict=True):
            layer.momentum = momentum
            if layer.num_batches_tracked is not None:
                layer.num_batches_tracked.add_(1)


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The model's BatchNorm layers."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def _momentum_of_two(layer: _BatchNorm) -> float:
    if layer.momentum is not None:
        return 1 - (1 - layer.momentum) ** 2
    seen = int(layer.num_batches_tracked) if layer.num_batches_tracked is not None else 0
    return 1 - (1 - 1 / (seen + 1)) * (1 - 1 / (seen + 2))


@contextmanager
def _flags_restored(model: nn.Module) -> Iterator[None]:
    training = {module: module.training for module in model.modules()}
    tracking = {layer: layer.track_running_stats for layer in batch_norms(model)}
    try:
        yield
    finally:
        for module, flag in training.items():
            module.training = flag
        for layer, flag in tracking.items():
            layer.track_running_stats = flag


@contextmanager
def _lone_values_spared(model: nn.Module) -> Iterator[None]:
    with ExitStack() as hooks:
        for layer in batch_norms(model):
            hooks.callback(layer.register_forward_pre_hook(_spare_lone_value).remove)
            hooks.callback(layer.register_forward_hook(_spared).remove)
        yield


def _spare_lone_value(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
    """One value a channel has no batch statistics: use the running ones for that batch."""
    if torch.compiler.is_compiling():
        # A batch of one is never compiled, see `ForwardPasses`.
        return
    if layer.training and inputs[0].numel() == inputs[0].shape[1]:
        layer.training, layer.spared = False, True  # type: ignore[assignment]  # a mark for _spared


def _spared(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
    if torch.compiler.is_compiling():
        return
    if layer.__dict__.pop("spared", False):
        layer.training = True


SPARING = (_spare_lone_value, _spared)
"""The hooks that this file leaves on layers."""
