"""The feature space of the paper's Figure 4: t-SNE of the same images under several models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from accelerate import Accelerator
from torch import nn

from benchmark_adapters.report.palette import Theme, shortened
from benchmark_adapters.report.picture import WIDTH, CannotBeDrawn, Numbers, Picture, picture
from benchmark_adapters.report.shown_models import ShownModels
from suli_plugin.evaluation import evaluate
from suli_plugin.images import ImageSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Feature space before and after (t-SNE)"
COLUMNS = 3
FORGET_IMAGES, RETAIN_IMAGES = 150, 450
LEAST_IMAGES = 12
PERPLEXITY, NEIGHBOURS = 30, 10
NUMBERED_CLASSES = 20
CAPTION = """
Seed {seed}. t-SNE (van der Maaten and Hinton, 2008; scikit-learn, perplexity {perplexity:.0f},
started from PCA) of what the last layer gets to see, for {forget} forgotten images (triangles) and
{retain} retain images (dots; colour and number are the class), drawn from each class in its
proportion and the same for every model. Each model has a map of its own: what lies together says
something, positions and distances between maps do not. The percentage is measured in the full
feature space: of the {neighbours} nearest neighbours of a forgotten image, how many are forgotten
images; {chance:.0%} would be so by chance. A model that never saw a class still has features for
it, so Retrain, not chance, is what to compare with. {missing}
"""
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Sample:
    """The images that every model is shown, forgotten ones first."""

    forget: ImageSet
    retain: ImageSet

    def __len__(self) -> int:
        return len(self.forget) + len(self.retain)

    @property
    def chance(self) -> float:
        """The share of forgotten images among the others of the sample."""
        return (len(self.forget) - 1) / (len(self) - 1)


@dataclass(frozen=True)
class Map:
    """One model's map: float32 (N, 2), forgotten images first. together: see the caption."""

    label: str
    points: Array
    together: float


def tsne(shown: ShownModels, accelerator: Accelerator) -> Picture:
    """Draw the models' maps.

    Raises CannotBeDrawn if there are too few images, or a model whose features cannot be told.
    """
    sample = Sample(*shown.sample(FORGET_IMAGES, RETAIN_IMAGES))
    if len(sample) < LEAST_IMAGES:
        raise CannotBeDrawn(f"{len(sample)} images are too few; t-SNE needs {LEAST_IMAGES}")
    perplexity = min(PERPLEXITY, (len(sample) - 1) / 3)
    maps = [
        _map(label, _features(label, model, sample, accelerator), sample, perplexity)
        for label, model in shown.models.items()
    ]
    return picture(
        "tsne",
        TITLE,
        lambda theme: _figure(theme, maps, sample, shown),
        caption=CAPTION.format(
            seed=shown.seed,
            perplexity=perplexity,
            forget=len(sample.forget),
            retain=len(sample.retain),
            neighbours=_neighbours(sample),
            chance=sample.chance,
            missing=shown.what_is_missing,
        ),
        alt=f"Maps of the feature spaces of {', '.join(shown.models)}; how many neighbours of a "
        "forgotten image are forgotten images is in the table below.",
        numbers=Numbers(
            ("model", "neighbours forgotten"), [(m.label, f"{m.together:.1%}") for m in maps]
        ),
    )


def together(features: Array, forgotten: int, neighbours: int) -> float:
    """Of the nearest neighbours of a forgotten image, the share that is forgotten, too.

    features: (N, D), the forgotten images first. The image itself is not its neighbour.
    """
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=neighbours).fit(features)
    # Without an argument an image is not its own neighbour.
    nearest = index.kneighbors(return_distance=False)[:forgotten]
    return float((nearest < forgotten).mean())


def _features(label: str, model: nn.Module, sample: Sample, accelerator: Accelerator) -> Array:
    model = model.to(accelerator.device)
    try:
        parts = [
            evaluate(model, images, accelerator, features=True).features
            for images in (sample.forget, sample.retain)
        ]
    except ValueError as error:
        raise CannotBeDrawn(f"{label}: {error}") from error
    return np.concatenate([part.numpy() for part in parts if part is not None])


def _map(label: str, features: Array, sample: Sample, perplexity: float) -> Map:
    from sklearn.manifold import TSNE

    embedding = TSNE(perplexity=perplexity, init="pca", random_state=0)
    share = together(features, len(sample.forget), _neighbours(sample))
    return Map(label, embedding.fit_transform(features), share)


def _neighbours(sample: Sample) -> int:
    return min(NEIGHBOURS, len(sample) - 1)


def _figure(theme: Theme, maps: Sequence[Map], sample: Sample, shown: ShownModels) -> Figure:
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(maps))
    rows = math.ceil(len(maps) / columns)
    figure = Figure(figsize=(WIDTH, WIDTH / columns * 0.95 * rows + 0.3), layout="constrained")
    for number, each in enumerate(maps):
        axes = figure.add_subplot(rows, columns, number + 1)
        _scatter(axes, each, sample, theme)
        control = " (control)" if each.label in shown.scenario.controls else ""
        axes.set_title(shortened(each.label) + control, fontweight="bold")
        axes.set(xticks=[], yticks=[], xlabel=f"neighbours forgotten: {each.together:.0%}")
        axes.spines[:].set_visible(True)
        axes.margins(0.09)
    figure.legend(handles=_legend(theme, sample), loc="outside lower center", ncols=2)
    return figure


def _scatter(axes: Any, each: Map, sample: Sample, theme: Theme) -> None:
    forget, retain = np.split(each.points, [len(sample.forget)])
    labels = sample.retain.labels.numpy()
    colors = [theme.classes[label % len(theme.classes)] for label in labels]
    axes.scatter(*retain.T, s=9, c=colors, linewidths=0)
    # Hollow, so that what lies beneath is seen.
    axes.scatter(
        *forget.T, s=22, marker="^", facecolors="none", edgecolors=theme.text, linewidths=0.9
    )
    if len(set(labels)) <= NUMBERED_CLASSES:
        _number(axes, retain, labels, theme)


def _number(axes: Any, retain: Array, labels: Array, theme: Theme) -> None:
    from matplotlib.patheffects import withStroke

    for label in np.unique(labels):
        middle = np.median(retain[labels == label], axis=0)
        halo = withStroke(linewidth=3, foreground=theme.background)
        # Beside the cluster, which it would hide.
        axes.annotate(str(label), middle, (7, 7), textcoords="offset points", path_effects=[halo])


def _legend(theme: Theme, sample: Sample) -> list[Any]:
    from matplotlib.lines import Line2D

    looks = (
        (sample.retain, "retain", "o", theme.faint, "full"),
        (sample.forget, "forgotten", "^", theme.text, "none"),
    )
    return [
        Line2D(
            [], [], linestyle="none", marker=marker, markersize=5, color=color,
            fillstyle=fill, label=f"{len(images)} {what} images",
        )
        for images, what, marker, color, fill in looks
    ]  # fmt: skip
