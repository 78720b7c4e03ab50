"""Grad-CAM of the same images under several models, as in the paper's Figure 5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from benchmark_adapters.baselines.attention import sees_patches_only
from benchmark_adapters.report.palette import Theme, shortened
from benchmark_adapters.report.picture import WIDTH, CannotBeDrawn, Picture, picture
from benchmark_adapters.report.shown_models import ShownModels
from suli_plugin.batch_norm import evaluation_mode
from suli_plugin.images import ImageSet
from suli_plugin.logits import logits_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "What the models look at (Grad-CAM)"
FORGET_IMAGES, RETAIN_IMAGES = 3, 2
COLORS = "inferno"
CAPTION = """
Seed {seed}. Where in the image each model finds its own answer (Selvaraju et al., Grad-CAM, ICCV
2017; captum's LayerGradCam; layer {layer}, {height}x{width} pixels, scaled up to the image): bright
is the strongest evidence within this one map, nothing lit means no positive evidence. Below each
map: the class that the model answers, which is the class explained, and its probability. The
images are drawn by the seed, {forget} from the forget set and {retain} from the retain set, and
are the same for every model. {missing}
"""
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Explained:
    """A model's answers: heat float32 (B, H, W) in [0, 1]; classes int64 (B,); confidences (B,)."""

    label: str
    heat: Array
    classes: Array
    confidences: Array


@dataclass(frozen=True)
class Row:
    """An image as it is shown, (H, W) or (H, W, 3) in [0, 1], and what it is."""

    pixels: Array
    title: str


@dataclass(frozen=True)
class FeatureMaps:
    """The layer whose output is explained: its name and kind, height and width of its maps."""

    name: str
    kind: str
    height: int
    width: int


def grad_cam(shown: ShownModels, accelerator: Accelerator) -> Picture:
    """Draw the models' maps. Raises CannotBeDrawn for a model without maps of features."""
    forget, retain = shown.sample(FORGET_IMAGES, RETAIN_IMAGES)
    rows = [*_rows(forget, "forgotten"), *_rows(retain, "retained")]
    device = accelerator.device
    images = torch.cat([s.batch(torch.arange(len(s)), device).images for s in (forget, retain)])
    layers = {
        label: last_feature_maps(model.to(device), images[:1])
        for label, model in shown.models.items()
    }
    explained = [
        explain(label, model, layers[label].name, images) for label, model in shown.models.items()
    ]
    return _picture(shown, rows, explained, next(iter(layers.values())))


def last_feature_maps(model: nn.Module, image: Tensor) -> FeatureMaps:
    """The module that finishes last of those with an output (B, C, H, W) larger than one pixel.

    image: (1, C, H, W), normalised. Modules that run several times are passed over. Raises
    CannotBeDrawn if there is none, and for transformers: what has four dimensions there is heads
    and tokens.
    """
    if sees_patches_only(model):
        raise CannotBeDrawn(
            f"{type(model).__name__} has no maps of features behind the layer that cuts images "
            f"into patches"
        )
    finished: list[tuple[str, tuple[int, ...]]] = []
    handles = [
        module.register_forward_hook(_noting(name, finished))
        for name, module in model.named_modules()
        if name
    ]
    try:
        with evaluation_mode(model):
            model(image)
    finally:
        for handle in handles:
            handle.remove()
    names = [name for name, _ in finished]
    modules = dict(model.named_modules())
    for name, shape in reversed(finished):
        if len(shape) == 4 and shape[2] * shape[3] > 1 and names.count(name) == 1:
            return FeatureMaps(name, type(modules[name]).__name__, shape[2], shape[3])
    raise CannotBeDrawn(f"{type(model).__name__} has no layer with maps of features, (B, C, H, W)")


def explain(label: str, model: nn.Module, layer: str, images: Tensor) -> Explained:
    """Grad-CAM of the class that the model answers. images: (B, C, H, W), normalised."""
    from captum.attr import LayerAttribution, LayerGradCam

    def logits(batch: Tensor) -> Tensor:
        return logits_of(model(batch))

    with evaluation_mode(model):
        confidences, classes = logits(images).float().softmax(1).max(1)
        with torch.enable_grad():
            # Through the input, so that a model with frozen weights has gradients, too.
            seen = images.detach().clone().requires_grad_()
            heat = LayerGradCam(logits, model.get_submodule(layer)).attribute(
                seen, target=classes, relu_attributions=True
            )
        heat = LayerAttribution.interpolate(heat, images.shape[2:], "bilinear")[:, 0]
    strongest = heat.amax((1, 2), keepdim=True).clamp_min(torch.finfo(heat.dtype).tiny)
    parts = (heat / strongest, classes, confidences)
    return Explained(label, *(part.detach().cpu().numpy() for part in parts))


def _noting(name: str, finished: list[tuple[str, tuple[int, ...]]]) -> Any:
    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            finished.append((name, tuple(output.shape)))

    return note


def _rows(images: ImageSet, what: str) -> list[Row]:
    pixels, labels = images.pixels(torch.arange(len(images)), torch.device("cpu"))
    shown = pixels.float() / (255 if pixels.dtype == torch.uint8 else 1)
    if shown.shape[1] not in (1, 3):
        shown = shown.mean(1, keepdim=True)
    arrays = _stretched(shown).permute(0, 2, 3, 1).numpy()
    return [
        Row(image.squeeze(), f"{what},\nclass {int(label)}")
        for image, label in zip(arrays, labels, strict=True)
    ]


def _stretched(images: Tensor) -> Tensor:
    """Into [0, 1]; float pixels may have any range."""
    if float(images.min()) >= 0 and float(images.max()) <= 1:
        return images
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    return (images - low) / (high - low).clamp_min(1e-12)


def _picture(
    shown: ShownModels, rows: Sequence[Row], explained: Sequence[Explained], layer: FeatureMaps
) -> Picture:
    forget = sum(row.title.startswith("forgotten") for row in rows)
    return picture(
        "grad-cam",
        TITLE,
        lambda theme: _figure(theme, rows, explained, shown),
        caption=CAPTION.format(
            seed=shown.seed,
            layer=f"{layer.name} ({layer.kind})",
            height=layer.height,
            width=layer.width,
            forget=forget,
            retain=len(rows) - forget,
            missing=shown.what_is_missing,
        ),
        alt=" ".join(_in_words(row, index, explained) for index, row in enumerate(rows)),
    )


def _in_words(row: Row, index: int, explained: Sequence[Explained]) -> str:
    answers = (f"{each.label} answers class {each.classes[index]}" for each in explained)
    return f"An image {row.title.replace(chr(10), ' ')}: {', '.join(answers)}."


def _figure(
    theme: Theme, rows: Sequence[Row], explained: Sequence[Explained], shown: ShownModels
) -> Figure:
    from matplotlib.figure import Figure

    columns = 1 + len(explained)
    side = min(1.4, (WIDTH - 0.9) / columns)
    size = (side * columns + 0.9, (side + 0.25) * len(rows) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for index, (row, line) in enumerate(zip(rows, grid, strict=True)):
        line[0].imshow(row.pixels, cmap="gray", vmin=0, vmax=1)
        line[0].set_ylabel(row.title, rotation=0, ha="right", va="center")
        for axes, each in zip(line[1:], explained, strict=True):
            _overlay(axes, row, each, index)
    grid[0, 0].set_title("image", fontweight="bold", fontsize=9)
    for axes, each in zip(grid[0, 1:], explained, strict=True):
        control = "\n(control)" if each.label in shown.scenario.controls else ""
        axes.set_title(shortened(each.label, 14) + control, fontweight="bold", fontsize=9)
    return figure


def _overlay(axes: Any, row: Row, each: Explained, index: int) -> None:
    gray = row.pixels if row.pixels.ndim == 2 else row.pixels.mean(2)
    heat = each.heat[index]
    axes.imshow(gray, cmap="gray", vmin=0, vmax=1)
    axes.imshow(heat, cmap=COLORS, vmin=0, vmax=1, alpha=0.75 * heat, interpolation="bilinear")
    answer = f"{each.classes[index]} ({each.confidences[index]:.0%})"
    axes.set_xlabel(answer, fontsize=9, labelpad=2)
