"""Print how fast CIFAR-10's training images become an `ImageSet`: decoded, cached, streamed.

    SULI_DATA=... python tests/speed/decode_speed.py

Each line is a process of its own, as a user's run is; imports are not counted.
"""

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

START = """
    import sys, time
    import datasets, torch
    from accelerate import Accelerator
    from benchmark_adapters.images.base_data import load_base
    from benchmark_adapters.images.decoded_images import image_set
    start, used = time.perf_counter(), time.process_time()
    base = load_base(sys.argv[1], split="train")
"""
DECODED = (
    START
    + """
    images = image_set(base)
    images.batch(torch.arange(500), torch.device("cpu"))
    print(time.perf_counter() - start, time.process_time() - used)
"""
)
STREAMED = (
    START
    + """
    images = image_set(base, memory_limit=1)
    for part in torch.arange(len(images)).split(500):
        images.batch(part, torch.device("cpu"))
    print(time.perf_counter() - start, time.process_time() - used)
"""
)


def seconds(script: str, folder: str, home: str) -> tuple[float, float]:
    """How long the script says it took, and how long the processor worked for it."""
    environment = {
        **os.environ,
        "HF_HOME": home,
        "SULI_CACHE": f"{home}/decoded",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    command = [sys.executable, "-c", textwrap.dedent(script), folder]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    elapsed, used = done.stdout.split()
    return float(elapsed), float(used)


def main() -> None:
    """Measure on the data that SULI_DATA names."""
    if "SULI_DATA" not in os.environ:
        sys.exit("SULI_DATA names no folder with the real CIFAR-10")
    folder = str(Path(os.environ["SULI_DATA"]) / "cifar10")
    with tempfile.TemporaryDirectory() as home:
        cold = seconds(DECODED, folder, home)
        warm = min(seconds(DECODED, folder, home) for _ in range(3))
        streamed = seconds(STREAMED, folder, home)
    load = os.getloadavg()[0]
    print(f"50,000 images, {os.cpu_count()} cores, load {load:.1f} beside this")
    for name, (elapsed, used) in (("cold", cold), ("warm", warm), ("one streamed pass", streamed)):
        print(f"{name:18}{elapsed:6.2f} s elapsed  {used:6.2f} s of processor time")
    print(f"a cold start takes {cold[0] / warm[0]:.0f} times as long as a warm one")


if __name__ == "__main__":
    main()
