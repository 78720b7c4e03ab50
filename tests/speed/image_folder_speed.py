"""Print how a folder in ImageNet's layout is read: images a second, memory, the first step.

    python tests/speed/image_folder_speed.py                  # 20,000 images in 100 classes
    python tests/speed/image_folder_speed.py --images 200 --classes 10 --side 64

The images are made from seeded draws as JPEGs, in a temporary folder. Beside our loader stands a
bare torchvision ImageFolder with a DataLoader of as many workers; both give normalised batches of
the same images, resized and cropped alike, in turn within one process. Memory is the proportional
share (PSS) of a process and its workers, which Linux tells.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BATCH = 64
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make(folder: Path, images: int, classes: int, side: int) -> None:
    """train/ and val/, a tenth in val/, and an untrained ResNet-18 of torchvision."""
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(0)
    for number in range(images):
        label, nth = number % classes, number // classes
        place = folder / ("val" if nth % 10 == 9 else "train") / f"n{label:08}"
        place.mkdir(parents=True, exist_ok=True)
        small = draw.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC).save(file, "JPEG")
        (place / f"{nth}.jpg").write_bytes(file.getvalue())


def make_original(folder: Path, classes: int, side: int) -> None:
    """A checkpoint that says how its images are made."""
    import torch

    from benchmark_adapters.architectures import build_architecture
    from benchmark_adapters.originals.checkpoints import CheckpointConfig, save_checkpoint
    from benchmark_adapters.preprocessing.preprocessing import usual

    torch.manual_seed(0)
    model = build_architecture("torchvision/resnet18", classes)
    config = CheckpointConfig(
        architecture="torchvision/resnet18", num_classes=classes, mean=MEAN, std=STD,
        input_size=(3, side, side), preprocessing=usual(side),
    )  # fmt: skip
    save_checkpoint(folder, model, config)


class Peak(threading.Thread):
    """The largest memory, in bytes, of this process with its children, looked at now and then."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes, self._done = 0, threading.Event()

    def run(self) -> None:
        """Until `stop`, and once more then."""
        over = False
        while not over:
            over = self._done.wait(0.1)
            self.bytes = max(self.bytes, sum(map(_pss, _family())))

    def stop(self) -> int:
        """The peak so far."""
        self._done.set()
        self.join()
        return self.bytes


