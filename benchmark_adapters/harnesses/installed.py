"""What is there of a harness, and one line that says how to get what is not."""

from __future__ import annotations

import importlib
import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

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


def harness_module(name: str, hint: str) -> ModuleType:
    """A module of a harness. Raises ImportError in one line with the hint how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        harness = name.partition(".")[0]
        raise ImportError(f"{harness} can't be imported ({error}); {hint}") from None


def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution, None if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def clone_on_path(module: str, file: str) -> str | None:
    """The folder of a harness that is run from its clone, None if it is not on `sys.path`.

    file: one that it must have, for a package of the same name may be another one.
    """
    # The parent package alone is looked up: importing a harness takes seconds or writes files.
    spec = importlib.util.find_spec(module)
    folders = (spec.submodule_search_locations or ()) if spec else ()
    return next((str(folder) for folder in folders if Path(folder, file).exists()), None)
