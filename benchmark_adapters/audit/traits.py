"""Traits: what only the model itself shows, a number or a curve each, measured once."""

from __future__ import annotations

from collections.abc import Mapping

from accelerate import Accelerator
from torch import Tensor, nn

from benchmark_adapters.audit.observation import drawn_images
from benchmark_adapters.audit.relearning import RelearnRates, curves_of
from benchmark_adapters.metrics.idi import layer_information
from benchmark_adapters.metrics.quantisation import Bits, quantised
from benchmark_adapters.metrics.residual_knowledge import recognised_nearby
from suli_plugin.evaluation import Predictions, evaluate
from suli_plugin.images import ImageSet

BITS: tuple[Bits, ...] = (8, 4)


def traits_of(
    model: nn.Module,
    sets: Mapping[str, ImageSet],
    settled: Mapping[str, Predictions],
    classes: tuple[int, ...],
    accelerator: Accelerator,
    rates: RelearnRates | None,
) -> dict[str, tuple[float, ...]]:
    """By name: `int8`, `int4` and `nearby` (forget accuracies), `membership_bits`, and the curves.

    The accuracies are of the drawn images. sets: of the case. settled: predictions of the drawn
    images with settled statistics. rates: of the relearning curves, None to leave these out.
    """
    forget = drawn_images(sets["forget"], classes)
    traits: dict[str, tuple[float, ...]] = {
        f"int{bits}": (_accuracy(quantised(model, bits), forget, accelerator),) for bits in BITS
    }
    traits["nearby"] = (recognised_nearby(model, forget, accelerator, channels_last=True),)
    if classes and "retain" in settled:
        features = [_features(settled[name]) for name in ("forget", "retain")]
        traits["membership_bits"] = layer_information([features[0]], [features[1]])
    if rates is not None and "retain" in sets:
        traits |= curves_of(model, sets, classes, accelerator, rates)
        traits |= {"few_shot_rate": (rates.few_shot,), "retain_only_rate": (rates.retain_only,)}
    return traits


def rates_in(traits: Mapping[str, tuple[float, ...]]) -> RelearnRates | None:
    """The rates at which the curves among these traits were drawn."""
    if not {"few_shot_rate", "retain_only_rate"} <= traits.keys():
        return None
    return RelearnRates(traits["few_shot_rate"][0], traits["retain_only_rate"][0])


def _accuracy(model: nn.Module, images: ImageSet, accelerator: Accelerator) -> float:
    return evaluate(model, images, accelerator, channels_last=True).accuracy()


def _features(predictions: Predictions) -> Tensor:
    assert predictions.features is not None
    return predictions.features