def _family() -> list[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [os.getpid(), *(int(pid) for task in tasks for pid in task.read_text().split())]


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (OSError, ProcessLookupError):
        return 0
    return 1024 * next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


@contextmanager
def peak(into: dict[str, float], name: str) -> Iterator[None]:
    """Note the peak within the block, in MiB, and what it was at the start."""
    into[f"{name} before"] = sum(map(_pss, _family())) / 2**20
    watch = Peak()
    watch.start()
    yield
    into[name] = watch.stop() / 2**20


def read_all(folder: str, images: int, rounds: int, workers: int, side: int) -> dict:
    """Images a second of both loaders, round by round, and the peak memory of ours."""
    import torch

    from benchmark_adapters.images.base_data import load_base
    from benchmark_adapters.images.decoded_images import image_set
    from benchmark_adapters.preprocessing.preprocessing import usual
    from suli_plugin.planned_reads import planned

    base = load_base(folder, split="train")
    ours = image_set(base, size=usual(side), mean=MEAN, std=STD, memory_limit=1)
    loader_of = bare_loader(f"{folder}/train", side, workers)
    device, found = torch.device("cpu"), {"ours": [], "torchvision": []}

    def read_ours(positions: torch.Tensor) -> None:
        batches = positions.split(BATCH)
        with planned((ours, batch) for batch in batches):
            for batch in batches:
                ours.batch(batch, device).images.sum()

    def read_bare(positions: torch.Tensor) -> None:
        for pixels, _ in loader_of(positions):
            pixels.sum()

    draw = torch.Generator().manual_seed(0)
    count = min(images, len(ours))
    # The first round of each starts its workers, and is not counted.
    for round_ in range(rounds + 1):
        positions = torch.randperm(len(ours), generator=draw)[:count]
        for name, read in (("ours", read_ours), ("torchvision", read_bare)):
            seconds = timed(lambda read=read, positions=positions: read(positions))
            if round_:
                found[name].append(count / seconds)
    memory: dict[str, float] = {}
    with peak(memory, "peak"):
        read_ours(torch.randperm(len(ours), generator=draw))
    return {**found, **memory, "all": len(ours), "decoded": len(ours) * 3 * side**2 / 2**20}


def bare_loader(folder: str, side: int, workers: int) -> Callable:
    """The bare loader of some images of a folder."""
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    from benchmark_adapters.preprocessing.preprocessing import usual

    steps = [transforms.Resize(usual(side).resize), transforms.CenterCrop(side),
             transforms.ToTensor(), transforms.Normalize(MEAN, STD)]  # fmt: skip
    images = ImageFolder(folder, transforms.Compose(steps))
    order: list[int] = []

    class Order:
        def __iter__(self) -> Iterator[int]:
            return iter(order)

        def __len__(self) -> int:
            return len(order)

    loader = DataLoader(images, BATCH, sampler=Order(), num_workers=workers,
                        persistent_workers=True)  # fmt: skip

    def of(positions) -> DataLoader:
        order[:] = positions.tolist()
        return loader

    return of


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def first_step(folder: str, original: str) -> dict[str, float]:
    """Seconds until a case is there, and from then until the first update of SU on 16 images."""
    import datasets  # noqa: F401  # imports are not counted
    import torch
    import torchvision  # noqa: F401
    from accelerate import Accelerator

    from benchmark_adapters.benchmarks.image_folder import ImageFolder
    from suli_plugin.runner import run
    from suli_plugin.su import SU

    accelerator = Accelerator(cpu=True)
    memory: dict[str, float] = {}
    with peak(memory, "peak of the first step"):
        start = time.perf_counter()
        benchmark = ImageFolder(data=folder, original=original)
        benchmark.fingerprint("instance-64", 0)
        case = benchmark.case("instance-64", 0)
        made = time.perf_counter()
        forget = case.forget.subset(torch.arange(16))
        request = case.request.__class__(**{**vars(case.request), "forget": forget})
        run(
            SU(epochs=1, batch_size=16, stop="never"),
            case.original,
            request,
            accelerator=accelerator,
        )
        stepped = time.perf_counter()
        case.retain.subset(torch.arange(256)).content_hash()
        hashed = time.perf_counter()
    return {"case": made - start, "step": stepped - made, "hash": hashed - stepped, **memory}


def in_process(name: str, environment: dict[str, str], *arguments: object) -> dict:
    """What a function of this script gives in a process of its own, as a user's run is."""
    code = (
        f"import image_folder_speed as s; import json; print(json.dumps(s.{name}(*{arguments!r})))"
    )
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def said(values: list[float]) -> str:
    """n, mean and standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):8.2f} (sd {deviation:.2f}, n={len(values)})"


def main() -> None:
    """Measure, with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--side", type=int, default=224, help="of an image, in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--a-round", type=int, default=2_000, help="images that a round reads")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        data, original = Path(top) / "data", Path(top) / "original"
        environment = {"SULI_CACHE": f"{top}/cache", "HF_HOME": f"{top}/hf",
                       "SULI_DECODE_WORKERS": str(given.workers)}  # fmt: skip
        seconds = timed(lambda: make(data, given.images, given.classes, given.side))
        make_original(original, given.classes, given.side)
        print(f"{given.images:,} JPEGs of {given.side} pixels made in {seconds:.0f} s; "
              f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")  # fmt: skip
        for which in ("cold", "warm"):
            found = in_process("first_step", environment, str(data), str(original))
            print(f"{which}: case {found['case']:.2f} s, first step (16 images, ResNet-18) "
                  f"{found['step']:.2f} s more, hash of 256 images {found['hash']:.2f} s more, "
                  f"peak {found['peak of the first step']:.0f} MiB")  # fmt: skip
        found = in_process(
            "read_all",
            environment,
            str(data),
            given.a_round,
            given.rounds,
            given.workers,
            given.side,
        )
        ratios = [a / b for a, b in zip(found["ours"], found["torchvision"], strict=True)]
        print(f"images a second, ours       {said(found['ours'])}")
        print(f"images a second, torchvision{said(found['torchvision'])}")
        print(f"ratio                       {said(ratios)}")
        print(f"one pass over {found['all']:,} images, {found['decoded']:.0f} MiB decoded: peak "
              f"{found['peak']:.0f} MiB, {found['peak before']:.0f} MiB before it")  # fmt: skip


if __name__ == "__main__":
    main()
