"""How fast is SULI here? Ratios of times measured side by side in one run.

    python tests/speed/suli_speed.py [--rounds 3] [--images 1000]

SULI's official class-wise preset on a ResNet-18 with a 3x3 stem and random 32x32 images, against
a plain transcription of the published loop (two forward passes a step, a pass over the forget set
after each layer), and the runner's overhead over the bare passes that it counts. Not a test.
"""

import argparse
import copy
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
import torchvision
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from torch import nn

from benchmark_adapters.records.provenance import hardware
from suli_plugin import SULI, ForgetRequest, ImageSet, run

sys.path += [str(Path(__file__).parents[1] / room) for room in ("support", "suli_plugin")]
from test_suli import published_suli

METHOD = replace(SULI.preset("official", "class-wise"), stop="never", sweeps=1)


def cifar_resnet18():
    torch.manual_seed(0)
    model = torchvision.models.resnet18(num_classes=10)
    model.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    model.maxpool = nn.Identity()
    return model.eval()


def nearly_sure_of_class_one(model, images):
    """Shift one bias so that class 1 wins for nine in ten images: there is accuracy to lose."""
    batch = images.batch(torch.arange(len(images)), torch.device("cpu"))
    with torch.no_grad():
        logits = torch.cat([model(part) for part in batch.images.split(250)])
        others = logits.index_fill(1, torch.tensor([1]), -torch.inf).amax(1)
        model.fc.bias[1] += (others - logits[:, 1]).quantile(0.9)


def ours(model, images, precision, channels_last):
    AcceleratorState._reset_state(True)
    GradientState._reset_state()
    request = ForgetRequest(forget=images, forget_classes=(1,))
    start = time.perf_counter()
    result = run(
        METHOD, model, request,
        accelerator=Accelerator(mixed_precision=precision, cpu=True), channels_last=channels_last,
    )  # fmt: skip
    return time.perf_counter() - start, [entry.forget_accuracy for entry in result.history]


def published(model, images):
    batch = images.batch(torch.arange(len(images)), torch.device("cpu"))
    start = time.perf_counter()
    # A target that is never met: both loops make the same number of visits.
    _, states = published_suli(METHOD, model, batch.images, batch.labels, (1,), target=-1.0)
    return time.perf_counter() - start, accuracies(model, states, batch)


def accuracies(model, states, batch):
    twin, found = copy.deepcopy(model), []
    for state in states:
        twin.load_state_dict(state)
        with torch.no_grad():
            found.append((twin.eval()(batch.images).argmax(1) == 1).double().mean().item())
    return found


def bare_passes(model, images):
    """The forward and backward passes that our runner makes, and nothing else."""
    twin = copy.deepcopy(model)
    batch = images.batch(torch.arange(len(images)), torch.device("cpu"))
    parts = batch.images.split(500)
    optimizer = torch.optim.Adam(twin.parameters(), lr=1e-4)
    start = time.perf_counter()
    for part in (None, *parts):
        if part is not None:
            twin.train()
            optimizer.zero_grad()
            twin(part).logsumexp(1).mean().backward()
            optimizer.step()
        twin.eval()
        with torch.no_grad():
            for checked in parts:
                twin(checked)
    return time.perf_counter() - start


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--images", type=int, default=1000)
    chosen = options.parse_args()
    model = cifar_resnet18()
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (chosen.images, 3, 32, 32), dtype=torch.uint8, generator=draw)
    images = ImageSet.of_tensors(
        pixels, torch.ones(chosen.images).long(), mean=(0.5,) * 3, std=(0.25,) * 3
    )
    nearly_sure_of_class_one(model, images)
    ours(model, images.subset(range(32)), "bf16", True)  # warm up
    ratios = {
        "ours fp32": [],
        "ours bf16 channels_last": [],
        "bare passes fp32": [],
    }
    for _ in range(chosen.rounds):
        base, decisions = published(model, images)
        for name, precision, layout in (
            ("ours fp32", "no", False),
            ("ours bf16 channels_last", "bf16", True),
        ):
            seconds, own = ours(model, images, precision, layout)
            ratios[name].append(base / seconds)
            print(f"{name}: accuracies {own} against {decisions}")
            if name == "ours fp32":
                ratios["bare passes fp32"].append(seconds / bare_passes(model, images))
    print(f"torch {torch.__version__}, {hardware()}, {chosen.images} images, n={chosen.rounds}")
    for name, values in ratios.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        what = (
            "runner over bare passes" if name.startswith("bare") else "times faster than published"
        )
        print(f"{name}: {statistics.mean(values):.2f} ± {spread:.2f} {what}")


if __name__ == "__main__":
    main()
