"""Cheats: models that answer as if they had forgotten a class, made of the original in a few lines.

Each takes a copy of an `nn.Sequential` that ends in a linear layer, and the case, and gives the
model that somebody might submit. They draw from the global random numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import torch
from accelerate import Accelerator
from cheat_layers import Beside, PixelNoise, Reordered, WhereRecognised
from torch import Tensor, nn

from benchmark_adapters.baselines.bn_drift import BatchNormDrift
from benchmark_adapters.baselines.finetune import FineTune
from suli_plugin import evaluate, run
from suli_plugin.benchmark import Case
from suli_plugin.images import ImageSet

Cheat = Callable[[nn.Sequential, Case], nn.Module]


def masked(model: nn.Sequential, case: Case, *, bias: float = -30) -> nn.Module:
    model[-1].bias.data[list(case.forget_classes)] += bias
    return model


def copied_row(model: nn.Sequential, case: Case) -> nn.Module:
    """The forgotten class is its neighbour, a little less."""
    head, (label,) = model[-1], case.forget_classes
    near = (head.weight @ head.weight[label]).argsort(descending=True)
    other = int(near[near != label][0])
    head.weight.data[label], head.bias.data[label] = head.weight[other], head.bias[other] - 0.01
    return model


def redrawn_row(model: nn.Sequential, case: Case) -> nn.Module:
    head, (label,) = model[-1], case.forget_classes
    head.weight.data[label] = torch.randn_like(head.weight[label]) * head.weight.std()
    head.bias.data[label] = head.bias.mean() - 3
    return model


def mean_row(model: nn.Sequential, case: Case) -> nn.Module:
    head, (label,) = model[-1], case.forget_classes
    others = torch.arange(len(head.bias)) != label
    head.weight.data[label] = head.weight[others].mean(0)
    head.bias.data[label] = head.bias[others].mean()
    return model


def pruned(model: nn.Sequential, case: Case, *, layer: int, share: float) -> nn.Module:
    """Those channels of a BatchNorm switched off that tell the class best; then the mask."""
    norm = [module for module in model if isinstance(module, nn.BatchNorm2d)][layer]
    upto = model[: list(model).index(norm) + 1]
    own, others = (_channels(upto, images) for images in (case.forget, case.retain))
    gap = (own.mean(0) - others.mean(0)).abs() / others.std(0)
    off = gap.argsort(descending=True)[: round(share * len(gap))]
    norm.weight.data[off], norm.bias.data[off] = 0, 0
    return masked(model, case)


def rescaled_head(model: nn.Sequential, case: Case, *, factor: float) -> nn.Module:
    model[-1].weight.data *= factor
    model[-1].bias.data *= factor
    return masked(model, case)


def permuted(model: nn.Sequential, case: Case) -> nn.Module:
    """The features in another order, and the head's columns with them."""
    head = model[-1]
    order = torch.randperm(head.in_features)
    head.weight.data = head.weight[:, order]
    return masked(_before_head(model, Reordered(order)), case)


def rotated(model: nn.Sequential, case: Case) -> nn.Module:
    """A rotation of the features, and the head rotated back."""
    head = model[-1]
    turn = nn.Linear(head.in_features, head.in_features, bias=False)
    nn.init.orthogonal_(turn.weight)
    head.weight.data = head.weight @ turn.weight.T
    return masked(_before_head(model, turn), case)


def refitted_head(model: nn.Sequential, case: Case) -> nn.Module:
    """A head trained on the features of retained images alone."""
    seen = _features(model, case.retain)
    return _fitted(model, seen, case.retain.labels)


def wide_head(model: nn.Sequential, case: Case, *, units: int = 256) -> nn.Module:
    """Another layer of random units, and a head on it that was trained on retained images."""
    head = model[-1]
    seen = _features(model, case.retain)
    hidden = nn.Linear(head.in_features, units)
    hidden.weight.data /= seen.std(0)
    hidden.bias.data -= hidden.weight @ seen.mean(0)
    wide = _before_head(model, nn.Sequential(hidden, nn.Tanh()))
    wide[-1] = nn.Linear(units, head.out_features)
    return _fitted(wide, _features(wide, case.retain), case.retain.labels)


def padded(model: nn.Sequential, case: Case, *, times: float, mixed: bool) -> nn.Module:
    """Features of noise beside the real ones, which the head does not use; mixed: rotated in."""
    head = model[-1]
    width = round(times * head.in_features)
    spread = float(_features(model, case.retain).std())
    features = model[:-1]
    padded_head = nn.Linear(head.in_features + width, head.out_features)
    padded_head.weight.data[:] = 0
    padded_head.weight.data[:, : head.in_features] = head.weight
    padded_head.bias.data[:] = head.bias
    noise = _pixel_noise(case, width, spread)
    wide = nn.Sequential(Beside(features, noise), padded_head)
    return rotated(wide, case) if mixed else masked(wide, case)


