"""How long do SULI, SU and the paper's baselines take, beside the paper's Table 5?

    python tests/speed/table_5_times.py [--rounds 5] [--mixed-precision bf16] [--compile]
    python tests/speed/table_5_times.py --data cifar10 [--original FOLDER] --mixed-precision fp16

Class-wise, on a ResNet-18 with a 3x3 stem and 32x32 images. With --data the images are CIFAR-10's
and the original has learnt them (the benchmark `cifar10-resnet18` trains it once, or --original),
and each method stops where its rule says. Without it, images and weights are drawn and every
method makes all of its steps, which is the most that it may take.

Times are the runner's two clocks: in updates (on a GPU by events in its queue), and in total, with
the device brought up to date at both ends. The first round warms up and is told apart. With
--compile each method runs both ways in turn, and its gain is told: the first round compiles. The
goal is that SULI takes under 0.3 s in total on a card of the H100's class; no figure of a GPU is
written anywhere until this script has printed one. Interrupted (Ctrl-C, `timeout -s INT`) it prints
the rounds that it has. Not a test.
"""

import argparse
import statistics
from contextlib import suppress
from dataclasses import fields, replace
from importlib.metadata import version

import torch
import torchvision
from torch import nn

from benchmark_adapters.cluster.worker_accelerator import Arithmetic, worker_accelerator
from benchmark_adapters.grid.benchmark_options import made_benchmark
from benchmark_adapters.grid.options import changes_by_label
from benchmark_adapters.records.provenance import hardware
from leaderboards.board.paper_values import paper_values
from suli_plugin import ForgetRequest, ImageSet, run
from suli_plugin.compiled import INDUCTOR, check_compiler
from suli_plugin.plugins import registry

LABEL = 1
# In the paper's order: the slowest first.
METHODS = (
    "adv_imp", "initial_label", "boundary_shrink", "neg_grad", "random_label", "su@official",
    "suli@official",
)  # fmt: skip


def resnet18():
    """The paper's network, untrained."""
    model = torchvision.models.resnet18(num_classes=10)
    model.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    model.maxpool = nn.Identity()
    return model


def drawn(count):
    """An untrained original, and a request with so many drawn images."""
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=draw)
    images = ImageSet.of_tensors(
        pixels, torch.full((count,), LABEL), mean=(0.5,) * 3, std=(0.25,) * 3
    )
    asked = ForgetRequest(forget=images, fresh_model=resnet18, forget_classes=(LABEL,))
    return resnet18().eval(), asked


def learnt(chosen):
    """The benchmark's original, and what it is asked to forget."""
    given = {"data": chosen.data, "original": chosen.original}
    benchmark = made_benchmark(registry().benchmark("cifar10-resnet18"), given)
    case = benchmark.case(f"class-{LABEL}", chosen.seed)
    asked = case.request
    some = torch.arange(min(chosen.images, len(asked.forget)))
    return case.original, replace(asked, forget=asked.forget.subset(some))


def method_of(label, chosen, settings):
    """The method; it never stops before its last round where there is nothing to stop by."""
    made = registry().unlearner(label, "class-wise", settings.get(label, {}))
    may_stop = chosen.data is not None or "stop" not in {field.name for field in fields(made)}
    return made if may_stop else replace(made, stop="never")


class Times:
    """One method's rounds. peaks: of the device's memory, in MiB, where it tells."""

    def __init__(self):
        self.updates, self.totals, self.peaks, self.first, self.last = [], [], [], None, None

    def take(self, method, model, asked, accelerator, seed):
        on_gpu = accelerator.device.type == "cuda"
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        self.last = run(method, model, asked, accelerator=accelerator, seed=seed)
        if self.first is None:
            self.first = self.last.seconds.total
            return
        self.updates.append(self.last.seconds.update)
        self.totals.append(self.last.seconds.total)
        self.peaks += [torch.cuda.max_memory_allocated() / 2**20] if on_gpu else []


def told(values):
    """Mean and standard deviation."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} ± {spread:.3f}"


def row(label, times, paper):
    published = paper.get(label.partition("@")[0])
    cells = (
        f"{label}, compiled" if times.last.compiled else label,
        "–" if published is None else f"{published:.2f}",
        told(times.updates),
        told(times.totals),
        f"{times.first:.3f}",
        f"{max(times.peaks):.0f}" if times.peaks else "–",
        str(times.last.steps),
        times.last.stop_reason,
    )
    return "| " + " | ".join(cells) + " |"


def gain(label, plain, compiled):
    """How many times as fast the compiled rounds are."""
    ratios = [a / b for a, b in zip(plain.totals, compiled.totals, strict=False)]
    return f"{label}: compiled {told(ratios)} times as fast"


def options():
    told = argparse.ArgumentParser()
    told.add_argument("--rounds", type=int, default=5)
    told.add_argument("--images", type=int, default=5000, help="forgotten images, at most")
    told.add_argument("--data", help="folder of CIFAR-10; without it images are drawn")
    told.add_argument("--original", help="a ResNet-18 that has learnt them")
    told.add_argument("--methods", default=",".join(METHODS))
    told.add_argument("--set", action="append", default=[], metavar="METHOD.FIELD=VALUE")
    told.add_argument("--mixed-precision", choices=["no", "bf16", "fp16"], default="no")
    told.add_argument("--compile", action="store_true")
    told.add_argument("--seed", type=int, default=0, help="of the first round; each has the next")
    return told


def measured(chosen):
    """What was asked, and the times of each method, as it is and, if asked for, compiled."""
    ways = [Arithmetic(chosen.mixed_precision)]
    if chosen.compile:
        ways.append(Arithmetic(chosen.mixed_precision, INDUCTOR))
        check_compiler(worker_accelerator(ways[-1]))
    settings = changes_by_label(chosen.set)
    model, asked = drawn(chosen.images) if chosen.data is None else learnt(chosen)
    methods = {label: method_of(label, chosen, settings) for label in chosen.methods.split(",")}
    found = {label: [Times() for _ in ways] for label in methods}
    with suppress(KeyboardInterrupt):
        for number in range(chosen.rounds + 1):
            for label, method in methods.items():
                for times, way in zip(found[label], ways, strict=True):
                    # A process has one accelerator, which is made anew for the other way.
                    times.take(method, model, asked, worker_accelerator(way), chosen.seed + number)
    return asked, {label: own for label, own in found.items() if all(each.totals for each in own)}


def main():
    parser = options()
    chosen = parser.parse_args()
    try:
        asked, found = measured(chosen)
    except ValueError as error:
        parser.error(str(error).splitlines()[0])
    paper = paper_values()["seconds"]
    print(f"| method | Table 5, s | updates, s | total, s | first, s | MiB | steps | end |\n{RULE}")
    for label, ways in found.items():
        for times in ways:
            print(row(label, times, paper["class-wise"]))
    print()
    for label, ways in found.items():
        if chosen.compile:
            print(gain(label, *ways))
    done = (len(times.totals) for ways in found.values() for times in ways)
    rounds = min(done, default=0)
    print(
        f"Table 5: {paper['device']}, the paper's own clock. Here: {hardware()}; mixed precision "
        f"{chosen.mixed_precision}; {len(asked.forget)} images, "
        f"{'CIFAR-10' if chosen.data else 'drawn'}; n={rounds}, seeds {chosen.seed + 1} to "
        f"{chosen.seed + rounds}; torch {torch.__version__}, accelerate "
        f"{version('accelerate')}, suli-plugin {version('suli-plugin')}"
    )


RULE = "|---" * 8 + "|"

if __name__ == "__main__":
    main()
