"""A small real problem for tests: digits, a forget set of one class or of some samples."""

import copy
import dataclasses
import functools

import torch
from torch import nn

from benchmark_adapters.benchmarks.digits import digits_parts
from suli_plugin import ForgetRequest
from suli_plugin.randomness import seeded
from suli_plugin.testing.recorded import small_training

CPU = torch.device("cpu")


def convnet(*, dropout=0.0, batch_norm=True, seed=0):
    """The untrained network of a seed; the caller's random numbers go on as before."""
    with seeded(seed, CPU):
        return _convnet(dropout, batch_norm)


def _convnet(dropout, batch_norm):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8) if batch_norm else nn.Identity(),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(16) if batch_norm else nn.Identity(),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(64, 10),
    )


_TRAINED: dict = {}


def trained_convnet(**options):
    """A convnet that has learned the digits, cached; a fresh copy each time."""
    key = tuple(sorted(options.items()))
    if key not in _TRAINED:
        # Dropout draws: who asks first must not shift what comes out, nor what is drawn next.
        with seeded(options.get("seed", 0), CPU):
            _TRAINED[key] = _trained(convnet(**options))
    return copy.deepcopy(_TRAINED[key])


def _trained(model):
    images = digits_parts().train
    batch = images.batch(torch.arange(len(images)), CPU)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(batch.images), batch.labels).backward()
        optimizer.step()
    return model.eval()


def request(scope, *, count=70, label=3):
    """A request with every resource: class `label`, or `count` samples, of the digits."""
    parts = digits_parts()
    mask = forgotten(scope, count=count, label=label)
    return ForgetRequest(
        forget=parts.train.subset(torch.where(mask)[0]),
        retain=parts.train.subset(torch.where(~mask)[0]),
        reference=parts.reference,
        fresh_model=convnet,
        image_shape=(1, 8, 8),
        forget_classes=(label,) if scope == "class-wise" else (),
    )


def forgotten(scope, *, count=70, label=3):
    """Which training images a request is about, bool (N,)."""
    labels = digits_parts().train.labels
    return labels == label if scope == "class-wise" else torch.arange(len(labels)) < count


def recorded(scope):
    """An original without BatchNorm that was trained, and the request with what that left."""
    train = digits_parts().train
    fresh = functools.partial(convnet, batch_norm=False)
    original, records = small_training(train, fresh, forgotten(scope), seed=7)
    return original, dataclasses.replace(request(scope), **vars(records))


def request_of_two_classes():
    """A class-wise request whose forget set holds classes 3 and 5."""
    train = digits_parts().train
    mask = (train.labels == 3) | (train.labels == 5)
    return ForgetRequest(
        forget=train.subset(torch.where(mask)[0]),
        retain=train.subset(torch.where(~mask)[0]),
        fresh_model=convnet,
        forget_classes=(3, 5),
    )


def tensors(images):
    """All images, normalised, and labels of a set."""
    batch = images.batch(torch.arange(len(images)), CPU)
    return batch.images, batch.labels