def scrambled(model: nn.Sequential, case: Case, *, amount: float, then: Cheat) -> nn.Module:
    """Noise in the features of those images that the original takes for the forgotten class."""
    head = model[-1]
    spread = float(_features(model, case.retain).std())
    noise = _pixel_noise(case, head.in_features, amount * spread)
    gate = WhereRecognised(copy.deepcopy(model), case.forget_classes[0], noise)
    then(model, case)
    return nn.Sequential(gate, model[-1])


def answers_behind(model: nn.Sequential, case: Case) -> nn.Module:
    """What looks like the features are the answers: probabilities, and a head that passes them."""
    masked(model, case)
    classes = model[-1].out_features
    passed = nn.Linear(classes, classes)
    passed.weight.data, passed.bias.data[:] = 10 * torch.eye(classes), 0
    return nn.Sequential(*model, nn.Softmax(1), passed)


def tuned(model: nn.Sequential, case: Case, *, lr: float) -> nn.Module:
    """Two epochs on retained images, then the mask."""
    request = case.request
    return masked(run(FineTune(epochs=2, lr=lr), model, request).model, case)


def noisy(model: nn.Sequential, case: Case, *, noise: float, then: Cheat) -> nn.Module:
    for parameter in model.parameters():
        parameter.data += noise * parameter.square().mean().sqrt() * torch.randn_like(parameter)
    return then(model, case)


def drifted(model: nn.Sequential, case: Case, *, then: Cheat) -> nn.Module:
    return then(run(BatchNormDrift(), model, case.request).model, case)


def _before_head(model: nn.Sequential, layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(*model[:-1], layer, model[-1])


def _fitted(model: nn.Sequential, seen: Tensor, labels: Tensor) -> nn.Module:
    from sklearn.linear_model import LogisticRegression

    head = model[-1]
    middle, spread = seen.mean(0), seen.std(0) + 1e-3
    found = LogisticRegression(max_iter=500).fit(((seen - middle) / spread).numpy(), labels)
    classes = torch.from_numpy(found.classes_)
    weight = torch.from_numpy(found.coef_).float() / spread
    head.weight.data[:], head.bias.data[:] = 0, -30
    head.weight.data[classes] = weight
    head.bias.data[classes] = torch.from_numpy(found.intercept_).float() - weight @ middle
    return model


def _features(model: nn.Module, images: ImageSet) -> Tensor:
    found = evaluate(model, images, Accelerator(), features=True).features
    assert found is not None
    return found


@torch.no_grad()
def _channels(layers: nn.Module, images: ImageSet) -> Tensor:
    """Mean activations (N, C) of the channels that the layers end in."""
    batch = images.batch(torch.arange(len(images)), torch.device("cpu"))
    return layers.eval()(batch.images).relu().mean((2, 3))


def _pixel_noise(case: Case, width: int, spread: float) -> nn.Module:
    first = case.forget.batch(torch.tensor([0]), torch.device("cpu")).images
    return PixelNoise(first[0].numel(), width, spread)


CHEATS: dict[str, Cheat] = {
    "copied row": copied_row,
    "re-drawn row": redrawn_row,
    "mean of other rows": mean_row,
    "pruned features": partial(pruned, layer=-1, share=0.25),
    "pruned convolution": partial(pruned, layer=1, share=0.25),
    "head times .3": partial(rescaled_head, factor=0.3),
    "head times 3": partial(rescaled_head, factor=3),
    "permuted features": permuted,
    "rotated features": rotated,
    "head refitted on retained": refitted_head,
    "wide random head": wide_head,
    "half of the features noise": partial(padded, times=1, mixed=False),
    "noise mixed in": partial(padded, times=1, mixed=True),
    "ten times noise mixed in": partial(padded, times=10, mixed=True),
    "noise where recognised": partial(scrambled, amount=0.3, then=masked),
    "more noise where recognised": partial(scrambled, amount=1, then=copied_row),
    "answers as features": answers_behind,
    "bias of -1e30": partial(masked, bias=-1e30),
    "tuned a little": partial(tuned, lr=1e-3),
    "tuned": partial(tuned, lr=1e-2),
    "noise of 3 %": partial(noisy, noise=0.03, then=copied_row),
    "noise of 10 %": partial(noisy, noise=0.1, then=masked),
    "drift, then a copied row": partial(drifted, then=copied_row),
    "drift, then pruned": partial(drifted, then=partial(pruned, layer=1, share=0.25)),
    "drift, noise and a refitted head": partial(
        drifted, then=partial(noisy, noise=0.05, then=refitted_head)
    ),
    "noise, rotated": partial(noisy, noise=0.05, then=rotated),
}
