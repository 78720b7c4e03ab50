"""Benchmarks: data, original model, recipe and scenarios, one file each."""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

from suli_plugin.hookspecs import hookimpl

BENCHMARKS = (
    "benchmark_adapters.benchmarks.digits:Digits",
    "benchmark_adapters.benchmarks.cifar10_fast:Cifar10Fast",
    "benchmark_adapters.benchmarks.cifar10:Cifar10ResNet18",
    "benchmark_adapters.benchmarks.cifar10:Cifar10ResNet20",
    "benchmark_adapters.benchmarks.cifar10_allcnn:Cifar10AllCNN",
    "benchmark_adapters.benchmarks.utkface:UTKFaceAllCNN",
    "benchmark_adapters.benchmarks.vggface2:VGGFace2ResNet50",
    "benchmark_adapters.benchmarks.image_folder:ImageFolder",
)


@hookimpl
def register_benchmarks(register: Callable[[type[Any]], None]) -> None:
    """All of the above."""
    for path in BENCHMARKS:
        register(resolve_name(path))
