"""Which harnesses are installed, what our methods are called there, and theirs as ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmark_adapters.harnesses.installed import (
    DEEPUNLEARN,
    ERASURE,
    ERASUS,
    MU_BENCH,
    SUPREME,
    TORCHUNLEARN,
    clone_on_path,
    installed_version,
)
from suli_plugin.harness import Harness
from suli_plugin.hookspecs import hookimpl


@hookimpl
def register_unlearners(register: Callable[[type[Any]], None]) -> None:
    """The methods of SUPREME and of ERASURE, each where it is installed."""
    if installed_version("supreme-unlearning"):
        from benchmark_adapters.harnesses import supreme_methods

        for method in supreme_methods.METHODS:
            register(method)
    if clone_on_path("erasure", "core/unlearner.py"):
        from benchmark_adapters.harnesses import erasure_methods

        for method in erasure_methods.METHODS:
            register(method)


@hookimpl
def register_harnesses(register: Callable[[Harness], None]) -> None:
    """The seven harnesses, installed or not."""
    erasure = clone_on_path("erasure", "core/unlearner.py")
    mu_bench = clone_on_path("mubench", "trainer/base.py")
    deepunlearn = clone_on_path("munl", "unlearning/common.py")
    for harness in (
        Harness("supreme", installed_version("supreme-unlearning"), SUPREME, _in_supreme),
        Harness("erasure", erasure and f"clone {erasure}", ERASURE, _classes),
        Harness("mu_bench", mu_bench and f"clone {mu_bench}", MU_BENCH, _in_mu_bench),
        Harness("torchunlearn", installed_version("torchunlearn"), TORCHUNLEARN, _classes),
        Harness("erasus", installed_version("erasus"), ERASUS, _in_erasus),
        Harness("deepunlearn", deepunlearn and f"clone {deepunlearn}", DEEPUNLEARN, _classes),
        Harness("neurips2023", "a signature, nothing to install", "", _labels),
    ):
        register(harness)


def _in_supreme() -> Sequence[str]:
    from benchmark_adapters.harnesses.supreme import names

    return list(names())


def _in_mu_bench() -> Sequence[str]:
    from benchmark_adapters.harnesses.mu_bench import labels

    return list(labels())


def _in_erasus() -> Sequence[str]:
    from benchmark_adapters.harnesses.erasus import names

    return list(names())


def _classes() -> Sequence[str]:
    from benchmark_adapters.harnesses.translation import our_classes

    return list(our_classes())


def _labels() -> Sequence[str]:
    from benchmark_adapters.harnesses.translation import our_labels

    return our_labels()
