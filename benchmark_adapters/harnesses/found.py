"""Which harnesses are installed, what our methods are called there, and theirs as ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from suli_plugin.harness import Harness
from suli_plugin.hookspecs import hookimpl

# Said where a harness is missing. README.md says why SUPREME comes without its dependencies.
SUPREME = (
    "pip install lightning wandb debugpy python-dotenv && pip install --no-deps supreme-unlearning"
)
TORCHUNLEARN = "pip install torchunlearn matplotlib"
ERASURE = (
    "pip install torch_geometric picologging==0.9.2 jsonc_parser jsonpickle pandas psutil ucimlrepo"
    ", clone github.com/aiim-research/ERASURE and put its folder on PYTHONPATH"
)
ERASUS = "pip install erasus"
DEEPUNLEARN = (
    "pip install hydra-zen optuna tensorboard pandas matplotlib seaborn timm"
    ", clone github.com/xcadet/deepunlearn and put its folder on PYTHONPATH"
)
MU_BENCH = (
    'pip install "transformers>=4.48,<5" "datasets<4" nltk peft wandb pandas scipy'
    ", clone github.com/CLU-UML/MU-Bench and put its folder on PYTHONPATH"
)


@hookimpl
def register_unlearners(register: Callable[[type[Any]], None]) -> None:
    """The methods of SUPREME and of ERASURE, each where it is installed."""
    from benchmark_adapters.harnesses.installed import clone_on_path, installed_version

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
    from benchmark_adapters.harnesses.installed import clone_on_path, installed_version

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
