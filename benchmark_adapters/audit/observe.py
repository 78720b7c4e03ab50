"""Look at a model for its audit: one pass over each set, and one more of the drawn images."""

from __future__ import annotations

from collections.abc import Mapping

from accelerate import Accelerator
from torch import Tensor, nn

from benchmark_adapters.audit.observation import SETS, Observation, drawn, drawn_images
from benchmark_adapters.audit.relearning import RelearnRates
from benchmark_adapters.audit.traits import traits_of
from benchmark_adapters.metrics.prototype import Head
from suli_plugin.batch_norm_statistics import with_statistics_of
from suli_plugin.evaluation import Predictions, evaluate
from suli_plugin.images import ImageSet


def observe(
    model: nn.Module,
    sets: Mapping[str, ImageSet],
    classes: tuple[int, ...],
    accelerator: Accelerator,
    *,
    answers: Mapping[str, Predictions] | None = None,
    rates: RelearnRates | None = None,
) -> Observation:
    """What an audit looks at in a model.

    sets: `forget`, and of `retain` and `test` what there is. classes: the forgotten ones. answers:
    predictions of these sets with features, if a float32 pass has been made. rates: of relearning,
    None to draw no such curves. Raises ValueError for a model whose features can't be told.
    """
    sets = {name: sets[name] for name in SETS if name in sets}
    if answers is None:
        answers = {
            name: evaluate(model, images, accelerator, features=True, channels_last=True)
            for name, images in sets.items()
        }
    parts = {name: _part(answers[name], classes) for name in sets}
    settled = _settled(model, sets, classes, accelerator) or parts
    return Observation(
        {name: Predictions(answers[name].logits, answers[name].labels) for name in sets},
        parts,
        settled,
        head_of(model),
        traits_of(model, sets, settled, classes, accelerator, rates),
    )


def head_of(model: nn.Module) -> Head | None:
    """A copy of the last layer: the last linear one, or a 1x1 convolution; None for others."""
    layers = [module for module in model.modules() if isinstance(module, (nn.Linear, nn.Conv2d))]
    if not layers or (isinstance(layers[-1], nn.Conv2d) and layers[-1].kernel_size != (1, 1)):
        return None
    weight, bias = layers[-1].weight.detach(), layers[-1].bias
    return Head(weight.flatten(1).cpu().clone(), None if bias is None else _copy(bias))


def _settled(
    model: nn.Module,
    sets: Mapping[str, ImageSet],
    classes: tuple[int, ...],
    accelerator: Accelerator,
) -> dict[str, Predictions] | None:
    """None without BatchNorm, or without retained images to take its statistics of."""
    if "retain" not in sets:
        return None
    settled = with_statistics_of(
        model, drawn_images(sets["retain"], classes), accelerator, channels_last=True
    )
    if settled is None:
        return None
    return {
        name: evaluate(
            settled, drawn_images(images, classes), accelerator, features=True, channels_last=True
        )
        for name, images in sets.items()
    }


def _part(answers: Predictions, classes: tuple[int, ...]) -> Predictions:
    positions = drawn(answers.labels, classes)
    features = answers.features
    return Predictions(
        answers.logits[positions],
        answers.labels[positions],
        None if features is None else features[positions],
    )


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone()
