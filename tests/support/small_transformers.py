"""Small vision transformers of timm and transformers, and coloured images of 32 pixels to learn."""

from functools import lru_cache
from typing import ClassVar

import torch
from accelerate import Accelerator
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.baselines.retrain import Retrain
from suli_plugin import ForgetRequest, ImageSet, run
from suli_plugin.benchmark import Benchmark, Case
from suli_plugin.randomness import seeded

CPU = torch.device("cpu")
CLASSES, SIZE = 4, 32
RECIPE = Retrain(epochs=12, batch_size=16, lr=0.05, weight_decay=0.0)
_TIMM = {"img_size": SIZE, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2}
_TRANSFORMERS = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
    "image_size": SIZE, "patch_size": 8, "initializer_range": 0.1,
}  # fmt: skip


def vit(library: str, **options) -> nn.Module:
    """The untrained network of a seed."""
    with seeded(3, CPU):
        if library == "timm":
            name = "timm/vit_tiny_patch16_224"
            return build_architecture(name, CLASSES, **_TIMM, **options)
        return build_architecture("transformers/vit", CLASSES, config={**_TRANSFORMERS, **options})


def images(count: int, seed: int, *, mislabelled: int = 0) -> ImageSet:
    """A colour a class, with noise. mislabelled: so many at the front have another's label."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    colours = torch.tensor([[200, 60, 60], [60, 200, 60], [60, 60, 200], [190, 190, 60]])
    noise = torch.randint(-60, 60, (count, 3, SIZE, SIZE), generator=draw)
    pixels = (colours[labels][:, :, None, None] + noise).clamp(0, 255).byte()
    labels = labels.clone()
    labels[:mislabelled] = (labels[:mislabelled] + 1) % CLASSES
    return ImageSet.of_tensors(pixels, labels, mean=(0.5,) * 3, std=(0.25,) * 3, kind="retain")


@lru_cache(maxsize=2)
def original(library: str) -> nn.Module:
    """One that has learnt the training images."""
    asked = ForgetRequest(retain=images(64, 0), fresh_model=lambda: vit(library))
    return run(RECIPE, vit(library), asked, accelerator=Accelerator(cpu=True), seed=5).model


def vit_request(library: str, scope: str) -> ForgetRequest:
    """Class 1, or sixteen samples; the reference is half mislabelled, so that there is a way."""
    train = images(64, 0)
    mask = train.labels == 1 if scope == "class-wise" else torch.arange(64) < 16
    return ForgetRequest(
        forget=train.subset(torch.where(mask)[0]),
        retain=train.subset(torch.where(~mask)[0]),
        reference=images(16, 1, mislabelled=8),
        fresh_model=lambda: vit(library),
        image_shape=(3, SIZE, SIZE),
        forget_classes=(1,) if scope == "class-wise" else (),
    )


class VitBenchmark(Benchmark):
    """One scenario on timm's, with a recipe that Retrains share."""

    name: ClassVar[str] = "small_vit"
    summary: ClassVar[str] = "coloured images"
    default_scenarios: ClassVar = ("class-1",)
    all_scenarios: ClassVar = ("class-1",)
    methods: ClassVar = ("retrain", "suli")
    settings: ClassVar = {"retrain": RECIPE.recipe(), "head_distill": {"epochs": 2}}
    relearn_updates: ClassVar[int] = 0

    def original_recipe(self):
        return RECIPE.recipe()

    def fingerprint(self, scenario, seed):
        return images(64, 0).content_hash()

    def case(self, scenario, seed):
        asked = vit_request("timm", "class-wise")
        return Case(
            original=original("timm"),
            forget=asked.forget.of_kind("forget"),
            retain=asked.retain,
            reference=asked.reference,
            test=images(40, 2),
            fresh_model=asked.fresh_model,
            forget_classes=(1,),
            original_source={"kind": "trained", "recipe": RECIPE.recipe(), "seed": 5},
        )
